"""Laws of items of records, against a reference that goes value by value."""

from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.kind import FieldSpec
from tests.support.mishap_frames import FIELDS, KIND, consolidate_deliveries, deliveries
from transforms.records.consolidate import ConsolidatedRecords, mark_standing
from transforms.records.content import item_content, record_changes, record_lane_sums

EARLY, LATE = datetime(1, 1, 1), datetime(9999, 1, 1)
SOME = settings(max_examples=25)
RANK = {"append": 0, "replace": 1, "withdraw": 2}

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "case": st.sampled_from(["a", "b"]),
    "place": st.sampled_from(["", "Ås", "Oslo", "æøå"]),
    "day": st.sampled_from([date(2005, 1, 1), date(2005, 1, 2)]),
    "at": st.sampled_from([datetime(2005, 1, 1, 0, m) for m in (0, 10, 11)]),
    "speed": st.sampled_from([Decimal(1), Decimal("1.5"), Decimal("1.6")]),
    "hurt": st.integers(0, 2),
    "cost": st.sampled_from([Decimal("0.1"), Decimal(2)]),
    "indoors": st.booleans(),
    "causes": st.sampled_from([[], ["a"], ["a", "b"], ["b", "a"]]),
    "story": st.sampled_from(["", "one", "two"]),
}
DELIVERY = st.fixed_dictionaries(
    {
        "report_id": st.sampled_from("abcdef"),
        "rows": st.sampled_from([[2], [2, 3], [2, 4, 7]]),
        "arrival": st.integers(0, 99),
    },
    optional={
        **VALUES,
        "version": st.integers(0, 2),
        "action": st.sampled_from(["append"] * 5 + ["replace", "withdraw"]),
        "precedence": st.integers(1, 2),
        "reported_at": st.sampled_from([datetime(2005, 1, d) for d in (1, 2)]),
        "reported_by": st.sampled_from(["p", "q"]),
    },
)
DELIVERIES = st.lists(DELIVERY, max_size=12, unique_by=lambda row: row["arrival"])
ITEMS = st.fixed_dictionaries({r: st.sampled_from("xyz") for r in "abcdef"})


def numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"submission_id": f"s{n:02}", **each} for n, each in enumerate(rows)]


def consolidated(frame: pl.DataFrame, items: dict[str, str]) -> ConsolidatedRecords:
    alive = mark_standing(frame).filter("standing")["report_id"].unique(maintain_order=True).to_list()
    of = pl.DataFrame(
        {"report_id": alive, "item_id": [items[r] for r in alive]},
        schema_overrides={"report_id": pl.String, "item_id": pl.String},
    )
    return consolidate_deliveries(frame, of, KIND)


@SOME
@given(DELIVERIES, ITEMS, st.randoms(use_true_random=False))
def test_no_order_matters_and_every_row_is_in_one_bucket(
    delivered: list[dict[str, Any]], items: dict[str, str], chance: Any
) -> None:
    rows = numbered(delivered)
    done = consolidated(deliveries(rows), items)
    chance.shuffle(rows)
    again = consolidated(deliveries(rows), items)
    for name in ("items", "sources", "conflicts", "buckets"):
        assert getattr(done, name).equals(getattr(again, name))
    per = dict(done.buckets.group_by("submission_id").agg(pl.col("rows").sum()).rows())
    assert per == {r["submission_id"]: len(r["rows"]) for r in rows}
    published = done.buckets.filter(bucket="published")["rows"].sum()
    assert published == done.items.height == done.sources.filter("lead").height


@SOME
@given(DELIVERIES, ITEMS)
def test_an_item_depends_on_its_own_reports_alone(rows: list[dict[str, Any]], items: dict[str, str]) -> None:
    frame = deliveries(numbered(rows))
    whole = consolidated(frame, items)
    content = item_content(whole.items, whole.sources, KIND)
    parts = [
        consolidated(frame.filter(pl.col("report_id").is_in([r for r in items if items[r] == item])), items)
        for item in "xyz"
    ]
    assert pl.concat(p.items for p in parts).equals(whole.items)
    assert pl.concat(p.sources for p in parts).equals(whole.sources)
    sums = [record_lane_sums(item_content(p.items, p.sources, KIND)) for p in parts]
    assert tuple(map(sum, zip(*sums, strict=True))) == record_lane_sums(content)
    renamed = consolidated(frame, {r: f"other-{i}" for r, i in items.items()})
    renamed_content = item_content(renamed.items, renamed.sources, KIND)
    assert record_lane_sums(renamed_content) == record_lane_sums(content)
    assert not record_changes(content, content).height
    assert record_changes(content, renamed_content).height == 2 * whole.items.height


