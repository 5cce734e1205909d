"""The comparisons of a kind as Splink settings: one comparison a field, with its levels from nearest to different."""

from typing import TYPE_CHECKING, Any, Final

from schemas.comparisons import Compare, Contact, parts_of
from schemas.kind import FieldSpec, Kind
from transforms.linkage.blocking import WORD_STEPS_PER_BIT
from transforms.linkage.model import MatchModel
from transforms.preparation.derived import derived_name, words_column
from transforms.preparation.levels import Compared, contact_missing, fixed_levels

if TYPE_CHECKING:
    from collections.abc import Callable

    from splink.internals.comparison_level_creator import ComparisonLevelCreator

PROBABILITIES: Final = ("m_probability", "u_probability")
"""What training estimates for each comparison level."""

# The labels of levels are part of a model's digest. Another wording would make every stored model another one, and a
# model from an earlier version could not be imported. So the wording stays.
MISSING_LABEL: Final = "not told by both"
"""One of the two reports has no value."""
EQUAL_LABEL: Final = "the same"
DIFFERENT_LABEL: Final = "differ"
NEAR_LABELS: Final = {
    "similarity": "alike to {}",
    "edits": "{} edits apart",
    "days": "{:g} days apart",
    "minutes": "{:g} minutes apart",
    "difference": "{:g} apart",
    "proportion": "{:.0%} apart",
    "words": "share {:g} bits",
    "cosine": "words alike to {:g}",
    "kilometres": "{:g} km apart",
    "overlap": "share {}",
    "code": "begin alike ({})",
}
"""The `by` of a comparison -> the label of a level with this limit."""
WORDLESS_EQUAL: Final = ("words", "cosine", "overlap", "kilometres", "model_numbers", "contact")
"""Comparisons for which equality is no more evidence than the nearest declared level."""
SPLINK_FREQUENCY: Final = "tf_"
"""Begins the name of Splink's own column of the frequencies of a field."""
SQL_WORD_PREFIX: Final = "_"
"""Begins the second name of a column whose own name is a word of SQL."""
NEAR_FREQUENCY_WEIGHT: Final = 0.5
"""How much of the rarity of a value counts where two values are near, not equal: half, as they may be two values."""


def splink_settings(kind: Kind) -> dict[str, Any]:
    """Return Splink's settings for a kind, without any estimated probability."""
    import splink.comparison_library as cl  # takes a second: only where it runs
    from splink import SettingsCreator

    comparisons: list[Any] = [
        cl.CustomComparison(output_column_name=name, comparison_levels=_levels(kind, name, field, field.compare))
        for name, field in kind.compared().items()
        if field.compare is not None
    ]
    return SettingsCreator(
        link_type="dedupe_only", comparisons=comparisons, blocking_rules_to_generate_predictions=[],
        max_iterations=1, retain_matching_columns=False,
    ).create_settings_dict("duckdb")  # fmt: skip


def _levels(kind: Kind, name: str, field: FieldSpec, compare: Compare) -> list[Any]:
    """Return the comparison levels, nearest first: null, equal, each declared level, all else."""
    import splink.comparison_level_library as cll  # takes a second: only where it runs

    column = _frequency_column(kind, name) if field.term_frequency else name
    same = cll.ExactMatchLevel(column, term_frequency_adjustments=bool(field.term_frequency)).configure(
        label_for_charts=EQUAL_LABEL
    )
    equal = [] if compare.by in WORDLESS_EQUAL else [same]
    sources = kind.sources_of(name)
    near = [level for part in parts_of(compare) for level in _near_levels(Compared(name, sources, compare), part)]
    if field.term_frequency == "near":
        near = [
            level.configure(tf_adjustment_column=column, tf_adjustment_weight=NEAR_FREQUENCY_WEIGHT) for level in near
        ]
    other = cll.ElseLevel().configure(label_for_charts=DIFFERENT_LABEL)
    return [_null_level(Compared(name, sources, compare)), *equal, *near, other]


