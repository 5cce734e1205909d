"""Scored pairs of reports: Splink's Fellegi-Sunter model on DuckDB.

A weight depends on the two reports and the model alone: frequencies and word weights are the model's, never those of
the reports at hand. `transforms.training` estimates models with the same linker.
"""

import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from schemas.kind import Kind
from transforms.linkage.blocking import FREQUENCY_PREFIX, WORD_WEIGHT_SPAN, key_columns
from transforms.linkage.candidates import pair_rules, with_joint_keys
from transforms.linkage.comparisons import SPLINK_FREQUENCY, SQL_WORD_PREFIX
from transforms.linkage.model import WEIGHT_DECIMALS, MatchModel, review_threshold

if TYPE_CHECKING:
    from splink import Linker

LOWEST_WEIGHT: Final = -1e3
"""A match weight below all others."""
REPORT_NUMBER: Final = "_number"
"""The column with which Splink numbers reports; no field has the name."""
_SPAN: Final = WORD_WEIGHT_SPAN
_WORD_MACROS: Final = {
    "shared_bits(a, b)": f"coalesce(list_sum(list_transform(list_intersect(a, b), lambda x: x % {_SPAN})), 0)",
    "squared_bits(a)": f"list_sum(list_transform(a, lambda x: (x % {_SPAN}) * (x % {_SPAN})))",
    "word_cosine(a, b)": "coalesce(squared_bits(list_intersect(a, b)) / sqrt(squared_bits(a) * squared_bits(b)), 0)",
}
"""What comparisons of words call: the bits that two lists share, the sum of their squares, the cosine of two lists."""
SCORED_PAIR: Final = {"a": pl.String, "b": pl.String, "weight": pl.Float64}


def score_pairs(reports: pl.DataFrame, kind: Kind, model: MatchModel, floor: float | None = None) -> pl.DataFrame:
    """Return the candidate pairs that score at least `floor` bits (by default the review threshold).

    reports: from `prepare_comparison`, each once; with a Boolean column `_dirty`, only pairs with a dirty report are
    scored. Returns a, b (report ids, a < b) and weight (Float64, log2 of the odds of a match), sorted.
    """
    if not kind.blocking or reports.height <= 1:
        return pl.DataFrame(schema=SCORED_PAIR)
    if not reports["report_id"].is_sorted():
        reports = reports.sort("report_id")
    ids, rules = reports["report_id"], _rules(reports, kind)
    reports = with_joint_keys(reports, kind)
    least = review_threshold(kind, model) if floor is None else floor
    with open_linker(reports.drop("report_id").with_row_index(REPORT_NUMBER), model.settings) as (linker, table, read):
        del reports  # DuckDB has its own copy, and needs the memory
        scored = linker.inference.predict_within(
            table, blocking_rules_to_generate_predictions=[*rules], threshold_match_weight=least, warning_mode="never"
        )
        pairs = read(scored.physical_name)
    return _as_scored(pairs, ids)


def score_groups(reports: pl.DataFrame, groups: pl.DataFrame, kind: Kind, model: MatchModel) -> pl.DataFrame:
    """Return the weight of every pair of reports in one group that may be one item, as `score_pairs`.

    reports: from `prepare_comparison`. groups: report_id, group; a report in no group is in no pair.
    """
    members = groups.filter(pl.len().over("group") > 1).select("report_id", _in_group="group")  # no field has it
    frame = reports.drop(key_columns(kind), strict=False).join(members, on="report_id").sort("report_id")
    if frame.is_empty():
        return pl.DataFrame(schema=SCORED_PAIR)
    rule = f"l._in_group = r._in_group{reporter_condition(kind)}"
    numbered = frame.with_columns(pl.col("_in_group").rank("dense")).drop("report_id")
    with open_linker(numbered.with_row_index(REPORT_NUMBER), model.settings) as (linker, table, read):
        scored = linker.inference.predict_within(
            table, blocking_rules_to_generate_predictions=[rule], threshold_match_weight=LOWEST_WEIGHT,
            warning_mode="never",
        )  # fmt: skip
        pairs = read(scored.physical_name)
    return _as_scored(pairs, frame["report_id"])