@SOME
@given(DELIVERIES, ITEMS)
def test_the_second_account_says_the_same(rows: list[dict[str, Any]], items: dict[str, str]) -> None:
    frame = deliveries(numbered(rows))
    done = consolidated(frame, items)
    account = Account(frame.to_dicts(), items)
    for row in done.items.iter_rows(named=True):
        assert row == account.item(row["item_id"]), row["item_id"]
    assert set(done.items["item_id"]) == {items[r] for r in account.standing}


class Account:
    """A reference of items, one by one, in plain Python."""

    def __init__(self, rows: list[dict[str, Any]], items: dict[str, str]) -> None:
        self.items = items
        self.standing: dict[str, dict[str, Any]] = {}
        for report in {r["report_id"] for r in rows}:
            mine = sorted((r for r in rows if r["report_id"] == report), key=order)
            newest = mine.pop()
            while mine and said(mine[-1]) == said(newest):
                newest = mine.pop()
            if newest["action"] != "withdraw":
                self.standing[report] = newest

    def item(self, name: str) -> dict[str, Any]:
        """Return the row of an item."""
        reports = [r for r in self.standing if self.items[r] == name]
        statements = sorted((self.standing[r] for r in reports), key=ranked)
        differ = [f for f in sorted(FIELDS) if differs(KIND.fields[f], [v[f] for v in statements if v[f] is not None])]
        times = [r["reported_at"] for r in statements if r["reported_at"]]
        return {
            "item_id": name,
            **{f: survivor(KIND.fields[f], f, statements) for f in FIELDS},
            "agreement": "conflict" if differ else "complete" if len(statements) > 1 else "single",
            "conflicting": differ,
            "conf_status": "F",
            "reports": len(statements),
            "reporters": len({r["reported_by"] for r in statements}),
            "first_reported": min(times, default=None),
            "last_reported": max(times, default=None),
            "partition": "all",
        }


def order(row: dict[str, Any]) -> tuple[int, int, int]:
    return (-1 if row["version"] is None else row["version"], row["arrival"], RANK[row["action"]])


def said(row: dict[str, Any]) -> tuple[object, ...]:
    return row["version"], row["action"], row["content"]


def ranked(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["precedence"] or 99, row["reported_at"] or LATE, row["report_id"])


def survivor(spec: FieldSpec, name: str, rows: list[dict[str, Any]]) -> object:
    candidates = [(r[name], r["reported_at"]) for r in rows if r[name] is not None]
    if not candidates:
        return None
    values = [v for v, _ in candidates]
    if spec.role == "text":
        return list(dict.fromkeys(values))
    counts = Counter(map(key, values))
    chosen = {
        "most": lambda: max(values, key=lambda v: counts[key(v)]),
        "first": lambda: min(candidates, key=lambda s: s[1] or LATE)[0],
        "last": lambda: max(candidates, key=lambda s: s[1] or EARLY)[0],
        "longest": lambda: max(values, key=len),
        "greatest": lambda: max(values),
        "least": lambda: min(values),
    }
    return chosen[spec.survives]()


def key(value: Any) -> Any:
    return frozenset(value) if isinstance(value, list) else value


def differs(spec: FieldSpec, values: list[Any]) -> bool:
    if spec.role == "text" or not values:
        return False
    if spec.tolerance:
        tolerance = timedelta(minutes=spec.tolerance) if spec.type == "datetime" else Decimal(str(spec.tolerance))
        return bool(max(values) - min(values) > tolerance)
    return len(set(map(key, values))) > 1
