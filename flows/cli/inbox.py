"""Commands of those who look after what arrives: inbox list, retry, dismiss, redrive, poll."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.terminal import Json, app, echo_json, one_line, open_here, plain, say, show
from schemas.errors import UsageError

if TYPE_CHECKING:
    from flows.installation import Installation

inbox = typer.Typer(help="What arrived: list it, try again or give up what was parked.", invoke_without_command=True)
app.add_typer(inbox, name="inbox")

SHOWN_PARKED = 50
WHICH = "Which parked objects: `engang inbox list`."


@inbox.callback()
def main(context: typer.Context) -> None:
    """List what arrived and is not done yet, when no command is named."""
    if context.invoked_subcommand is None:
        list_()


@inbox.command("list")
def list_(
    *, all_: Annotated[bool, typer.Option("--all", help="What was given up, too.")] = False, json: Json = False
) -> None:
    """List how much waits, is being worked on or is parked, by sender; what is parked and why; the dead letters."""
    from infra.inbox import work_queue as box

    engine = open_here().engine
    counts, parked, letters = box.counts(engine), box.parked(engine, SHOWN_PARKED), _dead_letters()
    closed = box.closed(engine, SHOWN_PARKED).to_dicts() if all_ else []
    if json:
        told = {"done": box.done_count(engine), "open": counts.to_dicts(), "parked": parked.to_dicts()}
        echo_json({**told, "dead_letters": letters, **({"closed": closed} if all_ else {})})
        return
    if counts.height:
        show(counts.to_dicts(), ["status", "sender", "objects", "bytes", "oldest"])
    for row in parked.iter_rows(named=True):
        typer.echo(one_line(f"parked {row['id']}: {row['object']} after {row['attempts']} tries: {row['reason']}"))
    for row in closed:
        typer.echo(one_line(f"closed {row['id']}: {row['object']}: {row['reason']}"))
    _tell_letters(letters)
    waiting = "nothing waits" if counts.is_empty() else _advice(parked.height)
    typer.echo(f"{plain(box.done_count(engine))} done; {waiting}")


def _advice(parked: int) -> str:
    if not parked:
        return "`engang inbox poll --once --drain` receives what waits"
    return "`engang inbox retry` tries again what is parked, `engang inbox dismiss` gives it up"


@inbox.command()
def retry(
    ids: Annotated[list[int] | None, typer.Argument(help=WHICH)] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Every parked object.")] = False,
    json: Json = False,
) -> None:
    """Let parked objects wait to be received anew, when what parked them is put right."""
    from infra.inbox import work_queue as box

    if bool(ids) == all_:
        raise UsageError("say which parked objects: their numbers, or --all; `engang inbox list` shows them")
    done = box.retry(open_here().engine, None if all_ else ids)
    if json:
        echo_json({"retried": done})
        return
    typer.echo(f"{len(done)} parked objects wait again" if done else "none of these is parked")


@inbox.command()
def dismiss(
    ids: Annotated[list[int], typer.Argument(help=WHICH)],
    why: Annotated[str, typer.Option("--why", help="The reason, for those who come after.")],
    who: Annotated[str | None, typer.Option("--who", help="Who decides, if not the user who runs this.")] = None,
    *,
    json: Json = False,
) -> None:
    """Give up parked objects, with the reason: they stay listed (`list --all`) and count as parked no more."""
    from flows.intake.arrivals import dismiss as run

    done = run(open_here(), ids, why=why, who=who)
    if json:
        echo_json({"dismissed": done})
        return
    others = ", ".join(str(each) for each in sorted({*ids} - {*done}))
    typer.echo(f"{len(done)} parked objects are dismissed" + (f"; not parked: {others}" if others else ""))


@inbox.command()
def redrive(*, json: Json = False) -> None:
    """Move the dead letters back to the queue, when what made them so is put right."""
    from flows.intake.arrivals import dead_letter_queue

    installation = open_here()
    queue, letters = installation.settings.queue, dead_letter_queue(installation)
    if queue is None or letters is None:
        raise UsageError("there is no queue: set ENGANG_QUEUE and ENGANG_DEAD_LETTERS to the URLs of both")
    moved = letters.redrive(queue)
    if json:
        echo_json({"moved": moved})
    else:
        typer.echo(f"{moved} messages go back to the queue")


@inbox.command()
def poll(
    *,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    drain: Annotated[bool, typer.Option("--drain", help="Receive what arrived, too.")] = False,
    json: Json = False,
) -> None:
    """Look for what arrives, in the folder or by the queue, note it and tell of it, until stopped."""
    installation = open_here()
    if once:
        _poll_once(installation, drain=drain, json=json)
        return
    import signal
    import threading

    from flows.intake.arrivals import watch

    stop = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: stop.set())
    say(f"looking for what arrives in {installation.settings.arrivals}, until stopped")
    watch(installation, stop, lambda receipts: say(f"received {len(receipts)} files"), drains=drain)


def _poll_once(installation: "Installation", *, drain: bool, json: bool) -> None:
    from flows.intake import arrivals as intake

    told = intake.listen(installation)
    new = told.new + intake.reconcile_arrivals(installation)
    received = len(intake.drain(installation, progress=say)) if drain else 0
    if json:
        echo_json({"new": new, "messages": told.messages, "left": told.left, "received": received})
    else:
        typer.echo(f"{new} new objects" + (f", {received} received" if drain else ""))


def _dead_letters() -> dict[str, Any] | None:
    """Return how many dead letters there are and what some of them are; None where there is no queue for them."""
    from flows.intake.arrivals import dead_letter_queue

    queue = dead_letter_queue(open_here())
    return None if queue is None else queue.dead_letters()._asdict()


def _tell_letters(letters: dict[str, Any] | None) -> None:
    if letters is None:
        return
    typer.echo(f"{letters['messages']} dead letters")
    for reason in sorted(set(letters["reasons"])):
        typer.echo(one_line(f"  {letters['reasons'].count(reason)} of those looked at: {reason}"))
