"""Commands for monitoring: status, events."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.terminal import (
    FOUND_PROBLEMS,
    JsonOption,
    app,
    one_line,
    open_here,
    plain_text,
    print_alarm,
    print_json,
    print_table,
    print_text,
)
from schemas.errors import UsageError

if TYPE_CHECKING:
    from flows.monitoring.report import Status


@app.command("status")
def status_command(
    at: Annotated[
        str | None, typer.Option(help="Check the deadlines as of this day, YYYY-MM-DD; today by default.")
    ] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Show late deliveries, the inbox, the last nightly and failures; exit code 1 if anything needs action."""
    from flows.monitoring.status import status

    current = status(open_here(), _parse_day(at))
    if json:
        print_json(current.as_dict())
    else:
        _print_status(current)
    if current.problems:
        raise typer.Exit(FOUND_PROBLEMS)


@app.command("events")
def events_command(
    *,
    send: Annotated[bool, typer.Option("--send", help="Post the due events to ENGANG_WEBHOOK now.")] = False,
    json: JsonOption = False,
) -> None:
    """List the events not yet delivered to the webhook (exit code 1 if `--send` fails to deliver any)."""
    from flows.events import deliver_outbox, unsent_events

    installation = open_here()
    failed = 0
    if send:
        delivered, failed = deliver_outbox(installation)
        print_text(f"{delivered} delivered, {failed} failed", err=json)
    waiting = unsent_events(installation)
    if json:
        print_json(waiting)
    elif waiting:
        print_table(waiting, ["at", "type", "subject", "attempts", "not_before", "problem"])
    elif not send:
        print_text("all events are delivered")
    if failed:
        raise typer.Exit(FOUND_PROBLEMS)


def _parse_day(text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(f"--at: found {text!r}, expected a day as YYYY-MM-DD") from error


def _print_status(status: "Status") -> None:
    _print_obligations(status)
    print_text("")
    print_table([{"what": what, "is": value} for what, value in _rows(status)])
    for parked in status.inbox["parked_objects"]:
        print_text(one_line(f"parked {parked['id']}: {parked['object']}: {parked['reason']}"))
    for warning in status.record_warnings:
        text = f"warning: {warning['kind']}: {warning['what']}: {warning['detail']} ({warning['count']} reports)"
        print_text(one_line(text))
    print_text("")
    for problem in status.problems:
        print_alarm(one_line(f"! {problem}"))
    print_text(f"{len(status.problems)} problems need action" if status.problems else "no action needed")


def _print_obligations(status: "Status") -> None:
    rows = [
        {
            "contract": o.contract, "period": o.period, "due": o.due, "delivered": _share(o.delivered, o.expected),
            "late": len(o.late), "next": o.next_period, "next due": o.next_due,
            "next delivered": _share(o.next_delivered, o.next_expected),
        }
        for o in status.obligations
    ]  # fmt: skip
    print_table(rows)
    if status.undeclared:
        print_text(f"no due date declared: {', '.join(status.undeclared)}")


def _share(count: int, total: int) -> str:
    return f"{count} of {total}"


def _rows(status: "Status") -> list[tuple[str, str]]:
    inbox, release, nightly = status.inbox, status.release, status.nightly
    states = f"{inbox['waiting']} waiting, {inbox['leased']} being processed, {inbox['parked']} parked"
    oldest = f", the oldest since {_minute(inbox['oldest_waiting'])}" if inbox["oldest_waiting"] else ""
    last = nightly["last"]
    run = f"{last['status']}, started {_minute(last['started_at'])}" if last else "none yet"
    current = f"{release['release']}, {release['age_hours']} hours old" if release["release"] else "none yet"
    queue, letters = ("no queue" if inbox[q] is None else plain_text(inbox[q]) for q in ("queue", "dead_letters"))
    rejected = sum(group.files for group in status.rejected)
    return [
        ("inbox", states + oldest),
        ("queue", queue),
        ("dead letters", letters),
        ("release", current),
        ("in no release, received since the last nightly began", plain_text(release["waiting"])),
        ("files rejected whole, a week or since the last release", plain_text(rejected)),
        ("lake and landing zone", "whole" if not status.storage else "damaged"),
        ("arrivals last looked for by a served worker", _minute(status.intake_seen) if status.intake_seen else "none"),
        ("last nightly", run),
        ("nightlies refused, failed since the last success", f"{nightly['refused_since']}, {nightly['failed_since']}"),
        ("events not delivered", plain_text(status.outbox["unsent"])),
    ]


def _minute(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
