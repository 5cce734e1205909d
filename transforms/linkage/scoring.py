"""Scored pairs of reports: Splink's Fellegi-Sunter model on DuckDB. The only module that knows Splink.

`train` estimates a model from the candidate pairs themselves, with no truth: u by expectation maximisation beside m,
started from Splink's random sampling, on the pairs that the blocking rules find. `score` is a pure function of two
reports and the model: frequencies and word weights are the model's, never those of the night.
"""

import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from schemas.errors import TrainingError
from schemas.kind import Compare, FieldSpec, Kind, Words
from transforms.identity import digest, lanes
from transforms.linkage.blocking import (
    BLOCK,
    FREQUENCY,
    LEAST_BITS,
    SPAN,
    STEPS,
    comparable,
    scored_columns,
    without_blocks,
    words_of,
)
from transforms.linkage.candidates import over_limit
from transforms.linkage.model import PLACES, Frequencies, Model, WordWeights, bits, review, rounded

if TYPE_CHECKING:
    from splink import Linker

RANDOM_PAIRS: Final = 300_000
"""Pairs at random from which u is first estimated: where expectation maximisation starts, no more."""
SAMPLED_PAIRS: Final = 2_000_000
"""Pairs of the blocks on which a model is trained, at most."""
ITERATIONS: Final = 25
CONVERGED: Final = 0.005
"""Expectation maximisation ends when no probability moves by more."""
LEAST_SHARE_COUNT: Final = 2
LEAST_WORD_COUNT: Final = 4
"""Values and words that fewer reports hold are not named in a model: they are as rare as can be."""
NEGLIGIBLE: Final = 10.0
"""Bits below even odds from which a pair is not worth counting, some thousandth of a match."""
PROBABILITIES: Final = ("m_probability", "u_probability")
NOTHING: Final = -1e3
"""A match weight below all."""
EDGES: Final = {"a": pl.String, "b": pl.String, "weight": pl.Float64}


def score(reports: pl.DataFrame, kind: Kind, model: Model, floor: float | None = None) -> pl.DataFrame:
    """Return the pairs that blocking finds and that score at least `floor` bits (default the review threshold).

    Reports are as `comparable` gives them, each once; with a Boolean column `dirty`, only pairs in which one is dirty.
    Returns a, b (report ids, a < b) and weight (Float64, log2 of the odds of a match), sorted.
    """
    if not kind.blocking or reports.height < 2:  # noqa: PLR2004  a pair
        return pl.DataFrame(schema=EDGES)
    if not reports["report_id"].is_sorted():
        reports = reports.sort("report_id")
    ids, rules, ends = reports["report_id"], _rules(reports, kind), ("unique_id_l", "unique_id_r")
    least = review(kind, model) if floor is None else floor
    with _linker(reports.drop("report_id").with_row_index("unique_id"), model.settings) as (linker, table, read):
        del reports  # DuckDB has its own by now, and needs the memory
        found = linker.inference.predict_within(
            table, blocking_rules_to_generate_predictions=[*rules], threshold_match_weight=least, warning_mode="never"
        )
        pairs = read(found.physical_name)
    weight = pl.col("match_weight").round(PLACES).alias("weight")
    pairs = pairs.select(pl.min_horizontal(ends).alias("l"), pl.max_horizontal(ends).alias("r"), weight).sort("l", "r")
    return pl.DataFrame({"a": ids[pairs["l"]], "b": ids[pairs["r"]], "weight": pairs["weight"]}, schema=EDGES)


