"""The rows of the published tables of overlap, from the counts of `transforms.overlap.counts`."""

from typing import Final

import polars as pl

from schemas.claims import frame_schema
from schemas.overlap import BURDEN, COVERAGE, OVERLAP, OVERLAP_REPORTERS, SHARE_SCALE
from transforms.overlap.counts import NAME_SEPARATOR, OVERLAP_KEY, REPORTER_KEY

HOURS: Final = {"obligation": pl.String, "low": pl.Float64, "high": pl.Float64, "basis": pl.String}
"""The hours of one report of each obligation, null where nobody knows."""
HOURS_DIGITS: Final = 6
_REPORT: Final = ("obligation", "period_start", "unit_kind", "partition", "reported_by", "unit_id")
_PLACE: Final = ("unit_id", "period_start", "period_end")


def overlap_rows(pairs: pl.DataFrame, reports: pl.DataFrame) -> pl.DataFrame:
    """Return the table `overlap` of some months, from all counts of pairs and reports of these months."""
    wanted = pairs.select("obligation_a", "obligation_b").unique()
    involved = pl.concat([wanted["obligation_a"], wanted["obligation_b"]]).unique()
    own = (
        reports.filter(pl.col("obligation").is_in(involved.implode()))
        .group_by("obligation", "concept", *_PLACE)
        .agg(pl.col("items").sum())
    )
    reported = own.select("obligation", *_PLACE).unique()
    both = wanted.join(reported, left_on="obligation_a", right_on="obligation").join(
        reported, left_on=["obligation_b", *_PLACE], right_on=["obligation", *_PLACE]
    )
    sides = [
        both.join(own, left_on=[side, *_PLACE], right_on=["obligation", *_PLACE]).select(*OVERLAP_KEY, "items")
        for side in ("obligation_a", "obligation_b")
    ]
    either = pl.concat(sides).group_by(OVERLAP_KEY).agg(pl.col("items").sum().alias("either"))
    rows = pairs.join(either, on=OVERLAP_KEY, how="left").with_columns(expected=pl.col("either") - pl.col("items"))
    schema = frame_schema(OVERLAP)
    return rows.select(schema.names()).cast(schema).sort(OVERLAP_KEY)


