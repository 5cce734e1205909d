"""What is known already: the cells of a report that others have reported, with value, source and accuracy."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.overlap.prefill.evidence import (
    RECEIVED,
    Viewpoint,
    known_items,
    months,
    shown_statements,
    units_within,
    viewpoint_of,
)
from flows.published_tables import tables_of_overlap
from flows.releases import find_release
from infra.lake import access as lake_access
from infra.lake.item_tables import observation_tables
from infra.ledger import submissions as ledger_submissions
from infra.ledger.releases import Release
from schemas.contract import ClaimSpec, Contract
from schemas.contract_terms import breakdowns
from transforms.overlap.breakdowns import fixed_codes, may_be_equal
from transforms.overlap.dossier import lower_bound
from transforms.prefill.cells import WHY
from transforms.prefill.known import FILLED, ITEM, KNOWN
from transforms.prefill.texts.period_texts import period_asked
from transforms.prefill.texts.unit_texts import unit_asked

NOBODY: Final = "nobody has reported it"
NOBODY_MAY: Final = "nobody who may share it has reported it"
"""Why a figure is not known where no statement of it is looked at, by what contracts declare alone."""


@dataclass(frozen=True)
class KnownReport:
    """What is known of one report: a contract, a unit and a period.

    place: the columns of `transforms.prefill.known.ITEM` of the unit and period. items: what is known of items of the
    unit and period (`KNOWN_ITEM`). history: (obligation, concept) -> in how many items of the concept of other periods
    an obligation and the contract's own have one value, and of how many that both have.
    """

    contract: Contract
    view: Viewpoint
    place: dict[str, Any]
    items: pl.DataFrame
    history: Mapping[tuple[str, str], tuple[int, int]]

    def sureness(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return how sure a value is by what its sources and the form's own reports had in common otherwise."""
        counts = [self.history.get((name, item["concept"]), (0, 0)) for name in item["obligations"] or ()]
        agreed, compared = (sum(count[n] for count in counts) for n in (0, 1))
        return {"agreed": agreed, "compared": compared, "bound": lower_bound(agreed, compared)}

    def why(self, claim: ClaimSpec, item: dict[str, Any] | None) -> str:
        """Return why a figure is not known, in words; nothing of it depends on a value."""
        if item is not None and item["state"] in WHY:
            return WHY[item["state"]]
        return NOBODY_MAY if claim.concept in self.view.asked_by_hidden else NOBODY


@lake_access.scan_errors()
def known_report(
    installation: Installation, contract_name: str, unit: str, period: str, *, everyone: bool = False
) -> KnownReport:
    """Return what is known of a report; `UsageError` for a contract, unit or period that cannot be.

    unit: a code or unit id. period: as the contract writes it, or 2025, 2025-Q1, 2025-01, 2025-01-31. everyone: show
    only what everybody may be shown (`may_share: all`), as to somebody who is not known.
    """
    contract = installation.contract(contract_name)
    asked_unit, asked_period = contract.place()
    start, end = period_asked(period, asked_period, contract.format)
    place = unit_asked(installation.register, asked_unit, unit, start, end)
    place |= {"period_start": start, "period_end": end}
    view = viewpoint_of(installation, contract, everyone=everyone)
    release = find_release(installation)
    items = _items(installation, release, view, place)
    statements = _statements(installation, release, view, items)
    wanted = pl.DataFrame([place], schema=_PLACE).drop("period_end")
    known = known_items(statements, items, view, installation.register.units, wanted)
    mine = known.filter(
        pl.col("unit_id") == place["unit_id"], pl.col("period_start") == start, pl.col("period_end") == end
    )
    history = {} if everyone else _history(installation, release, view, start)
    return KnownReport(contract, view, place, mine, history)


_PLACE: Final = {name: ITEM[name] for name in (*list(ITEM)[4:8], "period_start", "period_end")}


def known_cells(installation: Installation, contract_name: str, unit: str, period: str) -> list[dict[str, Any]]:
    """Return a row for each figure that a contract asks about a unit and period (arguments as `known_report`).

    Each row: column, concept, breakdown, value (Decimal, null where not known), unit_measure, known (Boolean), source
    (obligations), sender, reported_by, received (when), plus_minus, rule (of a value that is a sum of others), agreed
    and compared (`KnownReport.history`) with their bound, why (why it is not known). What the contract's own obligation
    has delivered is no source; a value that is withheld, confidential, personal or contradicted is not known, and
    nothing is that the contract's agency may not be shown.
    """
    report = known_report(installation, contract_name, unit, period)
    return [row for claim in report.contract.claims for row in _cells(report, claim)]


