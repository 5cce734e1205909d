"""The command `engang dossier`: whether an obligation could be dropped, as text, JSON or one page."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.terminal import (
    FOUND_PROBLEMS,
    JsonOption,
    ReleaseOption,
    app,
    open_here,
    print_alarm,
    print_json,
    print_page,
    print_progress,
    print_table,
    print_text,
)


class DossierFormat(StrEnum):
    """How a dossier is printed."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


class PageLanguage(StrEnum):
    """The language of a page."""

    NB = "nb"
    NN = "nn"
    EN = "en"


@app.command("dossier")
def dossier_command(
    obligation: Annotated[str, typer.Argument(metavar="OBLIGATION", help="The obligation, e.g. demo-tilsyn.")],
    *,
    without: Annotated[
        bool, typer.Option("--without", help="Rebuild the release without it, and compare with the prediction.")
    ] = False,
    release: ReleaseOption = None,
    shape: Annotated[DossierFormat, typer.Option("--format", help="text, json, or html: one page.")] = (
        DossierFormat.TEXT
    ),
    lang: Annotated[PageLanguage, typer.Option("--lang", help="The language of the page.")] = PageLanguage.NB,
    out: Annotated[Path | None, typer.Option("--out", help="Write the page to this file.")] = None,
    json: JsonOption = False,
) -> None:
    """Show whether an obligation could be dropped: what is known without it, how surely, and what would be lost."""
    from flows.overlap.dossier import describe_dossier, draw_up_dossier, prove_without

    installation = open_here()
    found = describe_dossier(installation, draw_up_dossier(installation, obligation, release), release)
    if without:
        found |= prove_without(installation, obligation, print_progress)
    if out is not None or shape is DossierFormat.HTML:
        from flows.dossier_page.page import render_dossier

        _write_page(render_dossier(found, installation.vocabulary, lang.value), out)
    elif json or shape is DossierFormat.JSON:
        print_json(found)
    else:
        _print_dossier(found)
        print_page(installation, "obligations", obligation, release)
    if found.get("predicted_equals_rebuilt") is False:
        raise typer.Exit(FOUND_PROBLEMS)


def _write_page(page: str, out: Path | None) -> None:
    if out is None:
        print_text(page)
        return
    out.write_text(page, encoding="utf-8")
    print_text(f"wrote {out}")


def _print_dossier(found: dict[str, Any]) -> None:
    print_text(f"{found['obligation']}: {found['verdict'].replace('_', ' ')}")
    print_text(
        f"items: {found['items']}, of which {found['covered']} are known without it ({found['summed']} only as sums)"
    )
    print_text(
        f"equal values: {found['agreeing']} of {found['compared']} compared, within tolerance: {found['tolerated']}"
    )
    if found["own_checks"]:
        agreeing = f"{found['own_checks_agreeing']} of {found['own_checks']}"
        print_text(f"its own reporters agree in {agreeing} items that several of them state")
    if found["bound"] is not None:
        print_text(
            f"share that agrees, 95 % lower bound: {found['bound']:.4f} "
            f"(by item {found['bound_items']:.4f}, by unit {found['bound_units']:.4f})"
        )
    print_text(f"of {found['columns_all']} columns, {found['columns_known']} are known elsewhere")
    print_table([{key: column[key] for key in _COLUMN_KEYS} for column in found["columns"]])
    _print_losses(found)
    print_text(f"hours of its reports: {_range(found['hours_low'], found['hours_high'])}")
    if found["hours_freed_low"] is not None:
        print_text(f"hours freed: {_range(found['hours_freed_low'], found['hours_freed_high'])}")
    print_text(f"legal gate: {found['legal_gate'].replace('_', ' ')}")
    print_table(found["legal_basis"])
    if "predicted_equals_rebuilt" in found:
        _print_proof(found)


_COLUMN_KEYS = ("concept", "breakdown", "items", "covered", "agreeing", "tolerated", "known_elsewhere")


def _print_losses(found: dict[str, Any]) -> None:
    lost = {
        "that nobody else has": found["items"] - found["covered"],
        "of another value elsewhere, or not compared": found["covered"] - found["agreeing"],
        "more accurate than elsewhere": found["more_accurate"],
        f"received earlier than elsewhere, by {found['days_earlier']} days in the median": found["earlier"],
        "with one other source only, which nothing would check": found["second_opinions"],
    }
    for what, items in lost.items():
        if items:
            print_text(f"lost: {items} items {what}")


def _range(low: float | None, high: float | None) -> str:
    return "not known" if low is None or high is None else f"{low:g} to {high:g}"


def _print_proof(found: dict[str, Any]) -> None:
    if found["predicted_equals_rebuilt"]:
        print_text(f"rebuilt without it: {found['items_rebuilt']} items, each as predicted")
    else:
        print_alarm(f"rebuilt without it: {found['differing']} items are not as predicted; report this as a fault")