def _as_scored(pairs: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Return Splink's pairs as `SCORED_PAIR`, sorted; ids: the report of each `REPORT_NUMBER`."""
    ends, weight = (
        (f"{REPORT_NUMBER}_l", f"{REPORT_NUMBER}_r"),
        pl.col("match_weight").round(WEIGHT_DECIMALS).alias("weight"),
    )
    pairs = pairs.select(pl.min_horizontal(ends).alias("l"), pl.max_horizontal(ends).alias("r"), weight).sort("l", "r")
    return pl.DataFrame({"a": ids[pairs["l"]], "b": ids[pairs["r"]], "weight": pairs["weight"]}, schema=SCORED_PAIR)


def field_weights(pairs: pl.DataFrame, reports: pl.DataFrame, model: MatchModel) -> pl.DataFrame:
    """Return the match weight of each field of each pair (a, b), whether or not blocking finds the pair.

    Columns: a, b, field, level (its label), bits (match weight), frequency_bits (added by the value's rarity). Field
    `(prior)` has the odds before anything is compared. The bits of a pair add up to its match weight.
    """
    numbered = pairs.select("a", "b").with_row_index("_pair")
    sides = [
        numbered.select("_pair", pl.col(end).alias("report_id")).join(reports, on="report_id", maintain_order="left")
        for end in ("a", "b")
    ]
    ordered = pl.concat(sides).with_row_index(REPORT_NUMBER)
    with open_linker(ordered, model.settings, "_pair") as (linker, table, read):
        scored = linker.inference.predict_within(
            table, blocking_rules_to_generate_predictions=["l._pair = r._pair"], threshold_match_weight=LOWEST_WEIGHT,
            warning_mode="never",
        )  # fmt: skip
        rows = read(scored.physical_name)
    rows = rows.with_columns(pl.col("_pair_l").cast(pl.UInt32).alias("_pair")).join(numbered, on="_pair")
    weights = [_prior_weight(rows, model), *(_field_weight(rows, c) for c in model.settings["comparisons"])]
    return pl.concat(weights).sort("a", "b", maintain_order=True)


def _prior_weight(rows: pl.DataFrame, model: MatchModel) -> pl.DataFrame:
    share = model.settings["probability_two_random_records_match"]
    return rows.select(
        "a", "b", pl.lit("(prior)").alias("field"), pl.lit("before anything is compared").alias("level"),
        pl.lit(math.log2(share / (1 - share))).alias("bits"), pl.lit(0.0).alias("frequency_bits"),
    )  # fmt: skip


def _field_weight(rows: pl.DataFrame, comparison: dict[str, Any]) -> pl.DataFrame:
    name = comparison["output_column_name"]
    levels = comparison["comparison_levels"]
    null = [level["label_for_charts"] for level in levels if level.get("is_null_level")]
    others = [level["label_for_charts"] for level in levels if not level.get("is_null_level")]
    labels = {-1: null[0], **dict(zip(range(len(others) - 1, -1, -1), others, strict=True))}
    rarity = pl.col(f"mw_tf_adj_{name}") if f"mw_tf_adj_{name}" in rows.columns else pl.lit(0.0)
    return rows.select(
        "a", "b", pl.lit(name).alias("field"),
        pl.col(f"gamma_{name}").replace_strict(labels, return_dtype=pl.String).alias("level"),
        pl.col(f"mw_{name}").alias("bits"), rarity.alias("frequency_bits"),
    )  # fmt: skip


def reporter_condition(kind: Kind) -> str:
    """Return the condition under which two reports may be compared at all."""
    return " AND l.reported_by <> r.reported_by" if kind.one_report_per_item else ""


def _rules(ordered: pl.DataFrame, kind: Kind) -> list[str | dict[str, Any]]:
    dirty = " AND (l._dirty OR r._dirty)" if "_dirty" in ordered.columns and not ordered["_dirty"].all() else ""
    return pair_rules(kind, f"{reporter_condition(kind)}{dirty}")


def engine_errors() -> tuple[type[Exception], ...]:
    """Return the errors that the engine raises where it cannot estimate or score."""
    import duckdb
    from splink.internals.exceptions import SplinkException

    return (SplinkException, duckdb.Error, ValueError, ArithmeticError, LookupError, TypeError)


def engine_version() -> str:
    """Return the name and version of the engine that scores."""
    import splink

    return f"splink {splink.__version__}"


@contextlib.contextmanager
def open_linker(
    frame: pl.DataFrame, settings: dict[str, Any], *retained_columns: str
) -> Iterator[tuple["Linker", Any, Callable[[str], pl.DataFrame]]]:
    """Yield a linker over the frame, its table, and a reader of tables, on a DuckDB database that is then discarded."""
    import duckdb  # as splink
    from splink import DuckDBAPI, Linker  # takes a second: only where it runs

    retained = {
        "unique_id_column_name": REPORT_NUMBER,
        "additional_columns_to_retain": list(retained_columns),
        "retain_intermediate_calculation_columns": bool(retained_columns),
        "retain_matching_columns": bool(retained_columns),
    }
    frame = _with_second_names(frame, settings)
    logging.getLogger("splink").setLevel(logging.ERROR)  # it would write to the terminal
    connection = duckdb.connect()
    try:
        connection.execute("SET enable_progress_bar = false")  # it would write into what a command prints
        for macro, meaning in _WORD_MACROS.items():
            connection.execute(f"CREATE MACRO {macro} AS {meaning}")
        if any(frame[name].null_count() == frame.height for name in frame.columns):
            # DuckDB 2.0 fails to bind text functions of a column that it knows to be null throughout.
            connection.execute("SET disabled_optimizers = 'statistics_propagation'")
        api = DuckDBAPI(connection)
        frequencies = [c for c in frame.columns if c.startswith(FREQUENCY_PREFIX)]
        table = api.register(frame.drop(frequencies).to_arrow(), dataset_display_name="reports")
        # Validation only writes to the terminal; invalid settings fail anyway.
        linker = Linker(table, settings | retained, log_level=None, validate_settings=False)
        for name in frequencies:
            field = name.removeprefix(FREQUENCY_PREFIX)
            shares = api.register(
                frame.select(field, pl.col(name).alias(f"{SPLINK_FREQUENCY}{field}")).drop_nulls().unique().to_arrow(),
                dataset_display_name=name,
            )
            linker.table_management.register_term_frequency_lookup(shares, field)
        del frame  # the caller may need the memory
        yield linker, table, lambda name: connection.table(name).pl()
    finally:
        connection.close()


def _with_second_names(frame: pl.DataFrame, settings: dict[str, Any]) -> pl.DataFrame:
    """Return the frame with the columns that settings know by a second name (`comparisons.SQL_WORD_PREFIX`)."""
    levels = (level for comparison in settings["comparisons"] for level in comparison["comparison_levels"])
    second = {level.get("tf_adjustment_column") for level in levels} - {None, *frame.columns}
    names = sorted(name for name in second if name.startswith(SQL_WORD_PREFIX) and name[1:] in frame.columns)
    shares = [name for name in names if f"{FREQUENCY_PREFIX}{name[1:]}" in frame.columns]
    renamed = {f"{FREQUENCY_PREFIX}{name[1:]}": f"{FREQUENCY_PREFIX}{name}" for name in shares}
    return frame.with_columns(pl.col(name[1:]).alias(name) for name in names).rename(renamed)
