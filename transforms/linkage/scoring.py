"""Scored pairs of reports, and training: Splink's Fellegi-Sunter model on DuckDB.

`estimate_model` is unsupervised: expectation maximisation estimates m and u on the pairs that the blocking rules find,
and u starts from Splink's random sampling. `score_pairs` depends on the two reports and the model alone: frequencies
and word weights are the model's, never those of the reports at hand.
"""

import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from schemas.comparisons import Words
from schemas.errors import TrainingError
from schemas.kind import Kind
from transforms.identity import digest, lanes
from transforms.linkage.blocking import (
    BLOCK_PREFIX,
    FREQUENCY_PREFIX,
    MIN_WORD_BITS,
    WORD_WEIGHT_SPAN,
    distinct_words,
    prepare_comparison,
    scored_key_columns,
    without_capped_keys,
)
from transforms.linkage.candidates import blocks_over_limit
from transforms.linkage.comparisons import PROBABILITIES, splink_settings
from transforms.linkage.model import (
    WEIGHT_DECIMALS,
    Frequencies,
    MatchModel,
    WordWeights,
    match_weight,
    review_threshold,
    round_floats,
)

if TYPE_CHECKING:
    from splink import Linker

MAX_RANDOM_PAIRS: Final = 300_000
"""Random pairs for the first estimate of u, from which expectation maximisation starts."""
MAX_TRAINING_PAIRS: Final = 2_000_000
"""Candidate pairs that a model is trained on, at most."""
MAX_ITERATIONS: Final = 25
CONVERGENCE_TOLERANCE: Final = 0.005
"""Expectation maximisation ends when no probability changes by more."""
MIN_VALUE_COUNT: Final = 2
MIN_WORD_COUNT: Final = 4
"""A model does not list values and words that fewer reports have: they count as the rarest."""
NEGLIGIBLE_BITS: Final = 10.0
"""Bits below even odds from which a pair counts for nothing: about a thousandth of a match."""
LOWEST_WEIGHT: Final = -1e3
"""A match weight below all others."""
SCORED_PAIR: Final = {"a": pl.String, "b": pl.String, "weight": pl.Float64}


def score_pairs(reports: pl.DataFrame, kind: Kind, model: MatchModel, floor: float | None = None) -> pl.DataFrame:
    """Return the candidate pairs that score at least `floor` bits (by default the review threshold).

    reports: from `prepare_comparison`, each once; with a Boolean column `dirty`, only pairs with a dirty report are
    scored. Returns a, b (report ids, a < b) and weight (Float64, log2 of the odds of a match), sorted.
    """
    if not kind.blocking or reports.height < 2:  # noqa: PLR2004  a pair
        return pl.DataFrame(schema=SCORED_PAIR)
    if not reports["report_id"].is_sorted():
        reports = reports.sort("report_id")
    ids, rules, ends = reports["report_id"], _rules(reports, kind), ("unique_id_l", "unique_id_r")
    least = review_threshold(kind, model) if floor is None else floor
    with _linker(reports.drop("report_id").with_row_index("unique_id"), model.settings) as (linker, table, read):
        del reports  # DuckDB has its own copy, and needs the memory
        scored = linker.inference.predict_within(
            table, blocking_rules_to_generate_predictions=[*rules], threshold_match_weight=least, warning_mode="never"
        )
        pairs = read(scored.physical_name)
    weight = pl.col("match_weight").round(WEIGHT_DECIMALS).alias("weight")
    pairs = pairs.select(pl.min_horizontal(ends).alias("l"), pl.max_horizontal(ends).alias("r"), weight).sort("l", "r")
    return pl.DataFrame({"a": ids[pairs["l"]], "b": ids[pairs["r"]], "weight": pairs["weight"]}, schema=SCORED_PAIR)


def field_weights(pairs: pl.DataFrame, reports: pl.DataFrame, model: MatchModel) -> pl.DataFrame:
    """Return the match weight of each field of each pair (a, b), whether or not blocking finds the pair.

    Columns: a, b, field, level (its label), bits (match weight), frequency_bits (added by the value's rarity). Field
    `(prior)` has the odds before anything is compared. The bits of a pair add up to its match weight.
    """
    numbered = pairs.select("a", "b").with_row_index("pair")
    sides = [
        numbered.select("pair", pl.col(end).alias("report_id")).join(reports, on="report_id", maintain_order="left")
        for end in ("a", "b")
    ]
    ordered = pl.concat(sides).with_row_index("unique_id")
    with _linker(ordered, model.settings, "pair") as (linker, table, read):
        scored = linker.inference.predict_within(
            table, blocking_rules_to_generate_predictions=["l.pair = r.pair"], threshold_match_weight=LOWEST_WEIGHT,
            warning_mode="never",
        )  # fmt: skip
        rows = read(scored.physical_name)
    rows = rows.with_columns(pl.col("pair_l").cast(pl.UInt32).alias("pair")).join(numbered, on="pair")
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


