"""Commands for deciding whether reports are one item: decide, decisions."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.terminal import JsonOption, WhoOption, app, open_here, print_json, print_list, print_text, print_warning

decisions_app = typer.Typer(
    help="List, withdraw, export and import decisions on which reports are one item.", invoke_without_command=True
)
app.add_typer(decisions_app, name="decisions")

ReportArgument = Annotated[
    str, typer.Argument(help="Id of a report, or of an item: then the report that founded the item.")
]
ReasonOption = Annotated[str, typer.Option("--why", help="The reason, for later readers.")]
DecisionFile = Annotated[Path, typer.Argument(help="A file of CSV or JSON lines, by its name: .csv or .jsonl.")]
KindOption = Annotated[str | None, typer.Option("--kind", "-k", help="Only decisions on this record kind.")]
WithdrawnOption = Annotated[bool, typer.Option("--withdrawn", help="Include withdrawn decisions.")]


@app.command("decide")
def decide_command(
    a: ReportArgument,
    b: ReportArgument,
    verdict: Annotated[str, typer.Argument(help="same, different or unsure.")],
    why: ReasonOption,
    who: WhoOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Decide whether two reports are one item: in force from the next nightly until the decision is withdrawn."""
    from flows.matching.decisions import decide

    result = decide(open_here(), (a, b), verdict, why=why, who=who)
    decision = asdict(result.decision)
    for warning in result.warnings:
        print_warning(warning)
    if json:
        print_json({"id": result.id, **decision, "new": result.new, "warnings": result.warnings})
    elif result.new:
        print_text(f"decision {result.id}: {decision['a']} and {decision['b']} ({decision['kind']}): {verdict}")
        print_text("`engang nightly` applies it" if verdict != "unsure" else "it is recorded and changes no item")
    else:
        print_text(f"no change: decision {result.id} by {decision['who']} already has this verdict")


@decisions_app.callback()
def decisions_command(context: typer.Context, *, json: JsonOption = False) -> None:
    """List the decisions that are not withdrawn (without a subcommand)."""
    if context.invoked_subcommand is None:
        list_decisions_command(json=json)


@decisions_app.command("list")
def list_decisions_command(
    kind: KindOption = None, *, withdrawn: WithdrawnOption = False, json: JsonOption = False
) -> None:
    """List decisions, oldest first: the two reports, the verdict, who decided, when and why."""
    from flows.matching.decisions import list_decisions

    decisions = list_decisions(open_here(), kind, withdrawn=withdrawn).to_dicts()
    empty = "no decision was ever made" if withdrawn else "no decision is in force"
    print_list(decisions, partial(_decision_row, withdrawn=withdrawn), empty=empty, json=json)


def _decision_row(decision: dict[str, Any], *, withdrawn: bool) -> dict[str, Any]:
    """Return the columns that a table shows, times to the second."""
    names = ["id", "kind", "a", "b", "verdict", "who", "at", "why"]
    names += ["withdrawn_at", "withdrawn_by", "withdrawn_why"] if withdrawn else []
    row = {name: decision[name] for name in names}
    return row | {name: row[name].replace(microsecond=0) for name in names if name.endswith("at") and row[name]}


@decisions_app.command("withdraw")
def withdraw_decision_command(
    decision: int, why: ReasonOption, who: WhoOption = None, *, json: JsonOption = False
) -> None:
    """Withdraw a decision: the next nightly publishes as if it had never been made."""
    from flows.matching.decisions import withdraw_decision

    changed = withdraw_decision(open_here(), decision, why=why, who=who)
    if json:
        print_json({"id": decision, "withdrawn": True, "changed": changed})
    else:
        print_text("withdrawn; `engang nightly` publishes without it" if changed else "already withdrawn")


@decisions_app.command("export")
def export_decisions_command(file: DecisionFile, *, json: JsonOption = False) -> None:
    """Write all decisions to a file, withdrawn ones included, for `engang decisions import` here or elsewhere."""
    from flows.matching.decision_files import export_decisions

    count = export_decisions(open_here(), file)
    if json:
        print_json({"file": str(file), "decisions": count})
    else:
        print_text(f"{file}: {count} decisions")


@decisions_app.command("import")
def import_decisions_command(file: DecisionFile, *, json: JsonOption = False) -> None:
    """Add the decisions of a file: all of them, or none if one is wrong. Decisions already known change nothing."""
    from flows.matching.decision_files import import_decisions

    result = import_decisions(open_here(), file)
    for warning in result.warnings:
        print_warning(warning)
    if json:
        print_json(asdict(result))
    else:
        print_text(
            f"{file}: {result.new} new decisions, {result.withdrawn} now withdrawn, {result.known} already known"
        )
