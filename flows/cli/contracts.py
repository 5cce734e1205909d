"""Commands on contracts: list, show, new."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.printing.open_answers import print_open_answers
from flows.cli.terminal import (
    FOUND_PROBLEMS,
    JsonOption,
    app,
    one_line,
    open_here,
    plain_text,
    print_alarm,
    print_fitted_table,
    print_json,
    print_table,
    print_text,
)

if TYPE_CHECKING:
    from flows.onboarding.contract_diff import FileDifference
    from schemas.contract import Contract

contracts_app = typer.Typer(help="List, show and start contracts.", invoke_without_command=True)
app.add_typer(contracts_app, name="contracts")


@contracts_app.callback()
def contracts_command(context: typer.Context, *, json: JsonOption = False) -> None:
    """List the contracts (without a subcommand)."""
    if context.invoked_subcommand is None:
        list_contracts_command(json=json)


@contracts_app.command("list")
def list_contracts_command(*, json: JsonOption = False) -> None:
    """List the contracts: agency, rhythm, format, what each reports, which options its deliveries need."""
    installation = open_here()
    rows = [
        {
            "contract": c.contract, "version": c.version, "agency": c.agency, "title": c.title.en, "rhythm": c.rhythm,
            "format": c.format.type, "says": _content(c),
            "options": " ".join(f"--{o}" for o in c.options()),
        }
        for c in installation.contracts.values()
    ]  # fmt: skip
    broken = [{"contract": name, "problem": why} for name, why in installation.broken_contracts.items()]
    if json:
        print_json([*rows, *broken])
    else:
        print_fitted_table(rows)
        for each in broken:
            print_alarm(f"contract {each['contract']} cannot be used: {each['problem']}")
    if broken:
        raise typer.Exit(FOUND_PROBLEMS)


@contracts_app.command("show")
def show_contract_command(contract: str, *, json: JsonOption = False) -> None:
    """Show one contract: what every column becomes, what is ignored, which rules apply."""
    found: Contract = open_here().contract(contract)
    if json:
        print_json(found.model_dump(mode="json", by_alias=True))
        return
    print_text(f"{found.contract} version {found.version}, digest {found.digest()}")
    print_text(f"{found.title.nb} | {found.title.nn} | {found.title.en}")
    basis, hours = found.known_legal_basis() or "legal basis unknown", found.known_hours() or "unknown"
    print_text(f"{found.agency}; {basis}; {found.rhythm}; hours per report: {hours}\n")
    uses = _column_uses(found)
    rows = [{"column": c, "use": use} for c, use in uses.items()]
    rows += [{"column": c, "use": "identity or rule"} for c in found.columns() if c not in uses]
    print_table(rows + [{"column": c, "use": "ignored"} for c in found.ignored_columns()])
    print_text("")
    rules = [{"rule": r.id, "check": r.check, "severity": r.severity} for r in found.rules]
    print_table(rules, ["rule", "check", "severity"])


def _content(contract: "Contract") -> str:
    """Return the concepts that a contract reports, or its record kind."""
    if contract.record is not None:
        return f"records: {contract.record.kind}"
    return ", ".join(sorted({claim.concept for claim in contract.claims}))


def _column_uses(contract: "Contract") -> dict[str, str]:
    """Return what each column that becomes a claim, or a field of a record, is used for."""
    if contract.record is None:
        columns = dict.fromkeys(x.column for x in contract.claims)
        return {c: "claim of " + ", ".join(x.concept for x in contract.claims if x.column == c) for c in columns}
    kind, fields = contract.record.kind, contract.record.fields
    columns = dict.fromkeys(column for source in fields.values() for column in source.source_columns())
    return {c: f"{kind}: " + ", ".join(name for name, s in fields.items() if c in s.source_columns()) for c in columns}


@contracts_app.command("test")
def run_examples_command(
    contracts: Annotated[list[str] | None, typer.Argument(help="Contracts to test; by default all.")] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Read the examples of contracts, compare with what they must give, and list what a draft still lacks.

    Exit code 1 if an example differs.
    """
    from flows.contracts.example_tests import read_contract_examples
    from flows.contracts.open_answers import open_answers_of

    installation = open_here()
    names = contracts or sorted(installation.contracts)
    results = [r for name in names for r in read_contract_examples(installation, installation.contract(name))]
    broken = {} if contracts else installation.broken_contracts
    answers = open_answers_of(installation, names)
    if json:
        print_json({"examples": [asdict(result) for result in results], "broken": broken, "open_answers": answers})
    else:
        _print_tested(names, results, broken, answers)
    if broken or any(result.problems for result in results):
        raise typer.Exit(FOUND_PROBLEMS)


def _print_tested(names: list[str], results: list[Any], broken: dict[str, str], answers: dict[str, Any]) -> None:
    """Print what came of the examples of contracts, and which answers these lack."""
    _print_examples(names, results, broken)
    for name, found in answers.items():
        print_open_answers(name, found)