def _frequency_column(kind: Kind, name: str) -> str:
    """Return the column of the values whose frequency counts: the field's own, but for a word of SQL.

    Or for a field `x` of a kind that has a field `tf_x` too: Splink gives that name to the column of its frequencies.

    Splink does not find the level of equal values by a name that it has to quote (`order`, `full`). The column then has
    a name that no field can have; `scoring.open_linker` adds it.
    """
    from splink.internals.input_column import InputColumn

    is_plain = InputColumn(name, sqlglot_dialect_str="duckdb").unquote().name == name
    is_free = f"{SPLINK_FREQUENCY}{name}" not in {*kind.fields, *kind.compared()}
    return name if is_plain and is_free else f"{SQL_WORD_PREFIX}{name}"


def _null_level(compared: Compared) -> "ComparisonLevelCreator":
    """Return the level of a pair of which one report has no value."""
    import splink.comparison_level_library as cll

    name, compare = compared.name, compared.compare
    if isinstance(compare, Contact):
        null = cll.CustomLevel(contact_missing(compared, compare))
        return null.configure(is_null_level=True, label_for_charts=MISSING_LABEL)
    if compare.by == "kilometres":
        null = cll.CustomLevel(" OR ".join(f'"{c}_{s}" IS NULL' for c in (name, compare.longitude) for s in "lr"))
        return null.configure(is_null_level=True, label_for_charts=MISSING_LABEL)
    column = derived_name("numbers", name) if compare.by == "model_numbers" else name
    return cll.NullLevel(column).configure(label_for_charts=MISSING_LABEL)


def _near_levels(compared: Compared, compare: Compare) -> list[Any]:
    """Return the declared levels between equal and different of one comparison, or one part of it."""
    import splink.comparison_level_library as cll

    fixed = fixed_levels(compared, compare)
    if fixed:
        return [cll.CustomLevel(sql).configure(label_for_charts=label) for label, sql in fixed]
    name, this, other = compared.name, f'"{compared.name}_l"', f'"{compared.name}_r"'
    words = words_column(name, compared.compare)
    seconds, longitude = f"abs(epoch({this}) - epoch({other}))", getattr(compare, "longitude", "")
    build: dict[str, Callable[[Any], Any]] = {
        "similarity": lambda v: cll.JaroWinklerLevel(name, v),
        "edits": lambda v: cll.DamerauLevenshteinLevel(name, v),
        "days": lambda v: cll.CustomLevel(f"{seconds} <= {v * 86_400}"),
        "minutes": lambda v: cll.CustomLevel(f"{seconds} <= {v * 60}"),
        "difference": lambda v: cll.CustomLevel(f"abs({this} - {other}) <= {v}"),
        "proportion": lambda v: cll.PercentageDifferenceLevel(name, v),
        "words": lambda v: cll.CustomLevel(f'shared_bits("{words}_l", "{words}_r") >= {v * WORD_STEPS_PER_BIT}'),
        "cosine": lambda v: cll.CustomLevel(f'word_cosine("{words}_l", "{words}_r") >= {v}'),
        "kilometres": lambda v: cll.DistanceInKMLevel(name, longitude, v),
        "overlap": lambda v: cll.ArrayIntersectLevel(name, v),
        "code": lambda v: cll.CustomLevel(f"{this}[:{v}] = {other}[:{v}]"),
    }
    limits = getattr(compare, "levels", getattr(compare, "prefixes", ()))
    numbers = [int(v) for v in limits] if compare.by == "edits" else limits
    return [build[compare.by](v).configure(label_for_charts=NEAR_LABELS[compare.by].format(v)) for v in numbers]


def compares_as_declared(model: MatchModel, kind: Kind) -> bool:
    """Return whether a model has the comparisons of its kind, and differs only in the probabilities.

    A model holds SQL that will run: one from elsewhere is accepted only if this is true.
    """
    return _without_learnt(model.settings) == _without_learnt(splink_settings(kind))


def _without_learnt(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings without the parts that training estimates and that Splink adds when it saves them."""
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