def estimate_model(reports: pl.DataFrame, kind: Kind) -> MatchModel:
    """Estimate a model of a kind from its reports (`report_id`, `reported_by`, the kind's fields), without a truth.

    The result does not depend on the order of the reports.
    """
    ordered = reports.sort("report_id")
    folded = prepare_comparison(ordered, kind)
    bare = MatchModel(
        kind.kind, kind.match_digest(), {}, _frequencies(folded, kind), _word_weights(folded, kind), 0, {}
    )
    compared = prepare_comparison(ordered, kind, bare)
    compared = without_capped_keys(compared, blocks_over_limit(compared, kind), kind)
    with _linker(compared.sort("report_id").with_row_index("unique_id"), splink_settings(kind)) as (linker, _, _):
        linker.training.estimate_u_using_random_sampling(max_pairs=MAX_RANDOM_PAIRS)
        settings = linker.misc.save_model_to_json()
    settings = _expectation_maximisation(_row_per_rule(compared, kind), kind, _bounded(settings, compared.height))
    settings = _neutral_unseen_levels(settings, compared.height)
    settings.pop("linker_uid", None)  # random in each run of Splink, so no part of the model
    return _with_threshold(replace(bare, settings=settings), compared, kind)


def _expectation_maximisation(candidates: pl.DataFrame, kind: Kind, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings as estimated on the candidate pairs, starting from the given ones.

    It runs one iteration at a time to keep every probability above what so many reports can show: where a level
    separates matches cleanly, a probability would otherwise converge to zero.
    """
    reports = candidates["report_id"].n_unique()
    for _ in range(MAX_ITERATIONS):
        before = settings
        with _linker(candidates, settings) as (linker, _, _):
            try:
                linker.training.estimate_parameters_using_expectation_maximisation(
                    _training_rule(kind), fix_u_probabilities=kind.chance == "random", max_pairs=MAX_TRAINING_PAIRS,
                    populate_probability_two_random_records_match_from_trained_values=True,
                )  # fmt: skip
            except ValueError as error:
                raise TrainingError(
                    f"{kind.kind}: no model can be estimated from {reports} reports ({error}): expected reports that"
                    " share blocking keys and are not all alike; deliver more, or make the blocking rules coarser"
                ) from error
            settings = round_floats(_bounded(linker.misc.save_model_to_json(), reports))
        if _largest_change(before, settings) < CONVERGENCE_TOLERANCE:
            break
    return settings


def _bounded(settings: dict[str, Any], reports: int) -> dict[str, Any]:
    """Return the settings with no probability below what so many reports can show, so that no field decides alone."""
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            for name in PROBABILITIES:
                if isinstance(level.get(name), float):
                    level[name] = max(level[name], 1 / max(reports, 2))
    return settings


def _neutral_unseen_levels(settings: dict[str, Any], reports: int) -> dict[str, Any]:
    """Return the settings with zero bits for levels that no pair was on, instead of Splink's default weight."""
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            if not level.get("is_null_level") and not all(isinstance(level.get(name), float) for name in PROBABILITIES):
                level.update(dict.fromkeys(PROBABILITIES, round_floats(1 / max(reports, 2))))
    return settings


def _largest_change(before: dict[str, Any], after: dict[str, Any]) -> float:
    """Return the largest change of any probability."""
    sides = [
        [level.get(p) for c in s["comparisons"] for level in c["comparison_levels"] for p in PROBABILITIES]
        for s in (before, after)
    ]
    both = zip(*sides, strict=True)
    return max(abs(new - old) if None not in {old, new} else float(old is not new) for old, new in both)


def _with_threshold(model: MatchModel, compared: pl.DataFrame, kind: Kind) -> MatchModel:
    """Return the model with its best threshold and a description of its training data."""
    weights = score_pairs(compared, kind, model, floor=-NEGLIGIBLE_BITS)["weight"]
    seen = {"reports": compared.height, "likely_pairs": weights.len(), "data": training_data_digest(compared)}
    return replace(model, best=best_f1_threshold(weights), seen=seen | {"engine": _engine()})


def best_f1_threshold(weights: pl.Series) -> float:
    """Return the match weight with the highest expected F1, by the model's own probabilities.

    If all pairs of at least probability t are chosen, out of pairs with probabilities p, the expected F1 is
    2 * sum(p >= t) / (n(p >= t) + sum(p)). Its optimum lies at half the F1 reached (Lipton, Elkan and Naryanaswamy,
    2014).
    """
    odds = pl.col("weight").clip(-60, 60)
    chosen = weights.sort(descending=True).to_frame("weight").select(p=1 / (1 + (-odds * math.log(2)).exp()))
    f1 = 2 * pl.col("p").cum_sum() / (pl.int_range(1, pl.len() + 1) + pl.col("p").sum())
    reached = chosen.select(f1.max()).item()
    return match_weight(min(max((reached or 0.0) / 2, 0.25), 0.5))


def training_data_digest(compared: pl.DataFrame) -> str:
    """Return 32 hex characters over the reports that a model was trained on, whatever their order."""
    sums = compared.select(
        lanes(pl.col("report_id"), *(pl.col(c) for c in compared.columns if c.startswith(BLOCK_PREFIX)))
    )
    return digest(sums.sum().row(0))


def _engine() -> str:
    import splink  # noqa: PLC0415  takes a second: only where it runs

    return f"splink {splink.__version__}"


def _frequencies(folded: pl.DataFrame, kind: Kind) -> dict[str, Frequencies]:
    frequencies = {}
    for name, field in kind.compared().items():
        if field.term_frequency:
            values = folded[name].cast(pl.String).drop_nulls()
            counts = values.value_counts(name="reports").filter(pl.col("reports") >= MIN_VALUE_COUNT).sort(name)
            shares = {value: round_floats(n / values.len()) for value, n in counts.iter_rows()}
            frequencies[name] = Frequencies(shares, round_floats(1 / max(values.len(), 1)))
    return frequencies


def _word_weights(folded: pl.DataFrame, kind: Kind) -> dict[str, WordWeights]:
    word_weights = {}
    for name, field in kind.compared().items():
        if isinstance(field.compare, Words):
            texts = folded.select(distinct_words(pl.col(name)).alias("word")).drop_nulls()
            counts = texts.explode("word").drop_nulls().group_by("word").agg(pl.len().alias("texts"))
            counts = counts.filter(pl.col("texts") >= MIN_WORD_COUNT).sort("word")
            weights = {word: round(math.log2(max(texts.height, 1) / n), 1) for word, n in counts.iter_rows()}
            rarest = max(MIN_WORD_BITS, round(math.log2(max(texts.height, 2) / 2), 1))
            word_weights[name] = WordWeights(weights, rarest)
    return word_weights


def _reporter_condition(kind: Kind) -> str:
    """Return the condition under which two reports may be compared at all."""
    return " AND l.reported_by <> r.reported_by" if kind.one_report_per_item else ""


def _rules(ordered: pl.DataFrame, kind: Kind) -> list[str]:
    dirty = " AND (l.dirty OR r.dirty)" if "dirty" in ordered.columns and not ordered["dirty"].all() else ""
    return [f"l.{key} = r.{key}{_reporter_condition(kind)}{dirty}" for key in scored_key_columns(kind)]


def _row_per_rule(compared: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return each report once for every rule it has a key of (`rule`, `key`): one rule finds all candidate pairs."""
    rows = [
        compared.filter(pl.col(name).is_not_null()).with_columns(pl.lit(n).alias("rule"), pl.col(name).alias("key"))
        for n, name in enumerate(scored_key_columns(kind))
    ]
    return pl.concat(rows).sort("report_id", "rule").with_row_index("unique_id")


def _training_rule(kind: Kind) -> str:
    """Return the rule that finds every candidate pair once, at the first blocking rule that its reports share."""
    first = " AND ".join(
        f"(l.rule <= {n} OR NOT coalesce(l.{name} = r.{name}, false))"
        for n, name in enumerate(scored_key_columns(kind))
    )
    return f"l.key = r.key AND l.rule = r.rule AND {first}{_reporter_condition(kind)}"


@contextlib.contextmanager
def _linker(
    frame: pl.DataFrame, settings: dict[str, Any], *retained_columns: str
) -> Iterator[tuple["Linker", Any, Callable[[str], pl.DataFrame]]]:
    """Yield a linker over the frame, its table, and a reader of tables, on a DuckDB database that is then discarded."""
    import duckdb  # noqa: PLC0415  as splink
    from splink import DuckDBAPI, Linker  # noqa: PLC0415  takes a second: only where it runs

    retained = {
        "additional_columns_to_retain": list(retained_columns),
        "retain_intermediate_calculation_columns": bool(retained_columns),
        "retain_matching_columns": bool(retained_columns),
    }
    logging.getLogger("splink").setLevel(logging.ERROR)  # it would write to the terminal
    connection = duckdb.connect()
    try:
        connection.execute(
            "CREATE MACRO shared_bits(a, b) AS "
            f"coalesce(list_sum(list_transform(list_intersect(a, b), lambda x: x % {WORD_WEIGHT_SPAN})), 0)"
        )
        api = DuckDBAPI(connection)
        frequencies = [c for c in frame.columns if c.startswith(FREQUENCY_PREFIX)]
        table = api.register(frame.drop(frequencies).to_arrow(), dataset_display_name="reports")
        # Validation only writes to the terminal; invalid settings fail anyway.
        linker = Linker(table, settings | retained, log_level=None, validate_settings=False)
        for name in frequencies:
            field = name.removeprefix(FREQUENCY_PREFIX)
            shares = api.register(frame.select(field, name).drop_nulls().unique().to_arrow(), dataset_display_name=name)
            linker.table_management.register_term_frequency_lookup(shares, field)
        del frame  # the caller may need the memory
        yield linker, table, lambda name: connection.table(name).pl()
    finally:
        connection.close()
