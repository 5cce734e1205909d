"""Commands for delivering: demo, check, submit, withdraw, rejects, units."""

import shutil
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.terminal import (
    FOUND_PROBLEMS,
    JsonOption,
    WhoOption,
    app,
    one_line,
    open_here,
    print_json,
    print_page,
    print_progress,
    print_table,
    print_text,
)

if TYPE_CHECKING:
    from flows.installation import Installation
    from flows.intake.receipt import Receipt, RejectGroup
    from flows.release.erase import Erasure
    from schemas.errors import OverLimitError

FilesArgument = Annotated[list[Path], typer.Argument(help="Files, folders or archives (zip, tar, tar.gz, tar.xz).")]
ContractOption = Annotated[
    str, typer.Option("--contract", "-c", help="The contract that the files follow: `engang contracts` lists them.")
]
SenderOption = Annotated[
    str | None, typer.Option("--sender", "-s", help="Who delivers; by default the contract's default sender.")
]
AsOfOption = Annotated[
    str | None,
    typer.Option(help="Day or time as of which the files hold, by default now; the sender's newest statement counts."),
]
PeriodOption = Annotated[
    str | None, typer.Option("--period", "-p", help="The period, where the files do not contain it.")
]
AllOption = Annotated[bool, typer.Option("--all", help="List every row, not each fault once.")]
MAX_RECEIPTS_PRINTED = 20
MAX_GROUPS_PRINTED = 25
GROUPS_OF_A_RECEIPT = 5
"""Faults that `submit` names of each file."""
GROUP_COLUMNS = ("severity", "count", "column", "reason", "found", "rows", "expected", "hint")
REJECT_COLUMNS = ("severity", "row", "column", "reason", "found", "expected", "hint")


@app.command("demo")
def demo_command(seed: Annotated[int, typer.Option(help="Which invented month to make.")] = 1) -> None:
    """Make a month of invented deliveries, submit them, publish a release and print what was found."""
    from flows.demo.run import run_demo

    program = "engang" if shutil.which("engang") else sys.argv[0]  # run as .venv/bin/engang, it is not on the path
    run_demo(open_here(), seed=seed, echo=print_text, program=program)


