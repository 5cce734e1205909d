"""The backtest: how right drafts of earlier periods would have been, from what others had delivered by the due date."""

import datetime as dt
from typing import Any, Final

import polars as pl

from flows.installation import OSLO, Installation
from flows.overlap.prefill.evidence import Viewpoint, known_items, months, shown_statements, viewpoint_of
from flows.releases import find_release
from infra.lake import access as lake_access
from infra.lake.item_tables import observation_tables
from infra.ledger import submissions as ledger_submissions
from infra.ledger.releases import Release
from infra.public_holidays import public_holidays
from schemas.contract import Contract
from transforms.deadlines import ReportingPeriod, due_date
from transforms.observations.consolidate import consolidate
from transforms.overlap.statements import read_statements
from transforms.prefill.compare import compare_drafts, counts_of
from transforms.prefill.known import ITEM
from transforms.submissions import mark_counting

_DAY: Final = dt.timedelta(days=1)
_ORDER: Final = ("submission_id", "batch", "arrival", "stream")


@lake_access.scan_errors()
def backtest_drafts(installation: Installation, contract_name: str) -> dict[str, Any]:
    """Return how much of a contract's earlier reports drafts could have filled in, and how much of that exactly right.

    For each period that the contract has figures of: what the other obligations had delivered by the end of the due
    date (without a due date: before the contract's own first delivery of the period), by the receipt times of the
    landing notes, as far as it still counts, read and corrected as a night would have. The contract's own deliveries
    are no source. Keys: periods (a row each: period, due, cells, filled, derived, compared, exact, within), columns
    (the same by concept and breakdown), and of all periods together cells, filled, derived, compared, exact, within,
    share_filled, share_exact, bound_items, bound_units, bound (as in a dossier: one-sided, 95 %). compared: filled
    cells whose reported value is not withheld; within: those whose values agree within their accuracy.
    """
    contract = installation.contract(contract_name)
    contract.place()
    release = find_release(installation)
    view = viewpoint_of(installation, contract)
    own = _own_figures(installation, release, contract)
    submissions = ledger_submissions.read_submissions(installation.engine)
    limits = _limits(installation, contract, own, submissions)
    compared = [
        compare_drafts(
            _known_then(installation, view, own.filter(_is_period(start, end)), submissions, limit),
            own.filter(_is_period(start, end)),
            contract,
        ).with_columns(due=pl.lit(_due_day(limit, contract)))
        for (start, end), limit in limits.items()
    ]
    return counts_of(pl.concat(compared) if compared else None)


def _is_period(start: dt.date, end: dt.date) -> pl.Expr:
    return (pl.col("period_start") == start) & (pl.col("period_end") == end)


def _due_day(limit: dt.datetime, contract: Contract) -> dt.date:
    """Return the last day on which something may have been received to count."""
    local = limit.replace(tzinfo=dt.UTC).astimezone(OSLO).date()
    return local - _DAY if contract.due else local


def _own_figures(installation: Installation, release: Release, contract: Contract) -> pl.DataFrame:
    """Return the figures that stand of a contract's own reports: `ITEM`, value, lower, upper, submission_id."""
    tables = observation_tables(installation.settings.lake)
    sources = tables.live("sources", release["tables"]).filter(pl.col("contract") == contract.contract)
    rows = tables.live("observations", release["tables"])
    items = rows.join(sources.select("item_id").unique(), on="item_id", how="semi").select(ITEM.names()).collect()
    stated = read_statements(sources, items.lazy())
    known = (pl.col("value").min() == pl.col("value").max()) & (pl.col("value").null_count() == 0)
    figures = stated.group_by("item_id").agg(
        value=pl.when(known).then(pl.col("value").first()),
        lower=pl.col("lower").max(),
        upper=pl.col("upper").min(),
        submissions=pl.col("submission_id").unique(),
    )
    return items.join(figures, on="item_id").sort("period_start", "item_id")


def _limits(
    installation: Installation, contract: Contract, own: pl.DataFrame, submissions: pl.DataFrame
) -> dict[tuple[dt.date, dt.date], dt.datetime]:
    """Return the time, UTC, before which something must have been received to count for each period of own figures."""
    periods = own.select("period_start", "period_end").unique().sort("period_start", "period_end").rows()
    if contract.due is None:
        received = submissions.select(submissions="submission_id", received="received_at")
        first = own.explode("submissions").join(received, on="submissions")
        earliest = first.group_by("period_start", "period_end").agg(pl.col("received").min())
        return {(start, end): limit for start, end, limit in earliest.sort("period_start", "period_end").rows()}
    if not periods:
        return {}
    home = installation.settings.home / "cache"
    holidays = public_holidays(home, periods[0][0].year, periods[-1][1].year + 3)
    found = {}
    for start, end in periods:
        due = due_date(contract.due, ReportingPeriod(str(start), start, end), holidays)
        midnight = dt.datetime.combine(due + _DAY, dt.time(), OSLO)
        found[start, end] = midnight.astimezone(dt.UTC).replace(tzinfo=None)
    return found


def _known_then(
    installation: Installation, view: Viewpoint, own: pl.DataFrame, submissions: pl.DataFrame, limit: dt.datetime
) -> pl.DataFrame:
    """Return what was known of the items of a period, or follows, when only what had been received then counts."""
    then = mark_counting(submissions.filter(pl.col("received_at") < limit)).filter("counts").select(_ORDER)
    start, end = own["period_start"][0], own["period_end"][0]
    claims = observation_tables(installation.settings.lake).scan("claims", partitions=_partitions(view, start, end))
    others = (pl.col("obligation") != view.contract.obligation) & ~pl.col("obligation").is_in(view.hidden)
    within = (pl.col("period_start") >= start) & (pl.col("period_end") <= end)
    ids = own["item_id"].implode()
    wanted = pl.col("item_id").is_in(ids)
    if view.derives:
        wanted |= pl.col("concept").is_in(sorted(view.vocabulary.concepts))
    rows = claims.filter(others & within & wanted).join(then.lazy(), on=["submission_id", "batch"]).collect()
    published = consolidate(rows)
    items = published.observations.select(ITEM.names())
    statements = shown_statements(published.sources.lazy(), items, submissions, view)
    places = own.select("unit_id", "unit_kind", "unit_code", "unit_name", "period_start").unique("unit_id")
    known = known_items(statements, items, view, installation.register.units, places)
    return known.filter(pl.col("item_id").is_in(ids))


def _partitions(view: Viewpoint, start: dt.date, end: dt.date) -> list[str]:
    return months(start, end) if view.derives else [f"{start:%Y-%m}"]
