"""Pairs that the blocking rules of a kind miss: brought together by anything rare that they have in common.

To see what blocking misses, a person must judge pairs that it did not find. Pairs drawn from all would hardly ever be
matches, so the search is wider instead: any value, word or run of characters of a compared field that few reports
share. It is too costly for a night, and no part of a release.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.blocking import RARE_LIMIT, BlockingRule, Key
from schemas.kind import Kind
from transforms.linkage.blocking import LIST_PREFIX, prepare_comparison, scored_key_columns, without_capped_keys
from transforms.linkage.candidates import blocks_over_limit
from transforms.linkage.model import MatchModel
from transforms.linkage.scoring import score_pairs

MAX_RUNS: Final = 100_000
"""Reports up to which runs of characters are searched too: they are a dozen keys a value."""


@dataclass(frozen=True)
class WiderSearch:
    """Reports prepared for a search by more blocking rules than their kind has.

    kind: with these rules. compared: from `prepare_comparison`, without the keys of blocks over the limit.
    """

    kind: Kind
    model: MatchModel
    compared: pl.DataFrame

    def pairs(self, drawn: pl.Series, floor: float) -> pl.DataFrame:
        """Return the pairs that score at least `floor` bits and have an end among the drawn reports: a, b, weight."""
        dirty = self.compared.with_columns(pl.col("report_id").is_in(drawn.implode()).alias("_dirty"))
        return score_pairs(dirty, self.kind, self.model, floor)

    def unseen_matches(self, matches: pl.DataFrame) -> float:
        """Return how many matches the search misses, by those (a, b) that few fields bring together (Chao 1987).

        Of n found by one field alone and m by two, n * n / 2m are expected to be found by none.
        """
        keyed = self.compared.select("report_id", *scored_key_columns(self.kind))
        both = matches.select("a", "b").join(keyed, left_on="a", right_on="report_id")
        both = both.join(keyed, left_on="b", right_on="report_id", suffix="_b")
        found = both.select(pl.sum_horizontal(pl.lit(0), *self._shared_fields()).alias("fields"))["fields"]
        once, twice = (int((found == n).sum()) for n in (1, 2))
        return once * max(once - 1, 0) / (2 * (twice + 1))

    def _shared_fields(self) -> Iterator[pl.Expr]:
        """Yield, by field, whether the two reports of a pair share a key that is read from this field alone."""
        by_field: dict[str, list[pl.Expr]] = {}
        for name, rule in zip(scored_key_columns(self.kind), self.kind.blocking, strict=True):
            fields = {field for key in rule for field in key.fields()}
            if len(fields) == 1:
                by_field.setdefault(fields.pop(), []).append(_share_key(name))
        return (pl.any_horizontal(shared).cast(pl.Int32) for shared in by_field.values())


def search_wider(reports: pl.DataFrame, kind: Kind, model: MatchModel) -> WiderSearch:
    """Return the wider search over standing reports of a kind."""
    wide = wider_kind(kind, runs=reports.height <= MAX_RUNS)
    compared = prepare_comparison(reports, wide, model)
    return WiderSearch(wide, model, without_capped_keys(compared, blocks_over_limit(compared, wide), wide))


def wider_kind(kind: Kind, *, runs: bool = True) -> Kind:
    """Return the kind with a blocking rule more for each whole value, rare word and, with `runs`, run of characters.

    Where chance agreement is measured among candidate pairs (`chance: blocked`), weights hold for those alone, and no
    rule is added.
    """
    if kind.chance == "blocked":
        return kind
    rules = [(key,) for name in _compared_fields(kind) for key in _keys(kind, name, runs=runs)]
    new: list[BlockingRule] = [rule for rule in rules if rule not in kind.blocking]
    limits = [*kind.block_limits(), *(RARE_LIMIT for _ in new)]
    return kind.model_copy(update={"blocking": (*kind.blocking, *new)}).limited(limits)


def _compared_fields(kind: Kind) -> list[str]:
    return sorted({field for name in kind.compared() for field in kind.sources_of(name)})


def _keys(kind: Kind, name: str, *, runs: bool) -> Iterator[Key]:
    """Yield the parts that a field is searched by; a list has none."""
    if kind.fields[name].type in {"text", "code"}:
        yield Key(field=name, rare="word")
        if runs:
            yield Key(field=name, rare="qgram")
    elif kind.fields[name].type != "list":
        yield Key(field=name)


def _share_key(name: str) -> pl.Expr:
    """Return whether two reports share a key of a column; false where one has none."""
    if name.startswith(LIST_PREFIX):
        return (pl.col(name).list.set_intersection(f"{name}_b").list.len() > 0).fill_null(False)
    return (pl.col(name) == pl.col(f"{name}_b")).fill_null(False)