@app.command("submit")
def submit_command(
    files: FilesArgument,
    contract: ContractOption,
    sender: SenderOption = None,
    period: PeriodOption = None,
    *,
    as_of: AsOfOption = None,
    replaces: Annotated[
        str | None, typer.Option(help="The submission of the same sender and contract that the file replaces.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Deliver files: store them, read them by their contract, register their claims, print a receipt for each.

    Delivering the same file again changes nothing. A file over a limit of size is refused, the others are received.
    Exit code 1 if anything was rejected, parked or refused.
    """
    from flows.intake.deliveries import deliveries_from_paths
    from flows.intake.isolation import start_reader
    from flows.intake.registration import receive
    from flows.intake.statements import state

    start_reader()  # it loads its modules while this process opens the installation
    installation = open_here()
    refused: list[OverLimitError] = []
    found = deliveries_from_paths(installation, files, contract, sender=sender, period=period, refused=refused)
    if as_of or replaces:
        found = state(installation, found, as_of=as_of, replaces=replaces)
    receipts: list[Receipt] = []
    for batch in receive(installation, found):
        receipts += batch
        print_progress(f"registered {len(receipts)} files")
    speaker = sender or installation.contract(contract).sender.default or ""
    receipts = _compared(installation, receipts) + _of_refused(refused, contract, speaker, period)
    if json:
        print_json([asdict(r) for r in receipts])
    else:
        _print_receipts(receipts)
        _print_faults(installation, receipts)
        print_page(installation, "obligations", installation.contract(contract).obligation, None)
    if any(r.has_problems for r in receipts):
        raise typer.Exit(FOUND_PROBLEMS)


def _compared(installation: "Installation", receipts: "list[Receipt]") -> "list[Receipt]":
    """Return the receipts with what each changes of earlier deliveries, if they are few enough to be printed."""
    from flows.intake.earlier import compare_registered

    if len(receipts) > MAX_RECEIPTS_PRINTED:
        return receipts
    return [
        replace(r, earlier=compare_registered(installation, r.submission_id))
        if r.status in {"registered", "restored"}
        else r
        for r in receipts
    ]


def _of_refused(refused: "list[OverLimitError]", contract: str, sender: str, period: str | None) -> "list[Receipt]":
    """Return the receipts of files that are over a limit of size."""
    from flows.intake.receipt import Receipt

    return [Receipt("", e.filename, contract, sender, period, "refused", problem=e.problem) for e in refused]


def _totals(receipts: "list[Receipt]") -> str:
    from schemas.claims import COUNT_COLUMNS

    totals = (f"{sum(getattr(r, name) for r in receipts)} {name}" for name in COUNT_COLUMNS)
    states = sorted(Counter(r.status for r in receipts).items())
    return f"{len(receipts)} files: {', '.join(f'{n} {status}' for status, n in states)}; {', '.join(totals)}"


def _print_receipts(receipts: "list[Receipt]", *, stored: bool = True) -> None:
    from schemas.claims import COUNT_COLUMNS

    if len(receipts) <= MAX_RECEIPTS_PRINTED:
        print_table([asdict(r) for r in receipts], ["submission_id", "filename", "status", *COUNT_COLUMNS])
    print_text(_totals(receipts))
    for receipt in [r for r in receipts if r.problem][:MAX_RECEIPTS_PRINTED]:
        print_text(one_line(f"{receipt.filename}: {receipt.problem}"))
    _print_earlier(receipts)
    if stored:
        _print_hints(receipts)


def _print_faults(installation: "Installation", receipts: "list[Receipt]") -> None:
    """Print the most frequent faults of each file of which rows were rejected, if the receipts are few."""
    from flows.intake.registration import list_rejects

    faulty = [r for r in receipts if r.submission_id and r.rejected]
    for receipt in faulty if len(receipts) <= MAX_RECEIPTS_PRINTED else ():
        print_text(one_line(f"{receipt.filename}: what was rejected, the most frequent first"))
        print_rejects(list_rejects(installation, receipt.submission_id).to_dicts(), every=False,
                      most=GROUPS_OF_A_RECEIPT)  # fmt: skip


def _print_hints(receipts: "list[Receipt]") -> None:
    """Print which commands list what was rejected or parked."""
    if any(r.rejected or r.status == "rejected" for r in receipts):
        print_text("`engang rejects SUBMISSION` lists what was rejected and why")
    if any(r.status == "parked" for r in receipts):
        print_text("`engang inbox` lists what is parked and why: `engang inbox retry` or `engang inbox dismiss`")


def _print_earlier(receipts: "list[Receipt]") -> None:
    """Print what each delivery changes of earlier ones."""
    for receipt in receipts:
        for sentence in receipt.earlier.sentences(receipt.sender) if receipt.earlier else ():
            print_text(one_line(f"{receipt.filename}: {sentence}"))


@app.command("check")
def check_command(
    file: Path,
    contract: ContractOption,
    sender: SenderOption = None,
    period: PeriodOption = None,
    *,
    every: AllOption = False,
    json: JsonOption = False,
) -> None:
    """Print the receipt that a delivery would get, and store nothing. Exit code 1 if anything would be rejected."""
    from flows.intake.deliveries import deliveries_from_paths
    from flows.intake.isolation import start_reader
    from flows.intake.registration import check_delivery

    start_reader()  # it loads its modules while this process opens the installation
    installation = open_here()
    results = []
    for delivery in deliveries_from_paths(installation, [file], contract, sender=sender, period=period):
        receipt, rejects = check_delivery(installation, delivery)
        results.append({**asdict(receipt), "rejects": rejects.to_dicts()})
        if not json:
            _print_receipts([receipt], stored=False)
            print_rejects(rejects.to_dicts(), every=every)
    if json:
        print_json(results)
    if any(r["rejected"] or r["status"] in {"rejected", "parked"} for r in results):
        raise typer.Exit(FOUND_PROBLEMS)


def print_rejects(rejects: "list[dict[str, Any]]", *, every: bool, most: int = MAX_GROUPS_PRINTED) -> None:
    """Print rejects: the same fault once, with its count and first rows, or with `every` each row."""
    from flows.intake.receipt import group_rejects

    if every:
        print_table(rejects, REJECT_COLUMNS)
        return
    groups = group_rejects(rejects)
    rows = [{**group.reject, "rows": _rows_of(group), "count": group.count} for group in groups[:most]]
    if rows:
        print_table(rows, GROUP_COLUMNS)
    if len(groups) > most:
        count = sum(group.count for group in groups[most:])
        print_text(f"and {count} more, of {len(groups) - most} other faults: --all lists every row")


def _rows_of(group: "RejectGroup") -> str:
    """Return the first rows of a group of rejects."""
    return ", ".join(map(str, group.rows)) + (" ..." if 0 < len(group.rows) < group.count else "")


@app.command("rejects")
def rejects_command(submission: str, *, every: AllOption = False, json: JsonOption = False) -> None:
    """List the rejects and warnings of a submission, the same fault together: what was found, expected, what to do."""
    from flows.intake.registration import list_rejects

    rows = list_rejects(open_here(), submission).to_dicts()
    if json:
        print_json(rows)
    elif rows:
        print_rejects(rows, every=every)
    else:
        print_text("nothing was rejected")


@app.command("withdraw")
def withdraw_command(submission: str, *, json: JsonOption = False) -> None:
    """Withdraw a submission: the next nightly publishes as if it had never been delivered."""
    from flows.intake.registration import withdraw

    changed = withdraw(open_here(), submission)
    if json:
        print_json({"submission_id": submission, "withdrawn": True, "changed": changed})
    else:
        print_text("withdrawn; `engang nightly` publishes without it" if changed else "already withdrawn")


@app.command("erase")
def erase_command(
    submission: str,
    why: Annotated[str, typer.Option("--why", help="Why it is erased: recorded for good.")],
    who: WhoOption = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Erase it; without this only show what would be erased.")] = False,
    json: JsonOption = False,
) -> None:
    """Erase a submission from landing zone, ledger, lake, exports and site, and publish without it; not to be undone.

    Its bytes are refused when they arrive again. Older releases cannot be read any more.
    """
    from flows.release.erase import erase, plan_erasure
    from flows.site.build import write_site

    installation = open_here()
    if yes:
        done = erase(installation, submission, why=why, who=who, progress=print_progress)
        if done.sites and done.release is not None:
            write_site(installation, progress=print_progress)
    else:
        done = plan_erasure(installation, submission)
    if json:
        print_json({**asdict(done), "erased": yes})
        return
    _print_erasure(done, removed=" removed" if yes else "")
    if yes:
        print_text(
            f"erased; release {done.release} is without it" if done.release else "erased; nothing is released yet"
        )
    else:
        print_text("nothing was changed: give --yes to erase it")


def _print_erasure(done: "Erasure", removed: str) -> None:
    print_table([done.submission])
    for what, ids in (("the same bytes stay, as submission", done.same_bytes), ("counts instead", done.same_content)):
        for each in ids:
            print_text(f"{what}: {each}")
    for each in done.arrivals:
        print_text(one_line(f"the sender may still have it in the arrivals: {each}"))
    for each in (*done.exports, *done.packages, *done.sites):
        print_text(one_line(f"export{removed}: {each}"))


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
        print_text("every unit is in a register")
