"""Commands on contracts: list, show, new."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.terminal import JsonOption, app, open_here, print_json, print_table, print_text

if TYPE_CHECKING:
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
    rows = [
        {
            "contract": c.contract, "version": c.version, "agency": c.agency, "title": c.title.en, "rhythm": c.rhythm,
            "format": c.format.type, "says": _content(c),
            "options": " ".join(f"--{o}" for o in c.options()),
        }
        for c in open_here().contracts.values()
    ]  # fmt: skip
    if json:
        print_json(rows)
    else:
        print_table(rows)


@contracts_app.command("show")
def show_contract_command(contract: str, *, json: JsonOption = False) -> None:
    """Show one contract: what every column becomes, what is ignored, which rules apply."""
    found: Contract = open_here().contract(contract)
    if json:
        print_json(found.model_dump(mode="json"))
        return
    print_text(f"{found.contract} version {found.version}, digest {found.digest()}")
    print_text(f"{found.title.nb} | {found.title.nn} | {found.title.en}")
    print_text(f"{found.agency}; {found.legal_basis}; {found.rhythm}; hours per report: {found.hours_per_report}\n")
    uses = _column_uses(found)
    rows = [{"column": c, "use": use} for c, use in uses.items()]
    rows += [{"column": c, "use": "identity or rule"} for c in found.columns() if c not in uses]
    print_table(rows + [{"column": c, "use": "ignored"} for c in found.ignore])
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


@contracts_app.command("new")
def new_contract_command(
    contract: str,
    *,
    example: Annotated[Path | None, typer.Option("--from", help="A CSV delivery to copy the columns from.")] = None,
    to: Annotated[Path | None, typer.Option(help="Folder; by default the folder of contracts.")] = None,
) -> None:
    """Start a contract: write a YAML file with every key explained, to fill in."""
    from flows.cli.contract_template import write_contract
    from flows.installation import contracts_folder

    print_text(write_contract(contract, example, to or contracts_folder()))
