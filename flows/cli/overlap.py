"""Commands on what is reported more than once: overlap, burden, known."""

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.terminal import (
    JsonOption,
    ReleaseOption,
    app,
    open_here,
    print_json,
    print_list,
    print_table,
    print_text,
)

burden_app = typer.Typer(help="Show what obligations cost, and the least that must be reported.", no_args_is_help=False)
app.add_typer(burden_app, name="burden", invoke_without_command=True)
obligations_app = typer.Typer(help="Import obligations that no contract describes, and compare what they ask.")
app.add_typer(obligations_app, name="obligations", no_args_is_help=True)


@app.command("overlap")
def overlap_command(
    file: Annotated[Path, typer.Argument(metavar="CONTRACT.yml", help="The contract of a planned report.")],
    *,
    json: JsonOption = False,
) -> None:
    """Show which columns of a planned report are asked already, by whom and since when, before anyone is asked."""
    from flows.overlap.asked import asked_already

    columns = asked_already(open_here(), file)
    if json:
        print_json({"columns": columns})
        return
    rows = [
        {"column": column["column"], "asked by": asked["agency"], "in": asked["contract"], "as": asked["column"],
         "items": asked.get("items"), "since": asked.get("since")}
        for column in columns
        for asked in column["asked_by"] or [{"agency": "nobody", "contract": "", "column": ""}]
    ]  # fmt: skip
    print_table(rows)
    known = sum(bool(column["asked_by"]) for column in columns)
    print_text(f"{known} of {len(columns)} columns are asked already")


@burden_app.callback(invoke_without_command=True)
def burden_command(context: typer.Context, *, release: ReleaseOption = None, json: JsonOption = False) -> None:
    """Rank obligations by the hours spent on figures that another obligation has too."""
    if context.invoked_subcommand is not None:
        return
    from flows.overlap.burden import rank_burden

    rows = rank_burden(open_here(), release)
    print_list(rows, lambda row: row, empty="the release has no figures", json=json)
    if not json:
        print_text("(hours are empty where the contract states none: unknown is not zero)")


@burden_app.command("minimal")
def minimal_command(
    *,
    columns: Annotated[
        bool, typer.Option("--columns", help="Choose columns (an obligation's concepts) instead of obligations.")
    ] = False,
    release: ReleaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show a set of obligations, or columns, of fewest hours with which every item is still reported, exactly."""
    from flows.overlap.burden import find_minimal, find_minimal_columns

    found = (find_minimal_columns if columns else find_minimal)(open_here(), release).as_dict()
    if json:
        print_json(found)
        return
    print_text(
        f"{found['items']} items are all reported by {len(found['kept'])} {'columns' if columns else 'obligations'}: "
        f"{', '.join(found['kept'])}"
    )
    print_text(f"not needed for any item: {', '.join(found['dropped']) or 'none'}")
    print_text(f"hours kept: {found['hours_kept']:g} of {found['hours_all']:g}")
    print_table(
        [
            {"items": step["items"], "hours": step["hours"], "kept": ", ".join(step["kept"])}
            for step in found["frontier"]
        ]
    )
    if found["unknown"]:
        print_text(f"hours not known, so not counted: {', '.join(found['unknown'])}")


@app.command("known")
def known_command(
    *,
    unit: Annotated[str, typer.Option(help="The reporting unit: its code or id, e.g. 1120.")],
    contract: Annotated[str, typer.Option(help="The contract whose report is to be filled in.")],
    period: Annotated[str, typer.Option(help="2025, 2025-Q1, 2025-01 or 2025-01-31.")],
    json: JsonOption = False,
) -> None:
    """Show which cells of a report are known already from what others have reported."""
    from flows.overlap.known import known_cells

    cells = known_cells(open_here(), contract, unit, period)
    if json:
        print_json({"cells": cells})
        return
    print_table(cells)
    print_text(f"{sum(cell['known'] for cell in cells)} of {len(cells)} figures are known")


@obligations_app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file of a register, an inventory or a matrix.")],
    *,
    source: Annotated[
        str,
        typer.Option("--from", metavar="SOURCE", help="oppgaveregisteret, us-inventory, matrix (CSV), eba or kostra."),
    ],
    name: Annotated[str | None, typer.Option(help="The import's name; one of the same name is replaced.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Store nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Import the obligations of a file: the next release lists them, and what they ask is compared without data."""
    from flows.overlap.imported import import_obligations

    found = import_obligations(open_here(), file, source, name, dry_run=dry_run)
    if json:
        print_json(found)
        return
    print_text(
        f"{found['name']}: {found['obligations']} obligations ask for {found['items']} items in {found['cells']} cells"
    )
    print_text(f"{found['shared']} items are asked by two agencies or more")
    print_text(f"{found['contained']} obligations ask only what one obligation of another agency asks too")
    if not found["stored"]:
        print_text("dry run: nothing is stored")


@obligations_app.command("sums")
def sums_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The rules of EBA's model: Parquet or CSV.")],
    *,
    json: JsonOption = False,
) -> None:
    """Show which cells are sums of others, or equal to another, by the rules of a data point model."""
    from flows.overlap.imported import list_stated_sums

    print_list(list_stated_sums(file), _sum_row, empty="no rule states a sum or an equality", json=json)


def _sum_row(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "parts": " ".join(row["parts"])}


@obligations_app.command("overlap")
def declared_command(*, json: JsonOption = False) -> None:
    """Show which imported obligations ask for common items, those with most first."""
    from flows.overlap.imported import declared_pairs

    empty = "no two imported obligations ask for a common item"
    print_list(declared_pairs(open_here()), lambda row: row, empty=empty, json=json)
