"""Commands for delivering: demo, check, submit, withdraw, rejects, units."""

import shutil
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.terminal import (
    FOUND_PROBLEMS,
    JsonOption,
    app,
    one_line,
    open_here,
    print_json,
    print_progress,
    print_table,
)

if TYPE_CHECKING:
    from flows.intake.receipt import Receipt

FilesArgument = Annotated[list[Path], typer.Argument(help="Files, folders or archives (zip, tar, tar.gz, tar.xz).")]
ContractOption = Annotated[
    str, typer.Option("--contract", "-c", help="The contract that the files follow: `engang contracts` lists them.")
]
SenderOption = Annotated[
    str | None, typer.Option("--sender", "-s", help="Who delivers; by default the contract's default sender.")
]
PeriodOption = Annotated[
    str | None, typer.Option("--period", "-p", help="The period, where the files do not contain it.")
]
MAX_RECEIPTS_PRINTED = 20
REJECT_COLUMNS = ("severity", "row", "column", "reason", "found", "expected", "hint")


@app.command("demo")
def demo_command(seed: Annotated[int, typer.Option(help="Which invented month to make.")] = 1) -> None:
    """Make a month of invented deliveries, submit them, publish a release and print what was found."""
    from flows.demo.run import run_demo

    program = "engang" if shutil.which("engang") else sys.argv[0]  # run as .venv/bin/engang, it is not on the path
    run_demo(open_here(), seed=seed, echo=typer.echo, program=program)


@app.command("submit")
def submit_command(
    files: FilesArgument,
    contract: ContractOption,
    sender: SenderOption = None,
    period: PeriodOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Deliver files: store them, read them by their contract, register their claims, print a receipt for each.

    Delivering the same file again changes nothing. Exit code 1 if anything was rejected.
    """
    from flows.intake.deliveries import deliveries_from_paths
    from flows.intake.registration import receive

    installation = open_here()
    receipts: list[Receipt] = []
    for batch in receive(
        installation, deliveries_from_paths(installation, files, contract, sender=sender, period=period)
    ):
        receipts += batch
        print_progress(f"registered {len(receipts)} files")
    if json:
        print_json([asdict(r) for r in receipts])
    else:
        _print_receipts(receipts)
    if any(r.rejected or r.status == "rejected" for r in receipts):
        raise typer.Exit(FOUND_PROBLEMS)


def _totals(receipts: "list[Receipt]") -> str:
    from schemas.claims import COUNT_COLUMNS

    totals = (f"{sum(getattr(r, name) for r in receipts)} {name}" for name in COUNT_COLUMNS)
    states = sorted(Counter(r.status for r in receipts).items())
    return f"{len(receipts)} files: {', '.join(f'{n} {status}' for status, n in states)}; {', '.join(totals)}"


def _print_receipts(receipts: "list[Receipt]", *, stored: bool = True) -> None:
    from schemas.claims import COUNT_COLUMNS

    if len(receipts) <= MAX_RECEIPTS_PRINTED:
        print_table([asdict(r) for r in receipts], ["submission_id", "filename", "status", *COUNT_COLUMNS])
    typer.echo(_totals(receipts))
    for receipt in [r for r in receipts if r.problem][:MAX_RECEIPTS_PRINTED]:
        typer.echo(one_line(f"{receipt.filename}: {receipt.problem}"))
    if stored and any(r.rejected or r.status == "rejected" for r in receipts):
        typer.echo("`engang rejects SUBMISSION` lists what was rejected and why")


@app.command("check")
def check_command(
    file: Path,
    contract: ContractOption,
    sender: SenderOption = None,
    period: PeriodOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Print the receipt that a delivery would get, and store nothing. Exit code 1 if anything would be rejected."""
    from flows.intake.deliveries import deliveries_from_paths
    from flows.intake.registration import check_delivery

    installation = open_here()
    results = []
    for delivery in deliveries_from_paths(installation, [file], contract, sender=sender, period=period):
        receipt, rejects = check_delivery(installation, delivery)
        results.append({**asdict(receipt), "rejects": rejects.to_dicts()})
        if not json:
            _print_receipts([receipt], stored=False)
            print_table(rejects.to_dicts(), REJECT_COLUMNS)
    if json:
        print_json(results)
    if any(r["rejected"] or r["status"] == "rejected" for r in results):
        raise typer.Exit(FOUND_PROBLEMS)


@app.command("rejects")
def rejects_command(submission: str, *, json: JsonOption = False) -> None:
    """List the rejects and warnings of a submission: row, column, what was found, what was expected, what to do."""
    from flows.intake.registration import list_rejects

    rows = list_rejects(open_here(), submission).to_dicts()
    if json:
        print_json(rows)
    elif rows:
        print_table(rows, REJECT_COLUMNS)
    else:
        typer.echo("nothing was rejected")


@app.command("withdraw")
def withdraw_command(submission: str, *, json: JsonOption = False) -> None:
    """Withdraw a submission: the next nightly publishes as if it had never been delivered."""
    from flows.intake.registration import withdraw

    changed = withdraw(open_here(), submission)
    if json:
        print_json({"submission_id": submission, "withdrawn": True, "changed": changed})
    else:
        typer.echo("withdrawn; `engang nightly` publishes without it" if changed else "already withdrawn")


@app.command("units")
def units_command(
    *,
    provisional: Annotated[bool, typer.Option("--provisional", help="Only units that are in no register.")] = False,
    json: JsonOption = False,
) -> None:
    """List reporting units; --provisional lists those in no register, for you to resolve."""
    from flows.releases import list_provisional_units, list_registered_units

    installation = open_here()
    units = list_provisional_units(installation) if provisional else list_registered_units(installation)
    if json:
        print_json(units.to_dicts())
    elif units.height:
        print_table(units.to_dicts())
    else:
        typer.echo("every unit is in a register")
