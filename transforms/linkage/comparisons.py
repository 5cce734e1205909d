"""The comparisons of a kind as Splink settings: one comparison a field, with its levels from nearest to different."""

from typing import TYPE_CHECKING, Any, Final

from schemas.comparisons import Compare
from schemas.kind import FieldSpec, Kind
from transforms.linkage.blocking import WORD_STEPS_PER_BIT
from transforms.linkage.model import MatchModel

if TYPE_CHECKING:
    from collections.abc import Callable

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
    "kilometres": "{:g} km apart",
    "overlap": "share {}",
    "code": "begin alike ({})",
}
"""The `by` of a comparison -> the label of a level with this limit."""


def splink_settings(kind: Kind) -> dict[str, Any]:
    """Return Splink's settings for a kind, without any estimated probability."""
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
    """Return the comparison levels, nearest first: null, equal, each declared level, all else."""
    import splink.comparison_level_library as cll  # noqa: PLC0415  takes a second: only where it runs

    compare = field.compare
    assert compare is not None  # noqa: S101  a field of role comparison has one: `FieldSpec`
    same = cll.ExactMatchLevel(name, term_frequency_adjustments=field.term_frequency).configure(
        label_for_charts=EQUAL_LABEL
    )
    null = cll.NullLevel(name).configure(label_for_charts=MISSING_LABEL)
    if compare.by == "kilometres":
        null = cll.CustomLevel(" OR ".join(f'"{c}_{s}" IS NULL' for c in (name, compare.longitude) for s in "lr"))
        null = null.configure(is_null_level=True, label_for_charts=MISSING_LABEL)
    # For these, equality is no more evidence than the nearest declared level.
    equal = [] if compare.by in {"words", "overlap", "kilometres"} else [same]
    return [null, *equal, *_near_levels(name, compare), cll.ElseLevel().configure(label_for_charts=DIFFERENT_LABEL)]


def _near_levels(name: str, compare: Compare) -> list[Any]:
    """Return the declared levels between equal and different."""
    import splink.comparison_level_library as cll  # noqa: PLC0415  takes a second: only where it runs

    this, other = f'"{name}_l"', f'"{name}_r"'
    seconds, longitude = f"abs(epoch({this}) - epoch({other}))", getattr(compare, "longitude", "")
    build: dict[str, Callable[[Any], Any]] = {
        "similarity": lambda v: cll.JaroWinklerLevel(name, v),
        "edits": lambda v: cll.DamerauLevenshteinLevel(name, v),
        "days": lambda v: cll.CustomLevel(f"{seconds} <= {v * 86_400}"),
        "minutes": lambda v: cll.CustomLevel(f"{seconds} <= {v * 60}"),
        "difference": lambda v: cll.CustomLevel(f"abs({this} - {other}) <= {v}"),
        "proportion": lambda v: cll.PercentageDifferenceLevel(name, v),
        "words": lambda v: cll.CustomLevel(f"shared_bits({this}, {other}) >= {v * WORD_STEPS_PER_BIT}"),
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
