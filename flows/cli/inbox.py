"""Commands on the inbox: inbox list, retry, dismiss, redrive, poll."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.terminal import (
    JsonOption,
    WhoOption,
    app,
    one_line,
    open_here,
    plain_text,
    print_json,
    print_progress,
    print_table,
    print_text,
)
from schemas.errors import StoreError, UsageError

if TYPE_CHECKING:
    from flows.installation import Installation

inbox_app = typer.Typer(
    help="Files that arrived: list them, retry or dismiss parked ones.", invoke_without_command=True
)
app.add_typer(inbox_app, name="inbox")

MAX_OBJECTS_LISTED = 50
IDS_HELP = "Numbers of parked objects: `engang inbox list` shows them."


@inbox_app.callback()
def inbox_command(context: typer.Context) -> None:
    """List the objects that are not done (without a subcommand)."""
    if context.invoked_subcommand is None:
        list_inbox_command()


@inbox_app.command("list")
def list_inbox_command(
    *,
    all_: Annotated[bool, typer.Option("--all", help="Include dismissed objects.")] = False,
    json: JsonOption = False,
) -> None:
    """List what waits, is being processed or is parked, by sender; why objects are parked; the dead letters."""
    from flows.intake.inbox import list_inbox

    listing = list_inbox(open_here(), MAX_OBJECTS_LISTED)
    closed = listing.closed if all_ else []
    if json:
        fields = {"done": listing.done, "open": listing.open, "parked": listing.parked}
        print_json({**fields, "dead_letters": listing.dead_letters, **({"closed": closed} if all_ else {})})
        return
    if listing.open:
        print_table(listing.open, ["status", "sender", "objects", "bytes", "oldest"])
    for row in listing.parked:
        print_text(one_line(f"parked {row['id']}: {row['object']} after {row['attempts']} tries: {row['reason']}"))
    for row in closed:
        print_text(one_line(f"closed {row['id']}: {row['object']}: {row['reason']}"))
    _print_dead_letters(listing.dead_letters)
    advice = _advice(parked=bool(listing.parked)) if listing.open else "nothing waits"
    print_text(f"{plain_text(listing.done)} done; {advice}")


def _advice(*, parked: bool) -> str:
    if parked:
        return "`engang inbox retry` tries parked objects again, `engang inbox dismiss` gives them up"
    return "`engang inbox poll --once --drain` receives what waits"


@inbox_app.command("retry")
def retry_command(
    ids: Annotated[list[int] | None, typer.Argument(help=IDS_HELP)] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Every parked object.")] = False,
    json: JsonOption = False,
) -> None:
    """Receive parked objects again, once the reason is fixed."""
    from flows.intake.inbox import retry_parked

    if bool(ids) == all_:
        raise UsageError("name the parked objects: their numbers, or --all; `engang inbox list` shows them")
    retried = retry_parked(open_here(), None if all_ else ids)
    if json:
        print_json({"retried": retried})
        return
    print_text(f"{len(retried)} parked objects wait again" if retried else "none of these is parked")


@inbox_app.command("dismiss")
def dismiss_command(
    ids: Annotated[list[int], typer.Argument(help=IDS_HELP)],
    why: Annotated[str, typer.Option("--why", help="The reason, for later readers.")],
    who: WhoOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Give up parked objects, with a reason: they no longer count as parked; `list --all` still shows them."""
    from flows.intake.inbox import dismiss_parked

    dismissed = dismiss_parked(open_here(), ids, why=why, who=who)
    if json:
        print_json({"dismissed": dismissed})
        return
    others = ", ".join(map(str, sorted({*ids} - {*dismissed})))
    print_text(f"{len(dismissed)} parked objects are dismissed" + (f"; not parked: {others}" if others else ""))


@inbox_app.command("redrive")
def redrive_command(*, json: JsonOption = False) -> None:
    """Move the dead letters back to the queue, once their cause is fixed."""
    from flows.intake.inbox import redrive_dead_letters

    count = redrive_dead_letters(open_here())
    if json:
        print_json({"moved": count})
    else:
        print_text(f"{count} messages go back to the queue")


@inbox_app.command("poll")
def poll_command(
    *,
    once: Annotated[bool, typer.Option("--once", help="Poll once, then exit.")] = False,
    drain: Annotated[bool, typer.Option("--drain", help="Also receive what arrived.")] = False,
    json: JsonOption = False,
) -> None:
    """Poll the folder or the queue for new files, record them in the inbox and announce them, until stopped."""
    installation = open_here()
    if once:
        _poll_once(installation, drain=drain, json=json)
        return
    import signal
    import threading

    from flows.intake.arrivals import watch_arrivals

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print_progress(f"polling {installation.settings.arrivals} for new files, until stopped")
    watch_arrivals(
        installation, stop, lambda receipts: print_progress(f"received {len(receipts)} files"), process=drain
    )


def _poll_once(installation: "Installation", *, drain: bool, json: bool) -> None:
    from flows.intake.arrivals import NotificationCounts, receive_notifications, reconcile_arrivals
    from flows.intake.worker import process_inbox

    problem: StoreError | None = None
    try:
        result = receive_notifications(installation)
    except StoreError as error:  # the listing needs no queue
        problem, result = error, NotificationCounts(0, 0)
    new = result.new + reconcile_arrivals(installation)
    received = len(process_inbox(installation, progress=print_progress)) if drain else 0
    if json:
        print_json({"new": new, "messages": result.messages, "left": result.remaining, "received": received})
    else:
        print_text(f"{new} new objects" + (f", {received} received" if drain else ""))
    if problem is not None:
        raise problem


def _print_dead_letters(letters: dict[str, Any] | None) -> None:
    if letters is None:
        return
    print_text(f"{letters['messages']} dead letters")
    for reason in sorted(set(letters["reasons"])):
        print_text(one_line(f"  {letters['reasons'].count(reason)} of those read: {reason}"))
