"""What the blocking rules of a kind bring together, before anything is trained: pairs, blocks, an estimate of recall.

Recall is estimated by capture and recapture: of the likely pairs that rules on other fields find, a rule should find as
many as of all. It is an estimate from above where the errors of two fields go together, and there is none where all
rules read the same field.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from schemas.blocking import rule_in_words
from schemas.kind import Kind
from transforms.linkage.blocking import block_sizes, prepare_comparison, scored_key_columns, without_capped_keys
from transforms.linkage.candidates import blocks_over_limit, limited_kind, reports_by_key

MAX_CAPTURED: Final = 3_000_000
"""Pairs that the estimate looks at, about: of more, those of some reports are drawn by their ids."""
LIKELY_SHARE: Final = 0.6
"""Share of the fields given by both in which a likely pair agrees."""
LIKELY_FIELDS: Final = 2
"""Fields in which a likely pair agrees, at least."""
SHARED_WORDS: Final = 0.5
"""Share of their words that two texts have in common to agree."""
FEWEST_LIKELY: Final = 10
"""Likely pairs without which nothing is estimated."""
LARGEST_SHOWN: Final = 3


@dataclass(frozen=True)
class BlockReport:
    """What blocking does with some reports.

    rules: one row a rule, see `_rule_row`. pairs: distinct candidate pairs of all rules. recall: the estimated share of
    true pairs among them, None if it cannot be estimated; likely: the pairs it is estimated from.
    """

    reports: int
    rules: list[dict[str, Any]]
    pairs: int
    likely: int
    recall: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"reports": self.reports, "pairs": self.pairs, "likely": self.likely, "recall": self.recall,
                "rules": self.rules}  # fmt: skip


def report_blocks(reports: pl.DataFrame, kind: Kind) -> BlockReport:
    """Return what the blocking rules of a kind bring together among its standing reports."""
    compared = prepare_comparison(reports.sort("report_id"), kind)
    sizes = block_sizes(compared, kind)
    kind = limited_kind(kind, sizes, compared.height)
    large = blocks_over_limit(compared, kind)
    within = without_capped_keys(compared, large, kind)
    counts = [pairs_of_blocks(within, name, once=bool(kind.one_report_per_item)) for name in scored_key_columns(kind)]
    share = min(1.0, MAX_CAPTURED / max(sum(counts), 1))
    pairs = captured_pairs(within, kind, share)
    likely = pairs.filter(_likely(pairs, compared, kind))
    found = [f"found_{n}" for n in range(len(kind.blocking))]
    alone = pl.sum_horizontal(found) == 1
    only = pairs.select((pl.col(name) & alone).sum() for name in found).row(0) if pairs.height else (0,) * len(found)
    rows = [
        _rule_row(kind, n, count, sizes.filter(rule=n), large.filter(rule=n))
        | {"only": round(only[n] / share), "recall": _rule_recall(likely, kind, n)}
        for n, count in enumerate(counts)
    ]
    return BlockReport(compared.height, rows, round(pairs.height / share), likely.height, _recall(likely, kind))


def pairs_of_blocks(keys: pl.DataFrame, name: str, *, once: bool) -> int:
    """Return how many pairs the blocks of one key column hold; once: a reporter reports an item once.

    A pair that shares several keys counts several times.
    """
    own = pl.col("reported_by") if once else pl.int_range(pl.len())
    keyed = reports_by_key(keys.with_columns(own.alias("_own")), name)
    counts = keyed.group_by("_key", "_own").agg(pl.len().cast(pl.Int64).alias("n"))
    groups = counts.group_by("_key").agg(pl.col("n").sum().alias("all"), (pl.col("n") * pl.col("n")).sum().alias("own"))
    return int(groups.select((pl.col("all") * pl.col("all") - pl.col("own")).sum()).item()) // 2


def _rule_row(kind: Kind, n: int, pairs: int, sizes: pl.DataFrame, large: pl.DataFrame) -> dict[str, Any]:
    """Return rule (in words), pairs, blocks of two or more, largest (sizes), and what is over the limit."""
    shared = sizes.filter(pl.col("reports") > 1)
    within = shared.join(large, on=["rule", "key"], how="anti")["reports"]
    return {
        "rule": rule_in_words(kind.blocking[n]),
        "pairs": pairs,
        "blocks": within.len(),
        "largest": within.sort(descending=True).head(LARGEST_SHOWN).to_list(),
        "limit": kind.block_limits()[n],
        "over_limit": large.height,
        "largest_over": large["reports"].max() or 0,
    }


def captured_pairs(keys: pl.DataFrame, kind: Kind, share: float) -> pl.DataFrame:
    """Return a, b (row numbers) of the candidate pairs, and `found_<n>`: whether rule n finds it.

    share: of the pairs; they are those whose first report is drawn.
    """
    rows = keys.with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))
    by_rule = []
    for n, name in enumerate(scored_key_columns(kind)):
        keyed = (
            reports_by_key(rows.select("row", "reported_by", name), name).select("row", "reported_by", "_key").lazy()
        )
        drawn = keyed.filter((pl.col("row").hash(0) % 10**6) < share * 10**6)
        both = drawn.join(keyed, on="_key", suffix="_b").filter(pl.col("row") < pl.col("row_b"))
        if kind.one_report_per_item:
            both = both.filter(pl.col("reported_by") != pl.col("reported_by_b"))
        by_rule.append(both.select(a="row", b="row_b", rule=pl.lit(n, pl.UInt8)).unique())
    found = [(pl.col("rule") == n).any().alias(f"found_{n}") for n in range(len(by_rule))]
    return pl.concat(by_rule).group_by("a", "b").agg(found).sort("a", "b").collect()


def _likely(pairs: pl.DataFrame, compared: pl.DataFrame, kind: Kind) -> pl.Series:
    """Return whether each pair agrees in most of what both have: a stand-in for a match, where nothing is trained."""
    given = pl.zeros(pairs.height, pl.UInt32, eager=True)
    agreed = given
    for name in kind.compared():
        this, other = (compared[name].gather(pairs[end]) for end in ("a", "b"))
        both = (this.is_not_null() & other.is_not_null()).cast(pl.UInt32)
        given, agreed = given + both, agreed + _agrees(this, other).fill_null(False).cast(pl.UInt32)
    return (agreed >= LIKELY_FIELDS) & (agreed >= given * LIKELY_SHARE)


def _agrees(this: pl.Series, other: pl.Series) -> pl.Series:
    """Return whether two values are equal; texts of several words: whether they share half of them."""
    if this.dtype != pl.String:
        return this == other
    sides = pl.DataFrame({"l": this, "r": other}).select(
        pl.all(),
        *(pl.col(side).str.extract_all(r"[\p{L}\p{N}]+").list.unique().alias(f"{side}_words") for side in "lr"),
    )
    shared = pl.col("l_words").list.set_intersection("r_words").list.len()
    least = pl.min_horizontal(pl.col("l_words").list.len(), pl.col("r_words").list.len())
    return sides.select((pl.col("l") == pl.col("r")) | ((shared >= SHARED_WORDS * least) & (least > 1))).to_series()


def _read_fields(kind: Kind, n: int) -> set[str]:
    return {name for key in kind.blocking[n] for name in key.fields()}


def _rule_recall(likely: pl.DataFrame, kind: Kind, n: int) -> float | None:
    """Return the share of the likely pairs which rules on other fields find that a rule finds."""
    others = [m for m in range(len(kind.blocking)) if not _read_fields(kind, n) & _read_fields(kind, m)]
    return _share_found(likely, [n], others)


def _share_found(likely: pl.DataFrame, rules: list[int], others: list[int]) -> float | None:
    """Return the share of the likely pairs of some rules that others find too; None if there are too few."""
    if not others:
        return None
    seen = likely.filter(pl.any_horizontal(f"found_{m}" for m in others))
    if seen.height < FEWEST_LIKELY:
        return None
    return float(seen.select(pl.any_horizontal(f"found_{n}" for n in rules).mean()).item())


def _recall(likely: pl.DataFrame, kind: Kind) -> float | None:
    """Return the estimated share of pairs that any rule finds: rules without a common field miss independently."""
    groups = [*_groups(kind)]
    shares = [
        _share_found(likely, group, [n for other in groups if other is not group for n in other]) for group in groups
    ]
    missed = 1.0
    for share in shares:
        if share is None:
            return None
        missed *= 1 - share
    return 1 - missed


def _groups(kind: Kind) -> Iterator[list[int]]:
    """Yield the groups of rules that fields connect."""
    rest = list(range(len(kind.blocking)))
    while rest:
        group = [rest.pop(0)]
        fields = _read_fields(kind, group[0])
        while near := [n for n in rest if _read_fields(kind, n) & fields]:
            group += near
            fields |= {name for n in near for name in _read_fields(kind, n)}
            rest = [n for n in rest if n not in near]
        yield sorted(group)
