"""Two reports compared: their values side by side, the weight of each field, the rules that brought them together."""

from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from flows.queries.kind_release import KindRelease, weigh_pairs
from schemas.blocking import rule_in_words
from schemas.kind import Kind
from transforms.linkage.blocking import LIST_PREFIX, key_columns, key_values, prepare_comparison
from transforms.linkage.model import WEIGHT_DECIMALS
from transforms.linkage.waterfall import PRIOR, TOTAL, waterfall_steps

SAME, DIFFER = "the same", "differ"
"""Names of the first and the last level of a comparison (`transforms.linkage.scoring`)."""
MARKS: Final = {"same": "=", "alike": "~", "differ": "≠", "one": "·", "none": " "}
"""How similar two values are: same, alike, differ, given by one report only, given by none."""
WHOLE_STEPS: Final = (PRIOR, TOTAL)
"""The first and the last step of a weight: they belong to no field."""
UNWEIGHED_FIELD: Final[dict[str, Any]] = {"field": "", "level": None, "bits": None, "frequency_bits": None}


@dataclass(frozen=True)
class Pair:
    """Two reports, compared.

    a, b: the reports (`<kind>_sources`). weight: bits; None if the pair was not weighed. fields: one per field of the
    kind and per comparison over several fields: field, mark (a key of `MARKS`), a, b, and if it is compared level,
    bits, frequency_bits. weights: `scoring.field_weights` of the pair. stored: whether the release stores the weight.
    compared_by: the rules that bring the two together, as text. over_limit: those that would, if fewer reports shared
    their key.
    """

    a: dict[str, Any]
    b: dict[str, Any]
    weight: float | None
    fields: list[dict[str, Any]]
    weights: pl.DataFrame
    stored: bool = False
    compared_by: tuple[str, ...] = ()
    over_limit: tuple[str, ...] = ()

    @property
    def ends(self) -> tuple[str, str]:
        """The ids of the two reports."""
        return self.a["report_id"], self.b["report_id"]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The weight step by step (`waterfall.WATERFALL_STEP`); empty if the pair cannot be weighed."""
        return waterfall_steps(self.weights).to_dicts() if self.weights.height else []

    def as_dict(self) -> dict[str, Any]:
        """Return the pair as plain values: the reports by id and reporter."""
        fields: dict[str, Any] = {"a": self.ends[0], "b": self.ends[1]}
        fields |= {f"reported_by_{end}": row["reported_by"] for end, row in (("a", self.a), ("b", self.b))}
        fields |= {"weight": self.weight, "kept": self.stored, "compared_by": self.compared_by}
        return {**fields, "fields": self.fields, "steps": self.steps}


def compare_pairs(snapshot: KindRelease, pairs: pl.DataFrame, reports: pl.DataFrame) -> list[Pair]:
    """Return the pairs (a, b) compared, in the order given; all are weighed at once.

    reports: standing rows of `<kind>_sources`, at least those of the pairs.
    """
    rows = {row["report_id"]: row for row in reports.iter_rows(named=True)}
    keys = blocking_keys_of(snapshot.kind, reports)
    large = _large_blocks(snapshot, keys, pairs)
    weights = weigh_pairs(snapshot, pairs, reports)
    by_pair = {ends: own.drop("a", "b") for ends, own in weights.partition_by("a", "b", as_dict=True).items()}
    no_weights = weights.clear().drop("a", "b")
    wanted = pairs.select("a", "b")
    edges = snapshot.live("edges").join(wanted.lazy(), on=["a", "b"], how="semi").select("a", "b", "weight").collect()
    stored = {(a, b): weight for a, b, weight in edges.iter_rows()}
    compared = []
    for ends in wanted.iter_rows():
        a, b = ends
        pair = _pair(snapshot.kind, rows[a], rows[b], by_pair.get(ends, no_weights))
        weight = stored.get(ends) if pair.weight is None else pair.weight
        rules, over_limit = shared_rules(snapshot.kind, keys[a], keys[b], large)
        found = replace(pair, weight=weight, stored=ends in stored, compared_by=rules, over_limit=over_limit)
        compared.append(found)
    return compared


def _pair(kind: Kind, a: dict[str, Any], b: dict[str, Any], weights: pl.DataFrame) -> Pair:
    by_field = {row["field"]: row for row in weights.iter_rows(named=True)}
    values, others = compared_values(kind, a), compared_values(kind, b)
    fields = []
    for name, value in values.items():
        own = {**UNWEIGHED_FIELD, **by_field.get(name, {}), "field": name}
        mark = similarity_mark(value, others[name], own["level"])
        fields.append({**own, "mark": mark, "a": value, "b": others[name]})
    if weights.is_empty():
        return Pair(a, b, None, fields, weights)
    weight = weights.select(pl.sum("bits", "frequency_bits")).sum_horizontal().item()
    return Pair(a, b, round(weight, WEIGHT_DECIMALS), fields, weights)


def compared_values(kind: Kind, report: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a report by field, then the joined texts of its comparisons over several fields."""
    joined = {
        name: " ".join(str(report[field]) for field in joint.fields if report[field] is not None) or None
        for name, joint in (kind.comparisons or {}).items()
    }
    return {name: report[name] for name in kind.fields} | joined