def weigh(pairs: pl.DataFrame, reports: pl.DataFrame, model: Model) -> pl.DataFrame:
    """Return what each field says of each pair (a, b): one row a pair and field, whatever blocking would have said.

    Columns: a, b, field, level (its label), bits (match weight), frequency_bits (what the value's rarity adds), and
    for field `(prior)` the odds before anything is compared. The bits of a pair add up to its match weight.
    """
    named = pairs.select("a", "b").with_row_index("pair")
    sides = [
        named.select("pair", pl.col(end).alias("report_id")).join(reports, on="report_id", maintain_order="left")
        for end in ("a", "b")
    ]
    ordered = pl.concat(sides).with_row_index("unique_id")
    with _linker(ordered, model.settings, "pair") as (linker, table, read):
        found = linker.inference.predict_within(
            table, blocking_rules_to_generate_predictions=["l.pair = r.pair"], threshold_match_weight=NOTHING,
            warning_mode="never",
        )  # fmt: skip
        told = read(found.physical_name)
    told = told.with_columns(pl.col("pair_l").cast(pl.UInt32).alias("pair")).join(named, on="pair")
    said = [_prior(told, model), *(_said(told, comparison) for comparison in model.settings["comparisons"])]
    return pl.concat(said).sort("a", "b", maintain_order=True)


def _prior(told: pl.DataFrame, model: Model) -> pl.DataFrame:
    share = model.settings["probability_two_random_records_match"]
    return told.select(
        "a", "b", pl.lit("(prior)").alias("field"), pl.lit("before anything is compared").alias("level"),
        pl.lit(math.log2(share / (1 - share))).alias("bits"), pl.lit(0.0).alias("frequency_bits"),
    )  # fmt: skip


def _said(told: pl.DataFrame, comparison: dict[str, Any]) -> pl.DataFrame:
    name = comparison["output_column_name"]
    levels = comparison["comparison_levels"]
    null = [level["label_for_charts"] for level in levels if level.get("is_null_level")]
    others = [level["label_for_charts"] for level in levels if not level.get("is_null_level")]
    labels = {-1: null[0], **dict(zip(range(len(others) - 1, -1, -1), others, strict=True))}
    rarity = pl.col(f"mw_tf_adj_{name}") if f"mw_tf_adj_{name}" in told.columns else pl.lit(0.0)
    return told.select(
        "a", "b", pl.lit(name).alias("field"),
        pl.col(f"gamma_{name}").replace_strict(labels, return_dtype=pl.String).alias("level"),
        pl.col(f"mw_{name}").alias("bits"), rarity.alias("frequency_bits"),
    )  # fmt: skip


def train(reports: pl.DataFrame, kind: Kind) -> Model:
    """Estimate a model of a kind from its reports (`report_id`, `reported_by`, the kind's fields); no truth is used.

    The result does not depend on the order of the reports.
    """
    ordered = reports.sort("report_id")
    folded = comparable(ordered, kind)
    bare = Model(kind.kind, kind.match_digest(), {}, _frequencies(folded, kind), _word_weights(folded, kind), 0, {})
    compared = comparable(ordered, kind, bare)
    compared = without_blocks(compared, over_limit(compared, kind), kind)
    with _linker(compared.sort("report_id").with_row_index("unique_id"), _settings(kind)) as (linker, _, _):
        linker.training.estimate_u_using_random_sampling(max_pairs=RANDOM_PAIRS)
        settings = linker.misc.save_model_to_json()
    settings = _expectation_maximisation(_once_a_rule(compared, kind), kind, _bounded(settings, compared.height))
    settings = _unseen_say_nothing(settings, compared.height)
    settings.pop("linker_uid", None)  # Splink draws it anew each time: no part of what was learnt
    return _with_threshold(replace(bare, settings=settings), compared, kind)


def as_declared(model: Model, kind: Kind) -> bool:
    """Tell whether a model compares as its kind says, and training chose no more than its probabilities.

    A model holds SQL that is run: one that came from elsewhere is taken only if this says so.
    """
    return _without_learnt(model.settings) == _without_learnt(_settings(kind))


