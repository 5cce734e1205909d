"""Commands for delivering: demo, check, submit, withdraw, rejects, units."""

import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.printing.open_answers import print_open_answers
from flows.cli.printing.receipts import (
    MAX_RECEIPTS_PRINTED,
    print_check,
    print_faults,
    print_receipts,
    print_rejects,
)
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
    from collections.abc import Iterable

    from flows.installation import Installation
    from flows.intake.receipt import Receipt
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
    from flows.contracts.open_answers import locate_open_answers
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
    receipts = _received(receive(installation, found))
    rules = installation.contract(contract)
    answers = tuple(locate_open_answers(installation, rules))
    over = _of_refused(refused, contract, sender or rules.sender.default or "", period)
    receipts = [replace(r, open_answers=answers) for r in (*_compared(installation, receipts), *over)]
    if json:
        print_json([asdict(r) for r in receipts])
    else:
        print_receipts(receipts)
        print_faults(installation, receipts)
        print_open_answers(contract, answers)
        print_page(installation, "obligations", rules.obligation, None)
    if any(r.has_problems for r in receipts):
        raise typer.Exit(FOUND_PROBLEMS)


def _received(batches: "Iterable[list[Receipt]]") -> "list[Receipt]":
    """Return the receipts of all batches; print how many there are after each."""
    receipts: list[Receipt] = []
    for batch in batches:
        receipts += batch
        print_progress(f"registered {len(receipts)} files")
    return receipts


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
    """Print the receipt that a delivery would get, and store nothing.

    Exit code 1 if anything would be rejected. What a draft leaves open to a person is listed.
    """
    from flows.intake.deliveries import deliveries_from_paths
    from flows.intake.isolation import start_reader
    from flows.intake.receipt import as_checked
    from flows.intake.registration import check_delivery

    start_reader()  # it loads its modules while this process opens the installation
    installation = open_here()
    results = []
    for delivery in deliveries_from_paths(installation, [file], contract, sender=sender, period=period):
        receipt, rejects = check_delivery(installation, delivery)
        results.append(as_checked(receipt, rejects.to_dicts()))
        if not json:
            print_check(receipt)
            print_rejects(rejects.to_dicts(), every=every)
    if json:
        print_json(results)
    elif results:
        print_open_answers(contract, results[0]["open_answers"])
    if any(r["rejected"] or r["status"] in {"rejected", "parked"} for r in results):
        raise typer.Exit(FOUND_PROBLEMS)


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
