"""Two reports held against each other: their values side by side, what each field weighs, how they were compared."""

from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from flows.queries.kind_release import KindRelease, weighed
from schemas.kind import Key, Kind
from transforms.linkage.blocking import comparable, key_columns, key_values
from transforms.linkage.model import PLACES
from transforms.linkage.waterfall import steps

SAME, DIFFER = "the same", "differ"
"""What a comparison's first and last levels are called (`transforms.linkage.scoring`)."""
MARKS: Final = {"same": "=", "alike": "~", "differ": "≠", "one": "·", "none": " "}
"""How two values are alike: same, alike, differ, told by one of them only, by none."""
UNWEIGHED: Final[dict[str, Any]] = {"field": "", "level": None, "bits": None, "frequency_bits": None}


@dataclass(frozen=True)
class Pair:
    """Two reports held against each other.

    a, b: the reports (`<kind>_sources`). weight: bits; None where nothing was weighed. fields: one a field of the
    kind: field, mark (a key of `MARKS`), a, b, and where it is compared level, bits, frequency_bits. weights:
    `match.weigh` of the pair. kept: whether the release keeps its weight; compared_by: the rules that bring the two
    together, in words.
    """

    a: dict[str, Any]
    b: dict[str, Any]
    weight: float | None
    fields: list[dict[str, Any]]
    weights: pl.DataFrame
    kept: bool = False
    compared_by: tuple[str, ...] = ()

    @property
    def ends(self) -> tuple[str, str]:
        """The ids of the two reports."""
        return self.a["report_id"], self.b["report_id"]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The weight step by step (`weights.STEPS`): none where nothing can be weighed."""
        return steps(self.weights).to_dicts() if self.weights.height else []

    def as_dict(self) -> dict[str, Any]:
        """Return the pair as plain values: the reports by id and reporter."""
        told: dict[str, Any] = {"a": self.ends[0], "b": self.ends[1]}
        told |= {f"reported_by_{end}": row["reported_by"] for end, row in (("a", self.a), ("b", self.b))}
        told |= {"weight": self.weight, "kept": self.kept, "compared_by": self.compared_by}
        return {**told, "fields": self.fields, "steps": self.steps}


def held_together(read: KindRelease, pairs: pl.DataFrame, reports: pl.DataFrame) -> list[Pair]:
    """Return the pairs (a, b), each end held against the other, in the order given; they are weighed all at once.

    reports: rows of `<kind>_sources` that stand, those of the pairs at least.
    """
    rows = {row["report_id"]: row for row in reports.iter_rows(named=True)}
    keys = keys_of(read.kind, reports)
    told = weighed(read, pairs, reports)
    by_pair = {ends: own.drop("a", "b") for ends, own in told.partition_by("a", "b", as_dict=True).items()}
    nothing = told.clear().drop("a", "b")
    wanted = pairs.select("a", "b")
    edges = read.live("edges").join(wanted.lazy(), on=["a", "b"], how="semi").select("a", "b", "weight").collect()
    kept = {(a, b): weight for a, b, weight in edges.iter_rows()}
    found = []
    for ends in wanted.iter_rows():
        a, b = ends
        pair = _pair(read.kind, rows[a], rows[b], by_pair.get(ends, nothing))
        weight = kept.get(ends) if pair.weight is None else pair.weight
        by = tuple(met(read.kind, keys[a], keys[b]))
        found.append(replace(pair, weight=weight, kept=ends in kept, compared_by=by))
    return found


def _pair(kind: Kind, a: dict[str, Any], b: dict[str, Any], weights: pl.DataFrame) -> Pair:
    said = {row["field"]: row for row in weights.iter_rows(named=True)}
    fields = []
    for name in kind.fields:
        own = {**UNWEIGHED, **said.get(name, {}), "field": name}
        fields.append({**own, "mark": mark(a[name], b[name], own["level"]), "a": a[name], "b": b[name]})
    if weights.is_empty():
        return Pair(a, b, None, fields, weights)
    weight = weights.select(pl.sum("bits", "frequency_bits")).sum_horizontal().item()
    return Pair(a, b, round(weight, PLACES), fields, weights)


def mark(a: object, b: object, level: str | None = None) -> str:
    """Return how two values are alike (a key of `MARKS`); level: what the comparison said, if there was one."""
    if a is None or b is None:
        return "none" if a is b else "one"
    told = [sorted(set(value)) if isinstance(value, list) else value for value in (a, b)]
    if level == SAME or told[0] == told[1]:
        return "same"
    return "differ" if level in {None, DIFFER} else "alike"


def keys_of(kind: Kind, reports: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the blocking keys of each report."""
    told = comparable(reports, kind).select("report_id", *key_columns(kind))
    return {row["report_id"]: row for row in told.iter_rows(named=True)}


def met(kind: Kind, a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """Return the rules, in words, by which two reports of these keys are brought together."""
    rules = zip(key_columns(kind), kind.rules(), strict=True)
    return [
        in_words(rule) + (" (declared identity)" if n >= len(kind.blocking) else "")
        for n, (name, rule) in enumerate(rules)
        if a[name] is not None and a[name] == b[name]
    ]


def in_words(rule: tuple[Key, ...]) -> str:
    """Return what a blocking rule is made of."""
    return " + ".join(key.in_words() for key in rule)


def meetings(read: KindRelease, pair: Pair, reports: pl.DataFrame) -> list[dict[str, Any]]:
    """Return, for each rule by which reports are brought together, what it reads of the two.

    Each has rule (in words), a, b (what it reads, part by part; None is nothing), shared, reports (how many share the
    value; None unless these two do), over_limit (so many that no pair is found by it), identity (whether it is a
    declared one: equal is the same item, without a model).
    """
    kind, ends = read.kind, pair.ends
    two = reports.filter(pl.col("report_id").is_in(ends))
    keys = keys_of(kind, two)
    values = {row["report_id"]: row for row in key_values(two, kind).iter_rows(named=True)}
    found = []
    for n, (name, rule) in enumerate(zip(key_columns(kind), kind.rules(), strict=True)):
        told: dict[str, Any] = {"rule": in_words(rule), "identity": n >= len(kind.blocking)}
        told |= {side: values[end][name] for side, end in zip("ab", ends, strict=True)}
        key, other = (keys[end][name] for end in ends)
        told["shared"] = key is not None and key == other
        told["reports"] = _sharing(read, name, key) if told["shared"] else None
        told["over_limit"] = not told["identity"] and (told["reports"] or 0) > kind.largest_block
        found.append(told)
    return found


def _sharing(read: KindRelease, name: str, key: int) -> int:
    """Return how many reports of the release share a blocking value."""
    return int(read.live("reports").filter(pl.col(name) == key).select(pl.len()).collect().item())