def _without_learnt(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings without what training learns and what Splink adds when it saves them."""
    learnt = {"comparisons", "probability_two_random_records_match", "linker_uid", "sql_dialect"}
    comparisons = [
        {
            **comparison,
            "comparison_levels": [
                {k: v for k, v in level.items() if k not in PROBABILITIES} for level in comparison["comparison_levels"]
            ],
        }
        for comparison in settings["comparisons"]
    ]
    return {k: v for k, v in settings.items() if k not in learnt} | {"comparisons": comparisons}


def _expectation_maximisation(candidates: pl.DataFrame, kind: Kind, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings as estimated on the candidate pairs, started from the settings given.

    One iteration at a time, and no probability is let below what so many reports can show: where a level sets matches
    apart cleanly it would run away to zero.
    """
    reports = candidates["report_id"].n_unique()
    for _ in range(ITERATIONS):
        before = settings
        with _linker(candidates, settings) as (linker, _, _):
            try:
                linker.training.estimate_parameters_using_expectation_maximisation(
                    _training_rule(kind), fix_u_probabilities=kind.chance == "random", max_pairs=SAMPLED_PAIRS,
                    populate_probability_two_random_records_match_from_trained_values=True,
                )  # fmt: skip
            except ValueError as error:
                raise TrainingError(
                    f"{kind.kind}: no model can be estimated from {reports} reports ({error}): expected reports that"
                    " share blocking values and are not all alike; deliver more, or make the blocking rules coarser"
                ) from error
            settings = rounded(_bounded(linker.misc.save_model_to_json(), reports))
        if _moved(before, settings) < CONVERGED:
            break
    return settings


def _bounded(settings: dict[str, Any], reports: int) -> dict[str, Any]:
    """Return the settings with no probability below what that many reports can show: no one field decides alone."""
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            for name in PROBABILITIES:
                if isinstance(level.get(name), float):
                    level[name] = max(level[name], 1 / max(reports, 2))
    return settings


def _unseen_say_nothing(settings: dict[str, Any], reports: int) -> dict[str, Any]:
    """Return the settings with the levels that no pair was on at zero bits: Splink would weigh them by a default."""
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            if not level.get("is_null_level") and not all(isinstance(level.get(name), float) for name in PROBABILITIES):
                level.update(dict.fromkeys(PROBABILITIES, rounded(1 / max(reports, 2))))
    return settings


def _moved(before: dict[str, Any], after: dict[str, Any]) -> float:
    """Return the largest change of any probability."""
    sides = [
        [level.get(p) for c in s["comparisons"] for level in c["comparison_levels"] for p in PROBABILITIES]
        for s in (before, after)
    ]
    both = zip(*sides, strict=True)
    return max(abs(new - old) if None not in {old, new} else float(old is not new) for old, new in both)


def _with_threshold(model: Model, compared: pl.DataFrame, kind: Kind) -> Model:
    """Return the model with its best threshold, and what it saw."""
    weights = score(compared, kind, model, floor=-NEGLIGIBLE)["weight"]
    seen = {"reports": compared.height, "likely_pairs": weights.len(), "data": data_digest(compared)}
    return replace(model, best=best_f1(weights), seen=seen | {"engine": _engine()})


def best_f1(weights: pl.Series) -> float:
    """Return the match weight that gives the highest F1 to be expected, by the model's own probabilities.

    Choosing all pairs of at least probability t, of n pairs with probabilities p: expected F1 is 2 * sum(p >= t) /
    (n(p >= t) + sum(p)). Its optimum lies at half the F1 reached (Lipton, Elkan and Naryanaswamy, 2014).
    """
    odds = pl.col("weight").clip(-60, 60)
    chosen = weights.sort(descending=True).to_frame("weight").select(p=1 / (1 + (-odds * math.log(2)).exp()))
    f1 = 2 * pl.col("p").cum_sum() / (pl.int_range(1, pl.len() + 1) + pl.col("p").sum())
    reached = chosen.select(f1.max()).item()
    return bits(min(max((reached or 0.0) / 2, 0.25), 0.5))


def data_digest(compared: pl.DataFrame) -> str:
    """Return 32 hex characters over the reports that a model was trained on, in any order."""
    sums = compared.select(lanes(pl.col("report_id"), *(pl.col(c) for c in compared.columns if c.startswith(BLOCK))))
    return digest(sums.sum().row(0))


def _engine() -> str:
    import splink  # noqa: PLC0415  takes a second: only where it runs

    return f"splink {splink.__version__}"


def _frequencies(folded: pl.DataFrame, kind: Kind) -> dict[str, Frequencies]:
    found = {}
    for name, field in kind.compared().items():
        if field.term_frequency:
            held = folded[name].cast(pl.String).drop_nulls()
            counts = held.value_counts(name="reports").filter(pl.col("reports") >= LEAST_SHARE_COUNT).sort(name)
            shares = {value: rounded(n / held.len()) for value, n in counts.iter_rows()}
            found[name] = Frequencies(shares, rounded(1 / max(held.len(), 1)))
    return found


def _word_weights(folded: pl.DataFrame, kind: Kind) -> dict[str, WordWeights]:
    found = {}
    for name, field in kind.compared().items():
        if isinstance(field.compare, Words):
            texts = folded.select(words_of(pl.col(name)).alias("word")).drop_nulls()
            counts = texts.explode("word").drop_nulls().group_by("word").agg(pl.len().alias("texts"))
            counts = counts.filter(pl.col("texts") >= LEAST_WORD_COUNT).sort("word")
            weights = {word: round(math.log2(max(texts.height, 1) / n), 1) for word, n in counts.iter_rows()}
            rarest = max(LEAST_BITS, round(math.log2(max(texts.height, 2) / 2), 1))
            found[name] = WordWeights(weights, rarest)
    return found


def _settings(kind: Kind) -> dict[str, Any]:
    import splink.comparison_library as cl  # noqa: PLC0415  takes a second: only where it runs
    from splink import SettingsCreator  # noqa: PLC0415  same

    comparisons: list[Any] = [
        cl.CustomComparison(output_column_name=name, comparison_levels=_levels(name, field))
        for name, field in kind.compared().items()
    ]
    return SettingsCreator(
        link_type="dedupe_only", comparisons=comparisons, blocking_rules_to_generate_predictions=[],
        max_iterations=1, retain_matching_columns=False,
    ).create_settings_dict("duckdb")  # fmt: skip


def _levels(name: str, field: FieldSpec) -> list[Any]:
    """Return the comparison's levels, nearest first: null, the same, each declared level, all else."""
    import splink.comparison_level_library as cll  # noqa: PLC0415  takes a second: only where it runs

    compare = field.compare
    assert compare is not None  # noqa: S101  a field of role comparison has one: `FieldSpec`
    near = [level.configure(label_for_charts=label) for level, label in _near(name, compare)]
    same = cll.ExactMatchLevel(name, term_frequency_adjustments=field.term_frequency).configure(
        label_for_charts="the same"
    )
    null = cll.NullLevel(name).configure(label_for_charts="not told by both")
    if compare.by == "kilometres":
        null = cll.CustomLevel(" OR ".join(f'"{c}_{s}" IS NULL' for c in (name, compare.longitude) for s in "lr"))
        null = null.configure(is_null_level=True, label_for_charts="not told by both")
    alone = compare.by in {"words", "overlap", "kilometres"}  # equality says no more than the highest level
    return [null, *([] if alone else [same]), *near, cll.ElseLevel().configure(label_for_charts="differ")]


def _near(name: str, compare: Compare) -> list[tuple[Any, str]]:
    """Return the levels between equal and different, as Splink has them, each with its label."""
    import splink.comparison_level_library as cll  # noqa: PLC0415  takes a second: only where it runs

    left, right = f'"{name}_l"', f'"{name}_r"'
    seconds, longitude = f"abs(epoch({left}) - epoch({right}))", getattr(compare, "longitude", "")
    build: dict[str, Callable[[Any], tuple[Any, str]]] = {
        "similarity": lambda v: (cll.JaroWinklerLevel(name, v), f"alike to {v}"),
        "edits": lambda v: (cll.DamerauLevenshteinLevel(name, int(v)), f"{int(v)} edits apart"),
        "days": lambda v: (cll.CustomLevel(f"{seconds} <= {v * 86_400}"), f"{v:g} days apart"),
        "minutes": lambda v: (cll.CustomLevel(f"{seconds} <= {v * 60}"), f"{v:g} minutes apart"),
        "difference": lambda v: (cll.CustomLevel(f"abs({left} - {right}) <= {v}"), f"{v:g} apart"),
        "proportion": lambda v: (cll.PercentageDifferenceLevel(name, v), f"{v:.0%} apart"),
        "words": lambda v: (cll.CustomLevel(f"shared_bits({left}, {right}) >= {v * STEPS}"), f"share {v:g} bits"),
        "kilometres": lambda v: (cll.DistanceInKMLevel(name, longitude, v), f"{v:g} km apart"),
        "overlap": lambda v: (cll.ArrayIntersectLevel(name, v), f"share {v}"),
        "code": lambda v: (cll.CustomLevel(f"{left}[:{v}] = {right}[:{v}]"), f"begin alike ({v})"),
    }
    return [build[compare.by](v) for v in getattr(compare, "levels", getattr(compare, "prefixes", ()))]


def _apart(kind: Kind) -> str:
    """Return the condition that a pair may be compared at all."""
    return " AND l.reported_by <> r.reported_by" if kind.one_report_per_item else ""


def _rules(ordered: pl.DataFrame, kind: Kind) -> list[str]:
    moved = " AND (l.dirty OR r.dirty)" if "dirty" in ordered.columns and not ordered["dirty"].all() else ""
    return [f"l.{key} = r.{key}{_apart(kind)}{moved}" for key in scored_columns(kind)]


def _once_a_rule(compared: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return each report once for every rule it has a key of: `rule`, `key`; so one rule finds all candidate pairs."""
    rows = [
        compared.filter(pl.col(name).is_not_null()).with_columns(pl.lit(n).alias("rule"), pl.col(name).alias("key"))
        for n, name in enumerate(scored_columns(kind))
    ]
    return pl.concat(rows).sort("report_id", "rule").with_row_index("unique_id")


def _training_rule(kind: Kind) -> str:
    """Return the rule that finds every candidate pair once: at the first of the rules that it shares."""
    first = " AND ".join(
        f"(l.rule <= {n} OR NOT coalesce(l.{name} = r.{name}, false))" for n, name in enumerate(scored_columns(kind))
    )
    return f"l.key = r.key AND l.rule = r.rule AND {first}{_apart(kind)}"


@contextlib.contextmanager
def _linker(
    frame: pl.DataFrame, settings: dict[str, Any], *kept: str
) -> Iterator[tuple["Linker", Any, Callable[[str], pl.DataFrame]]]:
    """Give a linker over the frame, its table, and how to read others: on a DuckDB of its own, gone afterwards."""
    import duckdb  # noqa: PLC0415  as splink
    from splink import DuckDBAPI, Linker  # noqa: PLC0415  takes a second: only where it runs

    retained = {
        "additional_columns_to_retain": list(kept),
        "retain_intermediate_calculation_columns": bool(kept),
        "retain_matching_columns": bool(kept),
    }
    logging.getLogger("splink").setLevel(logging.ERROR)  # it writes to the terminal otherwise
    connection = duckdb.connect()
    try:
        connection.execute(
            "CREATE MACRO shared_bits(a, b) AS "
            f"coalesce(list_sum(list_transform(list_intersect(a, b), lambda x: x % {SPAN})), 0)"
        )
        api = DuckDBAPI(connection)
        counted = [c for c in frame.columns if c.startswith(FREQUENCY)]
        table = api.register(frame.drop(counted).to_arrow(), dataset_display_name="reports")
        # What validating finds it only writes to the terminal; what is wrong fails all the same.
        linker = Linker(table, settings | retained, log_level=None, validate_settings=False)
        for name in counted:
            field = name.removeprefix(FREQUENCY)
            shares = api.register(frame.select(field, name).drop_nulls().unique().to_arrow(), dataset_display_name=name)
            linker.table_management.register_term_frequency_lookup(shares, field)
        del frame  # whoever asked for the linker may need the memory
        yield linker, table, lambda name: connection.table(name).pl()
    finally:
        connection.close()
