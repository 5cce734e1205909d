"""Commands for reading old submissions again: backfill, backfills."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.terminal import (
    JsonOption,
    app,
    open_here,
    print_json,
    print_list,
    print_progress,
    print_table,
    print_text,
)
from schemas.errors import UsageError

if TYPE_CHECKING:
    from flows.backfill.publish import BackfillOutcome
    from flows.backfill.reread import BackfillRequest
    from flows.installation import Installation

DAY_FORMATS = ["%Y-%m-%d"]

backfills_app = typer.Typer(help="List and discard backfills.", invoke_without_command=True)
app.add_typer(backfills_app, name="backfills")


class DayMeaning(StrEnum):
    """What `--from` and `--to` select submissions by."""

    RECEIVED = "received"
    PERIOD = "period"


ContractsOption = Annotated[
    str | None, typer.Option("--contract", "-c", help="The contract whose submissions to read again.")
]
FirstDayOption = Annotated[datetime | None, typer.Option("--from", formats=DAY_FORMATS, help="Only from this day on.")]
LastDayOption = Annotated[
    datetime | None, typer.Option("--to", formats=DAY_FORMATS, help="Only up to and including this day.")
]


@app.command("backfill")
def backfill_command(
    *,
    contract: ContractsOption = None,
    sender: Annotated[str | None, typer.Option(help="Only submissions of this sender.")] = None,
    since: FirstDayOption = None,
    until: LastDayOption = None,
    by: Annotated[
        DayMeaning, typer.Option(help="Whether the days are days of receipt or months that the claims are about.")
    ] = DayMeaning.RECEIVED,
    submission: Annotated[list[str] | None, typer.Option(help="Only this submission; may be repeated.")] = None,
    rules: Annotated[
        Path | None, typer.Option(help="File of a new version of the contract; by default the version in force.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Match model to put in force for the contract's kind.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would change; publish nothing.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the newest unfinished backfill.")] = False,
    number: Annotated[int | None, typer.Option("--id", help="Continue this backfill.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Publish without asking.")] = False,
    json: JsonOption = False,
) -> None:
    """Read old submissions again by another version of their contract, and publish what that changes."""
    from flows.backfill.reread import BackfillRequest, find_unfinished

    installation = open_here()
    if resume or number is not None:
        found = find_unfinished(installation, number)["id"]
        _continue(installation, found, dry_run=dry_run, yes=yes, json=json)
        return
    if contract is None:
        raise UsageError("name the contract to read again with --contract, or continue a backfill with --resume")
    first, last = (day.date() if day else None for day in (since, until))
    request = BackfillRequest(contract, sender, first, last, by.value, tuple(submission or ()), rules, model)
    started = _start(installation, request, json=json)
    if started is not None:
        _continue(installation, started, dry_run=dry_run, yes=yes, json=json)


def _start(installation: "Installation", request: "BackfillRequest", *, json: bool) -> int | None:
    """Start a backfill, or find the one that the same request started; return its number, None if nothing is to do."""
    from flows.backfill.reread import start_backfill

    started = start_backfill(installation, request)
    for reason, count in started.left_out.items():
        print_progress(f"left out: {count} submissions, {reason}")
    if started.number is None:
        _print_nothing(started.left_out, json=json)
        return None
    verb = "continued" if started.resumed else "started"
    print_progress(f"backfill {started.number} {verb}: {started.submissions} submissions to read again")
    return started.number


def _print_nothing(left_out: dict[str, int], *, json: bool) -> None:
    if json:
        print_json({"backfill": None, "left_out": left_out})
    else:
        print_text("nothing to read again")


def _continue(installation: "Installation", number: int, *, dry_run: bool, yes: bool, json: bool) -> None:
    """Try a backfill, or publish it; without `--yes`, print what it changes and ask before publishing."""
    from flows.backfill.publish import finish_backfill, try_backfill
    from flows.pipeline import export_night

    if dry_run or not yes:
        trial = try_backfill(installation, number, print_progress)
        if dry_run or not json:
            print_outcome(trial, json=json)
    if dry_run:
        print_progress(f"publish it: engang backfill --id {number}")
        return
    if not yes and not typer.confirm("Publish this?", err=True):
        print_progress(f"nothing was published; publish it later: engang backfill --id {number}")
        raise typer.Exit(1)
    outcome = finish_backfill(installation, number, print_progress)
    if outcome.night is not None:
        export_night(installation, outcome.night, "auto", print_progress)
    print_outcome(outcome, json=json)


def print_outcome(outcome: "BackfillOutcome", *, json: bool) -> None:
    """Print what a backfill changed, or would change."""
    if json:
        print_json(outcome.as_dict())
        return
    diff = outcome.diff
    if outcome.night is None:
        print_text(f"backfill {outcome.number} would change release {outcome.release_before} as follows:")
    else:
        print_text(f"release {outcome.night.release} published by backfill {outcome.number}")
        print_text(_comparison(outcome))
    print_text(f"{diff['submissions']} submissions read again; all changes: {outcome.file}")
    if diff["left_out_since"]:
        print_text(f"{diff['left_out_since']} selected submissions are unchanged: withdrawn or read again since then")
    _print_changes(diff)


def _comparison(outcome: "BackfillOutcome") -> str:
    if outcome.as_tried:
        return "it changed exactly what its dry run found"
    return "no dry run on the release before it, so there is nothing to compare with"


def _print_changes(diff: dict[str, Any]) -> None:
    """Print the changes by contract and period, samples, counts before and after, and what the contract rejects."""
    if not diff["by"]:
        print_text("\nno item changes")
    else:
        print_text("")
        print_table(diff["by"])
        print_text("")
        print_table([{k: v for k, v in row.items() if k not in {"contract", "period"}} for row in diff["samples"]])
    # Items and rows differ: an item may come into conflict while no row does, since a row counts by its leading claim.
    for what, name in (("observations", "agreements"), ("rows, by their leading claim", "rows")):
        if diff.get(name):
            print_text("")
            print_table([{what: b, "before": n, "after": m} for b, (n, m) in diff[name].items()])
    rejects = [row for row in diff["rejects"] if row["before"] != row["after"]]
    if rejects:
        print_text("")
        print_table(rejects)


@backfills_app.callback()
def backfills_command(context: typer.Context, *, json: JsonOption = False) -> None:
    """List the backfills (without a subcommand)."""
    if context.invoked_subcommand is None:
        list_backfills_command(json=json)


@backfills_app.command("list")
def list_backfills_command(*, json: JsonOption = False) -> None:
    """List the backfills, oldest first: the request, the progress, the release published."""
    from flows.backfill.reread import list_backfills

    print_list(list_backfills(open_here()), _backfill_row, empty="no backfill yet", json=json)


def _backfill_row(backfill: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in backfill.items() if k not in {"asked", "diff", "contract_digest"}}


@backfills_app.command("discard")
def discard_backfill_command(number: Annotated[int, typer.Argument(help="The backfill's id.")]) -> None:
    """Give up a backfill that is not published: nothing of it ever counts."""
    from flows.backfill.reread import discard_backfill

    discard_backfill(open_here(), number)
    print_text(f"backfill {number} is discarded; the current release is unchanged")
