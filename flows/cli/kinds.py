"""Commands on record kinds: blocks, kinds new."""

from pathlib import Path
from typing import Annotated, Any

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

kinds_app = typer.Typer(help="List, show and start record kinds.", no_args_is_help=True)
app.add_typer(kinds_app, name="kinds")


@app.command("blocks")
def blocks_command(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="A record kind, e.g. rail_accident.")],
    *,
    json: JsonOption = False,
) -> None:
    """Show what each blocking rule of a kind brings together, and estimate the share of true pairs that it finds."""
    from flows.matching.blocks import blocks_of_kind

    installation = open_here()
    report = blocks_of_kind(installation, installation.kind(kind), print_progress)
    if json:
        print_json(report.as_dict())
    else:
        _print_blocks(kind, report.as_dict())


def _print_blocks(kind: str, report: dict[str, Any]) -> None:
    """Print a row per rule: pairs, pairs that no other rule finds, the largest blocks, what is over the limit."""
    rows = [
        {
            "rule": rule["rule"],
            "pairs": rule["pairs"],
            "no other": rule["only"],
            "recall": _share(rule["recall"]),
            "blocks": rule["blocks"],
            "largest": ", ".join(map(str, rule["largest"])),
            "over the limit": f"{rule['over_limit']} (up to {rule['largest_over']})" if rule["over_limit"] else "",
        }
        for rule in report["rules"]
    ]
    print_text(f"{kind}: {report['reports']} reports, {report['pairs']} candidate pairs")
    print_table(rows)
    if report["recall"] is None:
        print_text("recall cannot be estimated: add a rule on another field, or deliver more reports")
    else:
        print_text(
            f"estimated recall of all rules together: {_share(report['recall'])}, from {report['likely']} likely pairs "
            "(too high where the errors of two fields go together)"
        )
    print_text("(no other: pairs that no other rule finds; recall: of likely pairs that rules on other fields find)")


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


@kinds_app.command("list")
def list_kinds_command(*, json: JsonOption = False) -> None:
    """List the record kinds: version, fields, the contracts that make their records."""
    from flows.matching.kinds import list_kinds

    print_list(list_kinds(open_here()), lambda row: row, empty="no record kind", json=json)


@kinds_app.command("show")
def show_kind_command(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="A record kind, e.g. rail_accident.")],
    *,
    json: JsonOption = False,
) -> None:
    """Show one record kind: its fields and how each is compared, its blocking rules, the contracts that use it."""
    from flows.matching.kinds import describe_kind

    found = describe_kind(open_here(), kind)
    if json:
        print_json(found)
        return
    print_text(f"{found['kind']} version {found['version']}: {found['title']}\n")
    print_table(found["fields"])
    print_text(f"\ncompared where both have the same: {'; '.join(found['blocking'])}")
    print_text(f"identities: {'; '.join(found['identities']) or 'none'}")
    print_text(f"contracts: {', '.join(found['contracts']) or 'none'}")


@kinds_app.command("new")
def new_kind_command(
    file: Annotated[Path, typer.Option("--from", help="Records as Parquet or CSV, a row each.")],
    kind: Annotated[str | None, typer.Option("--as", help="The kind's name; by default the file's.")] = None,
    to: Annotated[Path | None, typer.Option(help="Folder; by default the folder of kinds.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="A column that is no part of the kind; may repeat.")] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Draft a record kind from data: fields, comparisons, blocking rules with their pairs; print a contract for it."""
    from flows.matching.kind_draft import write_kind

    written = write_kind(file, kind, to, tuple(ignore or ()))
    fields = written.as_dict()
    if json:
        print_json(fields)
        return
    print_text(f"{fields['file']}: kind {fields['kind']}, drafted from {fields['records']} records")
    print_table([{"field": name, **_comparison(spec)} for name, spec in fields["fields"].items()])
    print_table(
        [{"compared where both have the same": _rule(row["rule"]), "pairs": row["pairs"]} for row in fields["blocking"]]
    )
    print_text(f"\na contract for {file.name}, to put into the folder of contracts as {fields['kind']}.yml:\n")
    print_text(fields["contract"])


def _comparison(spec: dict[str, Any]) -> dict[str, str]:
    """Return type, compared and what the column holds of one field."""
    compare = spec.get("compare") or {}
    return {"type": spec["type"], "compared": compare.get("by", ""), "column": spec["doc"]}


def _rule(parts: list[Any]) -> str:
    """Return a drafted rule as text."""
    texts = (p if isinstance(p, str) else ", ".join(f"{k} {v}" for k, v in p.items() if k != "field") for p in parts)
    names = (p if isinstance(p, str) else p["field"] for p in parts)
    return " + ".join(name if name == text else f"{name} ({text})" for name, text in zip(names, texts, strict=True))
