"""Commands on what is reported more than once: overlap, burden, known, prefill."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.terminal import (
    JsonOption,
    ReleaseOption,
    app,
    one_line,
    open_here,
    print_fitted_table,
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
    print_fitted_table(rows)
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
    hours, all_hours = found["hours_kept"], found["hours_all"]
    print_text("hours kept: " + ("not known" if hours is None else f"{hours:g} of {all_hours:g}"))
    print_fitted_table(
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


@app.command("prefill")
def prefill_command(
    *,
    contract: Annotated[str, typer.Option(help="The contract whose report is to be filled in.")],
    unit: Annotated[str | None, typer.Option(help="The reporting unit: its code, name or id, e.g. 1120.")] = None,
    period: Annotated[str | None, typer.Option(help="2025, 2025-Q1, 2025-01 or 2025-01-31.")] = None,
    sender: Annotated[str | None, typer.Option(help="Who will deliver it; by default the contract's sender.")] = None,
    out: Annotated[Path | None, typer.Option(help="The draft's file; by default CONTRACT-UNIT-PERIOD.")] = None,
    sources: Annotated[
        str, typer.Option(help="Where the sources are listed: sheet (of a workbook, else csv), csv or json.")
    ] = "sheet",
    force: Annotated[bool, typer.Option("--force", help="Overwrite files without asking.")] = False,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Show how right drafts of earlier periods would have been.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write the draft of a report, filled in with what is known, and where each figure is from."""
    if backtest:
        _print_backtest(contract, json=json)
        return
    if unit is None or period is None:
        raise typer.BadParameter("a draft needs --unit and --period; or give --backtest")
    from flows.intake.isolation import start_reader
    from flows.overlap.prefill.draft import draft_name, draw_up_draft
    from flows.overlap.prefill.files import files_in_the_way, write_draft

    start_reader()  # it loads its modules while this process opens the installation
    draft = draw_up_draft(open_here(), contract, unit, period, sender=sender, sheet=sources == "sheet")
    target = out or Path(draft_name(draft, period))
    exist = files_in_the_way(draft, target, sources)
    if exist and not force:
        _ask_to_overwrite(exist, json=json)
    written = write_draft(draft, target, sources, overwrite=bool(exist))
    if json:
        print_json(draft.as_dict() | {"files": [str(file) for file in written]})
        return
    print_table(draft.sources, ["row", "column", "value", "source", "received", "plus_minus", "sure", "why"])
    print_text(f"{draft.filled} of {len(draft.sources)} figures are filled in")
    print_text(draft.verdict())
    print_text(f"wrote {', '.join(str(file) for file in written)}")


def _ask_to_overwrite(exist: list[Path], *, json: bool) -> None:
    """Ask before a file is overwritten; where nobody can answer, end as for wrong use."""
    names = ", ".join(str(file) for file in exist)
    if json or not sys.stdin.isatty():
        raise typer.BadParameter(f"{names} exists: give another --out, or --force to overwrite it")
    typer.confirm(f"{one_line(names)} exists: overwrite it?", abort=True)


def _print_backtest(contract: str, *, json: bool) -> None:
    from flows.overlap.prefill.backtest import backtest_drafts

    found = backtest_drafts(open_here(), contract)
    if json:
        print_json(found)
        return
    print_table(found["periods"])
    print_text(
        f"{found['filled']} of {found['cells']} figures could have been filled in by the due dates "
        f"({found['derived']} of them as sums)"
    )
    if found["bound"] is None:
        print_text("none of them can be compared with what was reported")
        return
    print_text(
        f"{found['exact']} of {found['compared']} were exactly what was reported then: the share is at least "
        f"{100 * found['bound']:.1f} % (95 %, the smaller of the bounds by figure and by unit)"
    )


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