def _items(installation: Installation, release: Release, view: Viewpoint, place: dict[str, Any]) -> pl.DataFrame:
    """Return the items of the unit and period and, where figures may follow from others, those of their parts."""
    unit_id, start, end = place["unit_id"], place["period_start"], place["period_end"]
    units, partitions = [unit_id], [f"{start:%Y-%m}"]
    period = (pl.col("period_start") == start) & (pl.col("period_end") == end)
    if view.derives:
        units += units_within(installation.register.units, [unit_id], start)
        period = (pl.col("period_start") >= start) & (pl.col("period_end") <= end)
        partitions = months(start, end)
    concepts = {*(claim.concept for claim in view.contract.claims), *view.vocabulary.concepts}
    tables = observation_tables(installation.settings.lake)
    rows = tables.live("observations", release["tables"], partitions)
    wanted = pl.col("unit_id").is_in(units) & period & pl.col("concept").is_in(sorted(concepts))
    return rows.filter(wanted).select(ITEM.names()).collect()


def _statements(installation: Installation, release: Release, view: Viewpoint, items: pl.DataFrame) -> pl.DataFrame:
    tables = observation_tables(installation.settings.lake)
    partitions = items["period_start"].dt.strftime("%Y-%m").unique().sort().to_list()
    sources = tables.live("sources", release["tables"], partitions)
    sources = sources.filter(pl.col("item_id").is_in(items["item_id"].implode()))
    found = sources.collect()
    ids = found["submission_id"].unique().to_list()
    received = ledger_submissions.read_submissions(installation.engine, ids=ids, columns=RECEIVED)
    return shown_statements(found.lazy(), items, received, view)


def _history(
    installation: Installation, release: Release, view: Viewpoint, start: dt.date
) -> dict[tuple[str, str], tuple[int, int]]:
    """Return how often the contract's obligation and each other one had the same value of other periods."""
    own = view.contract.obligation
    rows = tables_of_overlap(installation, release).live("overlap").filter(pl.col("period_start") != start)
    sides = [
        rows.filter(pl.col(mine) == own).select("concept", "items", "agreeing", obligation=other)
        for mine, other in (("obligation_a", "obligation_b"), ("obligation_b", "obligation_a"))
    ]
    shown = pl.concat(sides).filter(~pl.col("obligation").is_in(view.hidden))
    counts = shown.group_by("obligation", "concept").agg(pl.col("agreeing", "items").sum()).collect()
    return {(obligation, concept): (agreed, compared) for obligation, concept, agreed, compared in counts.rows()}


def _cells(report: KnownReport, claim: ClaimSpec) -> list[dict[str, Any]]:
    """Return the rows of one claim: one per breakdown that others have reported, or one that is not known."""
    wanted = fixed_codes(breakdowns(report.contract, claim))
    rows = report.items.filter(pl.col("concept") == claim.concept).sort("breakdown", "unit_measure").to_dicts()
    found = [_cell(report, claim, row) for row in rows if may_be_equal(wanted, row["breakdown"])]
    return found or [_cell(report, claim, None)]


def _cell(report: KnownReport, claim: ClaimSpec, item: dict[str, Any] | None) -> dict[str, Any]:
    """Return the row of a figure: what is known of an item, or why nothing is."""
    found = item or dict.fromkeys(("breakdown", "unit_measure", "state"))
    known = found["state"] in FILLED
    shown: dict[str, Any] = found if known else {}
    return {
        "column": claim.column,
        "concept": claim.concept,
        "breakdown": found["breakdown"],
        "value": shown.get("value"),
        "unit_measure": found["unit_measure"],
        "known": known,
        "source": ", ".join(shown["obligations"]) if shown else None,
        "sender": ", ".join(shown["senders"]) if shown else None,
        "reported_by": shown.get("reported_by"),
        "received": shown.get("received_at"),
        "plus_minus": (shown["upper"] - shown["lower"]) / 2 if shown else None,
        "rule": shown.get("rule"),
        **(report.sureness(shown) if shown.get("state") == KNOWN else dict.fromkeys(("agreed", "compared", "bound"))),
        "why": "" if known else report.why(claim, item),
    }