def _print_examples(names: list[str], results: list[Any], broken: dict[str, str]) -> None:
    """Print the examples that differ and how, contracts that are wrong, and those without a test."""
    failed = [result for result in results if result.problems]
    for result in failed:
        print_text(one_line(f"{result.contract}: {result.example}"))
        for problem in result.problems:
            print_alarm(one_line(f"  {problem}"))
    for name, why in broken.items():
        print_alarm(f"contract {name} cannot be used: {why}")
    tested = {result.contract for result in results}
    for name in (each for each in names if each not in tested):
        print_text(f"{name}: no example expects anything: state the claims or records that its rows must give")
    print_text(f"{len(results)} examples of {len(tested)} contracts, {len(failed)} fail")


@contracts_app.command("diff")
def diff_contracts_command(
    old: Annotated[str, typer.Argument(help="A contract's name, or its file.")],
    new: Annotated[str, typer.Argument(help="The changed contract: its name, or its file.")],
    files: Annotated[list[Path] | None, typer.Argument(help="Deliveries; by default the contracts' examples.")] = None,
    sender: Annotated[str | None, typer.Option("--sender", "-s", help="Who delivers the files.")] = None,
    period: Annotated[str | None, typer.Option("--period", "-p", help="Their period, if they do not state it.")] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Show what a changed contract would read otherwise; nothing is stored. Exit code 1 if anything differs."""
    from flows.onboarding.contract_diff import DiffOptions, diff_contracts

    found = diff_contracts(open_here(), old, new, files or [], DiffOptions(sender, period))
    if json:
        print_json([asdict(each) for each in found])
    else:
        _print_differences(found)
    if any(each.differs for each in found):
        raise typer.Exit(FOUND_PROBLEMS)


def _print_differences(found: "list[FileDifference]") -> None:
    rows = [
        {"file": each.file, **each.counts, "rejected": _pair(*each.rejected), "ignored": _pair(*each.ignored)}
        for each in found
    ]
    print_table(rows)
    for each in found:
        for side, problem in zip(("old", "new"), each.problems, strict=True):
            if problem:
                print_text(one_line(f"{each.file}: {side}: {problem}"))
        for change in each.changes:
            place = f"row {change['row']}" + (f" column {change['column']}" if change["column"] else "")
            values = ", ".join(f"{n} {plain_text(a)!r} -> {plain_text(b)!r}" for n, (a, b) in change["fields"].items())
            what = values if change["change"] == "changed" else change["change"].replace("_", " ")
            print_text(one_line(f"{each.file}: {place}: {what}"))


def _pair(old: int, new: int) -> str:
    """Return the count of both readings, or the one that they share."""
    return str(old) if old == new else f"{old} -> {new}"


def _write_described(
    contract: str, description: Path, to: Path | None, kind: str | None, delivery: Path | None
) -> None:
    """Write a contract from the description of a record, and name the files that were written."""
    from flows.onboarding.described import write_described_contract

    written = write_described_contract(open_here(), contract, description, to=to, kind=kind, delivery=delivery)
    print_text(written.file)
    if written.kind_file is not None:
        print_text(f"{written.kind_file}: {', '.join(written.added) or 'no new field'}")
    print_text(f"\nlook at it, then: engang check {delivery or 'FILE'} -c {contract}")


@contracts_app.command("new")
def new_contract_command(
    contract: str,
    *,
    file: Annotated[Path | None, typer.Option("--from", help="A delivery to draft it from, of any format.")] = None,
    like: Annotated[str | None, typer.Option(help="A contract to follow where the file has the same columns.")] = None,
    kind: Annotated[str | None, typer.Option(help="The record kind of its rows; by default they hold figures.")] = None,
    unit_column: Annotated[str | None, typer.Option(help="The column that names the reporting unit.")] = None,
    period_column: Annotated[str | None, typer.Option(help="The column that holds the period.")] = None,
    description: Annotated[
        Path | None,
        typer.Option("--from-klass", help="A published description of a record of fixed width (YAML), as of KOSTRA."),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Folder; by default the folder of contracts.")] = None,
    json: JsonOption = False,
) -> None:
    """Draft a contract from a file, each guess with its evidence; without a file, write one to fill in."""
    from flows.onboarding.contract_template import write_template

    if description is not None:
        from schemas.errors import UsageError

        if like or unit_column or period_column:
            raise UsageError("--from-klass describes the columns: --like, --unit-column and --period-column do not")
        _write_described(contract, description, to, kind, file)
        return
    if file is None:
        print_text(write_template(contract, to))
        return
    from flows.onboarding.contract_draft import draft_from_file, draft_options

    options = draft_options(to=to, like=like, kind=kind, unit_column=unit_column, period_column=period_column)
    fields = draft_from_file(open_here(), contract, file, options).as_dict()
    if json:
        print_json(fields)
    else:
        _print_draft(contract, file, fields)


def _print_draft(contract: str, file: Path, fields: dict[str, Any]) -> None:
    print_text(f"{fields['file']}: drafted from {fields['rows']} rows of {file.name}")
    if fields["kind"]:
        print_text(f"{fields['kind']}: the file has no figures, so a record kind was drafted with it")
    print_fitted_table([{"key": key, "evidence": each} for key, found in fields["evidence"].items() for each in found])
    print_open_answers(contract, fields["open_answers"])
    stated = "".join(f" --{option} ..." for option in fields["options"])
    print_text(f"\nlook at each guess, then: engang check {file} -c {contract}{stated}")
