"""Commands of those who decide what is the same: decide, decisions."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.terminal import Json, app, echo_json, one_line, open_here, say, show

if TYPE_CHECKING:
    import polars as pl

decisions = typer.Typer(
    help="List, withdraw, export and import decisions on which reports are one item.", invoke_without_command=True
)
app.add_typer(decisions, name="decisions")

Report = Annotated[str, typer.Argument(help="Id of a report, or of an item: that of the report that founded it.")]
Why = Annotated[str, typer.Option("--why", help="The reason, for those who come after.")]
Who = Annotated[str | None, typer.Option("--who", help="Who decides, if not the user who runs this.")]
DecisionFile = Annotated[Path, typer.Argument(help="A file of CSV or JSON lines, by its name: .csv or .jsonl.")]
KindName = Annotated[str | None, typer.Option("--kind", "-k", help="Only those of one record kind.")]
Withdrawn = Annotated[bool, typer.Option("--withdrawn", help="Those withdrawn too.")]


@app.command()
def decide(  # noqa: PLR0913  the command's own arguments and options
    a: Report,
    b: Report,
    verdict: Annotated[str, typer.Argument(help="same, different or unsure.")],
    why: Why,
    who: Who = None,
    *,
    json: Json = False,
) -> None:
    """Decide whether two reports are one item: it binds from the next nightly on, until it is withdrawn."""
    from flows.matching.decisions import decide as run

    made = run(open_here(), (a, b), verdict, why=why, who=who)
    told = asdict(made.decision)
    for warning in made.warnings:
        say(f"mind: {one_line(warning)}")
    if json:
        echo_json({"id": made.id, **told, "new": made.new, "warnings": made.warnings})
    elif made.new:
        typer.echo(f"decision {made.id}: {told['a']} and {told['b']} ({told['kind']}): {verdict}")
        typer.echo("`engang nightly` applies it" if verdict != "unsure" else "it is kept, and changes nothing")
    else:
        typer.echo(f"nothing new: decision {made.id} by {told['who']} says so already")


@decisions.callback()
def listing(context: typer.Context, *, json: Json = False) -> None:
    """List the decisions that stand (without a subcommand)."""
    if context.invoked_subcommand is None:
        list_decisions(json=json)


@decisions.command("list")
def list_decisions(kind: KindName = None, *, withdrawn: Withdrawn = False, json: Json = False) -> None:
    """List decisions, oldest first: what was decided of which reports, by whom, why, when."""
    from flows.matching.decisions import list_decisions as run

    found = run(open_here(), kind, withdrawn=withdrawn)
    if json:
        echo_json(found.to_dicts())
    elif found.height:
        show(_shown(found, withdrawn=withdrawn))
    else:
        typer.echo("no decision stands" if not withdrawn else "nothing was ever decided")


def _shown(found: "pl.DataFrame", *, withdrawn: bool) -> list[dict[str, Any]]:
    names = ["id", "kind", "a", "b", "verdict", "who", "at", "why"]
    names += ["withdrawn_at", "withdrawn_by", "withdrawn_why"] if withdrawn else []
    return [
        {name: value.replace(microsecond=0) if name.endswith("at") and value else value for name, value in row.items()}
        for row in found.select(names).to_dicts()
    ]


@decisions.command("withdraw")
def withdraw_decision(decision: int, why: Why, who: Who = None, *, json: Json = False) -> None:
    """Withdraw a decision: from the next nightly on, the release is as if it had never been made."""
    from flows.matching.decisions import withdraw_decision as run

    changed = run(open_here(), decision, why=why, who=who)
    if json:
        echo_json({"id": decision, "withdrawn": True, "changed": changed})
    else:
        typer.echo("withdrawn; `engang nightly` publishes without it" if changed else "it was withdrawn before")


@decisions.command("export")
def export_decisions(file: DecisionFile, *, json: Json = False) -> None:
    """Write every decision to a file, those withdrawn too, for `engang decisions import` here or elsewhere."""
    from flows.matching.decision_files import export_decisions as run

    count = run(open_here(), file)
    if json:
        echo_json({"file": str(file), "decisions": count})
    else:
        typer.echo(f"{file}: {count} decisions")


@decisions.command("import")
def import_decisions(file: DecisionFile, *, json: Json = False) -> None:
    """Add the decisions of a file: all, or none if one of them is wrong. What is known already changes nothing."""
    from flows.matching.decision_files import import_decisions as run

    done = run(open_here(), file)
    for warning in done.warnings:
        say(f"mind: {one_line(warning)}")
    if json:
        echo_json(asdict(done))
    else:
        typer.echo(f"{file}: {done.new} decisions are new, {done.withdrawn} now withdrawn, {done.known} known already")
