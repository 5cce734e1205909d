"""Commands of those who keep watch: status, events."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.terminal import FOUND_PROBLEMS, Json, app, echo_json, open_here, plain, show
from schemas.errors import UsageError

if TYPE_CHECKING:
    from flows.monitoring.status import Status


@app.command()
def status(
    at: Annotated[
        str | None, typer.Option(help="A day, YYYY-MM-DD, whose deadlines to look at; today by default.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Tell who is late, what waits, what failed; exit code 1 if anything needs a person."""
    from flows.monitoring.status import status as run

    told = run(open_here(), _day(at))
    if json:
        echo_json(told.as_dict())
    else:
        _tell(told)
    if told.problems:
        raise typer.Exit(FOUND_PROBLEMS)


@app.command()
def events(
    *,
    send: Annotated[bool, typer.Option("--send", help="Post what is due to ENGANG_WEBHOOK now.")] = False,
    json: Json = False,
) -> None:
    """List the events that the webhook has not taken yet (exit code 1 if `--send` leaves any)."""
    from infra.ledger import outbox

    installation = open_here()
    failed = 0
    if send:
        from flows.events import deliver_outbox

        told, failed = deliver_outbox(installation)
        typer.echo(f"{told} events told, {failed} not", err=json)
    left = outbox.unsent(installation.engine).to_dicts()
    if json:
        echo_json(left)
    elif left:
        show(left, ["at", "type", "subject", "attempts", "not_before", "problem"])
    elif not send:
        typer.echo("every event is told")
    if failed:
        raise typer.Exit(FOUND_PROBLEMS)


def _day(told: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(told) if told else None
    except ValueError as error:
        raise UsageError(f"--at: found {told!r}, expected a day as YYYY-MM-DD") from error


def _tell(told: "Status") -> None:
    _tell_obligations(told)
    typer.echo("")
    show([{"what": what, "is": is_} for what, is_ in _rows(told)])
    for parked in told.inbox["parked_objects"]:
        typer.echo(f"parked {parked['id']}: {parked['object']}: {parked['reason']}")
    typer.echo("")
    for problem in told.problems:
        typer.secho(f"! {problem}", fg="red")
    typer.echo(f"{len(told.problems)} things need a person" if told.problems else "nothing needs a person")


def _tell_obligations(told: "Status") -> None:
    rows = [
        {
            "contract": o.contract, "period": o.period, "due": o.due, "delivered": _of(o.delivered, o.expected),
            "late": len(o.late), "next": o.next_period, "next due": o.next_due,
            "next delivered": _of(o.next_delivered, o.next_expected),
        }
        for o in told.obligations
    ]  # fmt: skip
    show(rows)
    if told.undeclared:
        typer.echo(f"no due date declared: {', '.join(told.undeclared)}")


def _of(some: int, total: int) -> str:
    return f"{some} of {total}"


def _rows(told: "Status") -> list[tuple[str, str]]:
    box, release, nightly = told.inbox, told.release, told.nightly
    states = f"{box['waiting']} waiting, {box['leased']} leased, {box['parked']} parked"
    oldest = f", the oldest since {_minute(box['oldest_waiting'])}" if box["oldest_waiting"] else ""
    last = nightly["last"]
    ended = f"{last['status']}, began {_minute(last['started_at'])}" if last else "none yet"
    number = f"{release['release']}, {release['age_hours']} hours old" if release["release"] else "none yet"
    letters = "no queue" if box["dead_letters"] is None else plain(box["dead_letters"])
    return [
        ("inbox", states + oldest),
        ("dead letters", letters),
        ("release", number),
        ("submissions since the last nightly", plain(release["waiting"])),
        ("last nightly", ended),
        ("nightlies refused, failed since one went well", f"{nightly['refused_since']}, {nightly['failed_since']}"),
        ("events not told", plain(told.outbox["unsent"])),
    ]


def _minute(at: Any) -> str:  # noqa: ANN401  a time or null
    return f"{at:%Y-%m-%d %H:%M} UTC"