def reporter_rows(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the table `overlap_reporters` from the counts of pairs of reporters."""
    schema = frame_schema(OVERLAP_REPORTERS)
    return pairs.select(schema.names()).cast(schema).sort(REPORTER_KEY)


def burden_rows(reports: pl.DataFrame, overlap: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """Return the table `burden` of some months, from all counts of reports and the overlap of these months.

    A report is what one reporter states under an obligation about one unit and period; its hours are divided equally
    among its figures. hours: as `HOURS`.
    """
    counts = pl.col("figures", "figures_elsewhere", "reports_elsewhere").sum()
    weighed = _weighed(reports, _REPORT).group_by(_REPORT[:4])
    totals = _exact(weighed.agg(pl.len().cast(pl.Int64).alias("reports"), counts))
    others = _others(overlap)
    rows = totals.join(others, on=["obligation", "period_start"], how="left").with_columns(
        pl.col("elsewhere").fill_null(pl.lit([], pl.List(pl.String)))
    )
    return with_hours(rows, hours)


def _weighed(reports: pl.DataFrame, report: tuple[str, ...]) -> pl.DataFrame:
    """Return each report with the part of it on figures that others have too: reports_elsewhere, Int128.

    In whole units, so that sums are exact.
    """
    figures, elsewhere = (pl.col(name).cast(pl.Int128) for name in ("figures", "figures_elsewhere"))
    share = (2 * elsewhere * 10**SHARE_SCALE + figures) // (2 * figures)  # rounded
    totals = reports.group_by(report).agg(pl.col("figures", "figures_elsewhere").sum())
    return totals.with_columns(share.alias("reports_elsewhere"))


def _exact(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("reports_elsewhere").reinterpret(dtype=pl.Decimal(38, SHARE_SCALE)))


def scope_reports(reports: pl.DataFrame) -> pl.DataFrame:
    """Return the reports of each unit and each sender by obligation: scope, name, obligation, reports, _elsewhere.

    What two senders deliver of one report are two of them.
    """
    found = []
    for scope, column in (("sender", "sender"), ("unit", "unit_id")):
        weighed = _weighed(reports, _REPORT if column in _REPORT else (*_REPORT, column))
        rows = weighed.group_by(pl.lit(scope).alias("scope"), pl.col(column).alias("name"), "obligation")
        found.append(rows.agg(pl.len().cast(pl.Int64).alias("reports"), pl.col("reports_elsewhere").sum()))
    return _exact(pl.concat(found))


def agency_reports(burden: pl.DataFrame, agencies: pl.DataFrame) -> pl.DataFrame:
    """Return all reports, and those of each agency, by obligation: as `scope_reports`. agencies: obligation, agency."""
    counts = burden.group_by("obligation").agg(pl.col("reports", "reports_elsewhere").sum())
    columns = ["obligation", "reports", "reports_elsewhere"]
    everything = counts.select(pl.lit("all").alias("scope"), pl.lit("all").alias("name"), *columns)
    own = counts.join(agencies, on="obligation")
    return pl.concat(
        [everything, own.select(pl.lit("agency").alias("scope"), pl.col("agency").alias("name"), *columns)]
    )


def scope_hours(reports: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """Return what the reports of each scope cost: scope, name, reports, reports_unknown, hours.

    reports: as `scope_reports`. hours: as `HOURS`. Hours are of those obligations of which they are known, null where
    they are known of none.
    """
    joined = reports.join(hours.select("obligation", "low", "high"), on="obligation", how="left").sort("obligation")
    spent = {
        f"hours{part}_{end}": pl.when(pl.col(end).is_not_null().any()).then(
            (pl.col(f"reports{part}").cast(pl.Float64) * pl.col(end)).sum().round(HOURS_DIGITS)
        )
        for part in ("", "_elsewhere")
        for end in ("low", "high")
    }
    unknown = pl.col("reports").filter(pl.col("low").is_null()).sum()
    return joined.group_by("scope", "name").agg(pl.col("reports").sum(), reports_unknown=unknown, **spent)


def _others(overlap: pl.DataFrame) -> pl.DataFrame:
    """Return the obligations that have items of each obligation and period."""
    columns = ("obligation_a", "obligation_b", "period_start")
    pairs = overlap.select(columns)
    turned = pairs.select(obligation_a="obligation_b", obligation_b="obligation_a", period_start="period_start")
    both = pl.concat([pairs, turned]).group_by(obligation="obligation_a", period_start="period_start")
    return both.agg(pl.col("obligation_b").unique().sort().alias("elsewhere"))


def with_hours(burden: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """Return rows of `burden` with the hours that their reports cost: those of one report, times the reports."""
    joined = burden.join(hours.select("obligation", "low", "high", hours_basis="basis"), on="obligation", how="left")
    spent = {
        f"hours{part}_{end}": (pl.col(f"reports{part}").cast(pl.Float64) * pl.col(end)).round(HOURS_DIGITS)
        for part in ("", "_elsewhere")
        for end in ("low", "high")
    }
    schema = frame_schema(BURDEN)
    return joined.with_columns(**spent).select(schema.names()).cast(schema).sort(_REPORT[:3])


def coverage_rows(sets: pl.DataFrame) -> pl.DataFrame:
    """Return the table `coverage` from the counts of sets of obligations."""
    schema = frame_schema(COVERAGE)
    ordered = sets.sort("obligations", "most_accurate", "concept", "period_start")
    return (
        ordered.with_columns(pl.col("obligations", "most_accurate").str.split(NAME_SEPARATOR))
        .select(schema.names())
        .cast(schema)
    )


def set_counts(coverage: pl.DataFrame) -> pl.DataFrame:
    """Return the counts of sets of obligations that the table `coverage` has: the inverse of `coverage_rows`."""
    return coverage.with_columns(pl.col("obligations", "most_accurate").list.join(NAME_SEPARATOR))


def scope_counts(coverage: pl.DataFrame, agencies: pl.DataFrame) -> pl.DataFrame:
    """Return the counts of all reports and of those of each agency: scope, name, items, figures, figures_elsewhere.

    agencies: obligation, agency. An obligation without one counts in all reports only.
    """
    sets = coverage.group_by("obligations").agg(pl.col("items").sum()).with_row_index("set")
    each = sets.with_columns(elsewhere=pl.col("obligations").list.len() > 1).explode("obligations")
    each = each.rename({"obligations": "obligation"}).with_columns(scope=pl.lit("all"), name=pl.lit("all"))
    own = each.join(agencies, on="obligation").with_columns(scope=pl.lit("agency"), name="agency").drop("agency")
    counted = pl.concat([each, own.select(each.columns)]).group_by("scope", "name", "set")
    parts = counted.agg(
        pl.col("items").first(),
        figures=pl.col("items").sum(),
        figures_elsewhere=(pl.col("items") * pl.col("elsewhere").cast(pl.Int64)).sum(),
    )
    return (
        parts.group_by("scope", "name").agg(pl.col("items", "figures", "figures_elsewhere").sum()).sort("scope", "name")
    )


def redundancy_rows(scopes: pl.DataFrame, costs: pl.DataFrame) -> pl.DataFrame:
    """Return the counts of scopes with what they cost and `redundancy`, the share of figures that is superfluous.

    costs: as `scope_hours` returns them.
    """
    share = pl.when(pl.col("figures") > 0).then(1 - pl.col("items") / pl.col("figures"))
    joined = scopes.join(costs, on=["scope", "name"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("reports", "reports_unknown").fill_null(0), redundancy=share)


def hours_of_obligations(obligations: pl.DataFrame) -> pl.DataFrame:
    """Return the hours of one report of each obligation (`HOURS`), from the rows of the table `obligations`.

    Several contracts may answer one obligation: the lowest and highest of them count.
    """
    grouped = obligations.group_by("obligation").agg(
        pl.col("hours_low").cast(pl.Float64).min().alias("low"),
        pl.col("hours_high").cast(pl.Float64).max().alias("high"),
        pl.col("hours_basis").drop_nulls().unique().sort().str.join(", ").alias("basis"),
    )
    known = pl.when(pl.col("basis") != "").then("basis").alias("basis")
    return grouped.with_columns(known).select(*HOURS).cast(pl.Schema(HOURS)).sort("obligation")


def agencies_of_obligations(obligations: pl.DataFrame) -> pl.DataFrame:
    """Return the agency of each obligation, from the rows of the table `obligations`: obligation, agency."""
    return obligations.sort("obligation", "contract").group_by("obligation").agg(pl.col("agency").first())
