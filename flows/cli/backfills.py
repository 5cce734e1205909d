"""Commands of those who read old submissions anew: backfill, backfills."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.terminal import Json, app, echo_json, open_here, say, show
from schemas.errors import UsageError

if TYPE_CHECKING:
    from flows.backfill.publish import Outcome
    from flows.installation import Installation

DAY = ["%Y-%m-%d"]

backfills = typer.Typer(help="List and give up backfills.", invoke_without_command=True)
app.add_typer(backfills, name="backfills")


class By(StrEnum):
    """What days choose submissions by."""

    RECEIVED = "received"
    PERIOD = "period"


@app.command()
def backfill(  # noqa: PLR0913  the command's own options
    *,
    contract: Annotated[str | None, typer.Option("--contract", "-c", help="The contract to read by anew.")] = None,
    sender: Annotated[str | None, typer.Option(help="Only what this sender delivered.")] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", formats=DAY, help="Received on this day or later.")
    ] = None,
    until: Annotated[datetime | None, typer.Option("--to", formats=DAY, help="Received on this day or before.")] = None,
    by: Annotated[By, typer.Option(help="Days of receipt, or months that the claims speak of.")] = By.RECEIVED,
    submission: Annotated[list[str] | None, typer.Option(help="Only this submission; may be given often.")] = None,
    rules: Annotated[Path | None, typer.Option(help="File of a new version; by default the one in force.")] = None,
    model: Annotated[str | None, typer.Option(help="Match model to put in force for the contract's kind.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would change; publish nothing.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the newest that is unfinished.")] = False,
    number: Annotated[int | None, typer.Option("--id", help="Go on with this one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Publish without asking.")] = False,
    json: Json = False,
) -> None:
    """Read old submissions again by another version of their contract, and publish what that changes."""
    from flows.backfill.reread import Asked, start, unfinished

    installation = open_here()
    if resume or number is not None:
        found = unfinished(installation, number)["id"]
        _go_on(installation, found, dry_run=dry_run, yes=yes, json=json)
        return
    if contract is None:
        raise UsageError("say which contract to read by anew with --contract, or go on with --resume")
    first, last = (day.date() if day else None for day in (since, until))
    asked = Asked(contract, sender, first, last, by.value, tuple(submission or ()), rules, model)
    begun = start(installation, asked)
    for why, count in begun.left_out.items():
        say(f"left out: {count} submissions, {why}")
    if begun.number is None:
        _tell_nothing(begun.left_out, json=json)
        return
    what = "gone on with" if begun.again else "begun"
    say(f"backfill {begun.number} {what}: {begun.submissions} submissions to read again")
    _go_on(installation, begun.number, dry_run=dry_run, yes=yes, json=json)


def _tell_nothing(left_out: dict[str, int], *, json: bool) -> None:
    if json:
        echo_json({"backfill": None, "left_out": left_out})
    else:
        typer.echo("nothing to read again")


def _go_on(installation: "Installation", number: int, *, dry_run: bool, yes: bool, json: bool) -> None:
    """Try a backfill out, or publish it: what it changes is told, and asked about, before."""
    from flows.backfill.publish import finish, try_out
    from flows.pipeline import export_night

    if dry_run or not yes:
        tried = try_out(installation, number, say)
        if dry_run or not json:
            _tell(tried, json=json)
    if dry_run:
        say(f"publish it: engang backfill --id {number}")
        return
    if not yes and not typer.confirm("Publish this?", err=True):
        say(f"nothing was published; publish it later: engang backfill --id {number}")
        raise typer.Exit(1)
    done = finish(installation, number, say)
    if done.night is not None:
        export_night(installation, done.night, "auto", say)
    _tell(done, json=json)


def _tell(outcome: "Outcome", *, json: bool) -> None:
    if json:
        echo_json(outcome.as_dict())
        return
    told = outcome.diff
    if outcome.night is None:
        typer.echo(f"backfill {outcome.number} would change release {outcome.release_before} so:")
    else:
        typer.echo(f"release {outcome.night.release} published by backfill {outcome.number}")
        typer.echo(_as_tried(outcome))
    typer.echo(f"{told['submissions']} submissions read anew; every change: {outcome.file}")
    if told["left_out_since"]:
        typer.echo(f"{told['left_out_since']} chosen ones stay as they are: withdrawn or read otherwise meanwhile")
    _tell_changes(told)


def _as_tried(outcome: "Outcome") -> str:
    if outcome.as_tried:
        return "it changed exactly what its dry run found"
    return "it was not tried out on the release before it, so there is nothing to compare with"


def _tell_changes(told: dict[str, Any]) -> None:
    """Print what changes: by contract and period, samples, before and after, what the contract refuses."""
    if not told["by"]:
        typer.echo("\nno item changes")
    else:
        typer.echo("")
        show(told["by"])
        typer.echo("")
        show([{k: v for k, v in row.items() if k not in {"contract", "period"}} for row in told["samples"]])
    # Items first: one of them may come into conflict, and no row with it, since a row counts by its leading claim.
    for what, name in (("observations", "agreements"), ("rows, by their leading claim", "rows")):
        if told.get(name):
            typer.echo("")
            show([{what: b, "before": n, "after": m} for b, (n, m) in told[name].items()])
    rejects = [row for row in told["rejects"] if row["before"] != row["after"]]
    if rejects:
        typer.echo("")
        show(rejects)


@backfills.callback()
def listing(context: typer.Context, *, json: Json = False) -> None:
    """List the backfills (without a subcommand)."""
    if context.invoked_subcommand is None:
        list_backfills(json=json)


@backfills.command("list")
def list_backfills(*, json: Json = False) -> None:
    """List the backfills, oldest first: what was asked, how far each is, what it published."""
    from flows.backfill.reread import list_backfills as run

    found = run(open_here())
    if json:
        echo_json(found)
    elif not found:
        typer.echo("there is no backfill yet")
    else:
        show([{k: v for k, v in row.items() if k not in {"asked", "diff", "contract_digest"}} for row in found])


@backfills.command("discard")
def discard(number: Annotated[int, typer.Argument(help="The backfill's id.")]) -> None:
    """Give up a backfill that was not published: nothing of it ever counts."""
    from infra.ledger.backfills import discard as run

    run(open_here().engine, number)
    typer.echo(f"backfill {number} is discarded; the release stands as it is")