def similarity_mark(a: object, b: object, level: str | None = None) -> str:
    """Return how similar two values are (a key of `MARKS`); level: the result of the comparison, if there was one."""
    if a is None or b is None:
        return "none" if a is b else "one"
    values = [sorted(set(value)) if isinstance(value, list) else value for value in (a, b)]
    if level == SAME or values[0] == values[1]:
        return "same"
    return "differ" if level in {None, DIFFER} else "alike"


def blocking_keys_of(kind: Kind, reports: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the blocking keys of each report."""
    rows = prepare_comparison(reports, kind).select("report_id", *key_columns(kind))
    return {row["report_id"]: row for row in rows.iter_rows(named=True)}


def shared_rules(
    kind: Kind, a: dict[str, Any], b: dict[str, Any], large: set[tuple[str, int]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the rules, as text, that bring together two reports with these keys, and those of too large a block."""
    rules = zip(key_columns(kind), kind.rules(), strict=True)
    shared = {
        rule_in_words(rule) + (" (declared identity)" if n >= len(kind.blocking) else ""): {
            (name, key) for key in shared_keys(a, b, name)
        }
        <= large
        for n, (name, rule) in enumerate(rules)
        if shared_keys(a, b, name)
    }
    return tuple(r for r in shared if not shared[r]), tuple(r for r in shared if shared[r])


def shared_keys(a: dict[str, Any], b: dict[str, Any], name: str) -> set[int]:
    """Return the keys of a column that two reports share."""
    if name.startswith(LIST_PREFIX):
        return {*(a[name] or ())} & {*(b[name] or ())}
    return set() if a[name] is None or a[name] != b[name] else {a[name]}


def _large_blocks(snapshot: KindRelease, keys: dict[str, dict[str, Any]], pairs: pl.DataFrame) -> set[tuple[str, int]]:
    """Return the blocking keys (column, key) of these pairs that more reports share than the rule's limit."""
    ends, columns = [*pairs.select("a", "b").iter_rows()], key_columns(snapshot.kind)
    blocks = [
        _members(snapshot, name, set().union(*(shared_keys(keys[a], keys[b], name) for a, b in ends)))
        .group_by("key").len().filter(pl.col("len") > limit).select(pl.lit(name).alias("name"), "key")
        for name, limit in zip(columns, snapshot.kind.block_limits(), strict=False)
    ]  # fmt: skip
    return {row for found in pl.collect_all(blocks) for row in found.iter_rows()}


def _members(snapshot: KindRelease, name: str, keys: set[int]) -> pl.LazyFrame:
    """Return the key of each report of the release that has one of these keys in a column; several rows for several."""
    rows = snapshot.live("reports").select(pl.col(name).alias("key"))
    each = rows.explode("key") if name.startswith(LIST_PREFIX) else rows
    return each.filter(pl.col("key").is_in(sorted(keys)))


def compare_blocking_keys(snapshot: KindRelease, pair: Pair, reports: pl.DataFrame) -> list[dict[str, Any]]:
    """Return, for each rule that brings reports together, its key in the two reports.

    Each row has rule (as text), a, b (the key's parts; None if a part is missing), shared, reports (how many share the
    key, the rarest of several; None unless these two do), over_limit (too many share it, so it brings no pair
    together), identity (whether it is a declared identity: an equal key means the same item, without a model).
    """
    kind, ends = snapshot.kind, pair.ends
    two = reports.filter(pl.col("report_id").is_in(ends))
    keys = blocking_keys_of(kind, two)
    values = {row["report_id"]: row for row in key_values(two, kind).iter_rows(named=True)}
    rows = []
    for n, (name, rule) in enumerate(zip(key_columns(kind), kind.rules(), strict=True)):
        row: dict[str, Any] = {"rule": rule_in_words(rule), "identity": n >= len(kind.blocking)}
        row |= {side: values[end][name] for side, end in zip("ab", ends, strict=True)}
        shared = shared_keys(keys[ends[0]], keys[ends[1]], name)
        row["shared"] = bool(shared)
        row["reports"] = _least_block(snapshot, name, shared) if shared else None
        row["over_limit"] = not row["identity"] and (row["reports"] or 0) > kind.block_limits()[n]
        rows.append(row)
    return rows


def _least_block(snapshot: KindRelease, name: str, keys: set[int]) -> int:
    """Return how many reports of the release share the rarest of some blocking keys."""
    sizes = _members(snapshot, name, keys).group_by("key").len().select(pl.col("len").min())
    return int(sizes.collect().item() or 0)
