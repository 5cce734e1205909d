"""Commands of those who deliver: demo, check, submit, withdraw, rejects, units."""

import shutil
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.terminal import FOUND_PROBLEMS, Json, app, echo_json, one_line, open_here, say, show
from schemas.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows.installation import Installation
    from flows.intake.receipt import Receipt
    from flows.intake.registration import Delivery

Files = Annotated[list[Path], typer.Argument(help="Files, folders or archives (zip, tar, tar.gz, tar.xz).")]
ContractId = Annotated[str, typer.Option("--contract", "-c", help="Which contract they follow: `engang contracts`.")]
SenderId = Annotated[str | None, typer.Option("--sender", "-s", help="Who delivers, if not the contract's default.")]
PeriodText = Annotated[str | None, typer.Option("--period", "-p", help="The period, where the files do not say it.")]
SHOWN_RECEIPTS = 20


@app.command()
def demo(seed: Annotated[int, typer.Option(help="Which invented month to make.")] = 1) -> None:
    """Make a month of invented deliveries, submit them, publish a release and tell what was found."""
    from flows.demo.run import run_demo

    program = "engang" if shutil.which("engang") else sys.argv[0]  # run as .venv/bin/engang, it is not on the path
    run_demo(open_here(), seed=seed, echo=typer.echo, program=program)


@app.command()
def submit(
    files: Files,
    contract: ContractId,
    sender: SenderId = None,
    period: PeriodText = None,
    *,
    json: Json = False,
) -> None:
    """Deliver files: keep them, read them by their contract, register their claims, print a receipt each.

    Delivering the same file again changes nothing. Exit code 1 if anything was rejected.
    """
    from flows.intake.registration import receive

    installation = open_here()
    receipts: list[Receipt] = []
    for batch in receive(installation, _deliveries(installation, files, contract, sender, period)):
        receipts += batch
        say(f"registered {len(receipts)} files")
    if json:
        echo_json([asdict(r) for r in receipts])
    else:
        _show_receipts(receipts)
    if any(r.rejected or r.status == "rejected" for r in receipts):
        raise typer.Exit(FOUND_PROBLEMS)


def _deliveries(
    installation: "Installation", paths: list[Path], contract: str, sender: str | None, period: str | None
) -> "Iterator[Delivery]":
    from flows.intake.archives import find
    from flows.intake.registration import deliver

    for path in paths:
        found = False
        for name, data in find(path, installation.settings):
            found = True
            yield deliver(installation, name, data, contract, sender=sender, period=period)
        if not found:
            raise UsageError(f"{path}: no file in it; hidden files are left out")


def _totals(receipts: "list[Receipt]", counted: tuple[str, ...]) -> str:
    totals = (f"{sum(getattr(r, name) for r in receipts)} {name}" for name in counted)
    states = sorted(Counter(r.status for r in receipts).items())
    return f"{len(receipts)} files: {', '.join(f'{n} {status}' for status, n in states)}; {', '.join(totals)}"


def _show_receipts(receipts: "list[Receipt]", *, stored: bool = True) -> None:
    counted = ("delivered", "claims", "rejected", "ignored", "warnings")
    if len(receipts) <= SHOWN_RECEIPTS:
        show([asdict(r) for r in receipts], ["submission_id", "filename", "status", *counted])
    typer.echo(_totals(receipts, counted))
    for receipt in [r for r in receipts if r.problem][:SHOWN_RECEIPTS]:
        typer.echo(one_line(f"{receipt.filename}: {receipt.problem}"))
    if stored and any(r.rejected or r.status == "rejected" for r in receipts):
        typer.echo("`engang rejects SUBMISSION` says what was rejected and why")


@app.command()
def check(
    file: Path, contract: ContractId, sender: SenderId = None, period: PeriodText = None, *, json: Json = False
) -> None:
    """Tell everything a delivery would be told, and store nothing. Exit code 1 if anything would be rejected."""
    from flows.intake.registration import check_delivery

    installation = open_here()
    told = []
    for delivery in _deliveries(installation, [file], contract, sender, period):
        receipt, rejects = check_delivery(installation, delivery)
        told.append({**asdict(receipt), "rejects": rejects.to_dicts()})
        if not json:
            _show_receipts([receipt], stored=False)
            show(rejects.to_dicts(), ["severity", "row", "column", "reason", "found", "expected", "hint"])
    if json:
        echo_json(told)
    if any(r["rejected"] or r["status"] == "rejected" for r in told):
        raise typer.Exit(FOUND_PROBLEMS)


@app.command()
def rejects(submission: str, *, json: Json = False) -> None:
    """List what was rejected or warned of in a submission: row, column, what was found, expected, what to do."""
    from flows.intake.registration import rejects_of

    found = rejects_of(open_here(), submission).to_dicts()
    if json:
        echo_json(found)
    elif found:
        show(found, ["severity", "row", "column", "reason", "found", "expected", "hint"])
    else:
        typer.echo("nothing was rejected")


@app.command()
def withdraw(submission: str, *, json: Json = False) -> None:
    """Withdraw a submission: from the next nightly on, the release is as if it had never come."""
    from flows.intake.registration import withdraw as withdraw_submission

    changed = withdraw_submission(open_here(), submission)
    if json:
        echo_json({"submission_id": submission, "withdrawn": True, "changed": changed})
    else:
        typer.echo("withdrawn; `engang nightly` publishes without it" if changed else "it was withdrawn before")


@app.command()
def units(
    *,
    provisional: Annotated[bool, typer.Option("--provisional", help="Only units known by name alone.")] = False,
    json: Json = False,
) -> None:
    """List reporting units; --provisional lists those in no register, for a person to resolve."""
    from flows.releases import provisional_units, registered_units

    installation = open_here()
    found = provisional_units(installation) if provisional else registered_units(installation)
    if json:
        echo_json(found.to_dicts())
    elif found.height:
        show(found.to_dicts())
    else:
        typer.echo("every unit is in a register")
