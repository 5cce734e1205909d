"""Commands on contracts: list, show, new."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.terminal import Json, app, echo_json, open_here, show

if TYPE_CHECKING:
    from schemas.contract import Contract

contracts = typer.Typer(help="List, show and start contracts.", invoke_without_command=True)
app.add_typer(contracts, name="contracts")


@contracts.callback()
def listing(context: typer.Context, *, json: Json = False) -> None:
    """List the contracts (without a subcommand)."""
    if context.invoked_subcommand is None:
        list_contracts(json=json)


@contracts.command("list")
def list_contracts(*, json: Json = False) -> None:
    """List the contracts: what is delivered under each, by whom, how often."""
    found = [
        {
            "contract": c.contract, "version": c.version, "agency": c.agency, "title": c.title.en, "rhythm": c.rhythm,
            "format": c.format.type, "says": _says(c),
            "options": " ".join(f"--{o}" for o in c.options()),
        }
        for c in open_here().contracts.values()
    ]  # fmt: skip
    if json:
        echo_json(found)
    else:
        show(found)


@contracts.command("show")
def show_contract(contract: str, *, json: Json = False) -> None:
    """Show one contract: what every column becomes, what is ignored, which rules hold."""
    told = open_here().contract(contract)
    if json:
        echo_json(told.model_dump(mode="json"))
        return
    typer.echo(f"{told.contract} version {told.version}, digest {told.digest()}")
    typer.echo(f"{told.title.nb} | {told.title.nn} | {told.title.en}")
    typer.echo(f"{told.agency}; {told.legal_basis}; {told.rhythm}; hours per report: {told.hours_per_report}\n")
    uses = _uses(told)
    rows = [{"column": c, "use": use} for c, use in uses.items()]
    rows += [{"column": c, "use": "identity or rule"} for c in told.columns() if c not in uses]
    show(rows + [{"column": c, "use": "ignored"} for c in told.ignore])
    typer.echo("")
    show([{"rule": r.id, "check": r.check, "severity": r.severity} for r in told.rules], ["rule", "check", "severity"])


def _says(told: "Contract") -> str:
    if told.record is not None:
        return f"records: {told.record.kind}"
    return ", ".join(sorted({claim.concept for claim in told.claims}))


def _uses(told: "Contract") -> dict[str, str]:
    """Return what the columns are used for that become claims, or fields of a record."""
    if told.record is None:
        claimed = dict.fromkeys(x.column for x in told.claims)
        return {c: "claim of " + ", ".join(x.concept for x in told.claims if x.column == c) for c in claimed}
    fields = told.record.fields
    named = dict.fromkeys(column for take in fields.values() for column in take.named())
    kind = told.record.kind
    return {c: f"{kind}: " + ", ".join(name for name, take in fields.items() if c in take.named()) for c in named}


@contracts.command("new")
def new_contract(
    contract: str,
    *,
    example: Annotated[Path | None, typer.Option("--from", help="A CSV delivery to take the columns from.")] = None,
    to: Annotated[Path | None, typer.Option(help="Folder; by default that of the contracts.")] = None,
) -> None:
    """Start a contract: write a YAML file with every key explained, to fill in."""
    from flows.cli.contract_template import write_contract
    from infra.settings import read_settings

    typer.echo(write_contract(contract, example, to or read_settings().contracts))
