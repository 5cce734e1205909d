"""What pages list of a release's months: counts that add up, the same order always, nothing that is not for all."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from flows.disclosure.small_counts import SmallCounts
from flows.site import months
from flows.site.months import ReleaseMonths
from transforms.package.disclosure import Disclosure

NOTHING = Disclosure((), (), (), {})
JANUARY, FEBRUARY = dt.date(2025, 1, 1), dt.date(2025, 2, 1)
NUMBER = pl.Decimal(28, 9)
ITEM = {
    "concept": "pupils", "unit_id": "u1", "unit_kind": "municipality", "unit_code": "1", "unit_name": "Klepp",
    "period_start": JANUARY, "period_end": FEBRUARY, "breakdown": "{}", "unit_measure": "persons",
    "value": Decimal(5), "agreement": "single", "conf_status": "F",
}  # fmt: skip


@dataclass(frozen=True)
class Lake:
    """Published tables of items and claims, each item in a group of months of its own if they are split."""

    tables: dict[str, pl.DataFrame]
    is_split: bool = False

    def groups(self, *_tables: str) -> list[list[str]]:
        every = self.tables["observations"]["item_id"].to_list()
        return [[item] for item in every] if self.is_split else [every]

    def live(self, table: str, found: list[str]) -> pl.LazyFrame:
        return self.tables[table].lazy().filter(pl.col("item_id").is_in(found))


def items(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return observations, which differ from `ITEM` as stated, in the columns that pages read."""
    frame = pl.DataFrame(
        [{**ITEM, **row} for row in rows], schema_overrides={"value": NUMBER}, infer_schema_length=None
    )
    return frame.select(months.ITEM_COLUMNS_SHOWN)


def claims(*rows: tuple[str, str, int | None], relation: str = "single") -> pl.DataFrame:
    """Return claims of (item, obligation, value); the contract has the obligation's name."""
    return pl.DataFrame(
        [{"item_id": i, "contract": o, "obligation": o, "value": v, "relation": relation} for i, o, v in rows],
        {"item_id": pl.String, "contract": pl.String, "obligation": pl.String, "value": NUMBER, "relation": pl.String},
    )


def release(
    listed: pl.DataFrame, rows: pl.DataFrame, disclosure: Disclosure = NOTHING, *, is_split: bool = False
) -> ReleaseMonths:
    """Return a release of these items and claims, none of whose concepts has a least count."""
    nowhere: Any = None  # what would be read of the installation is there already
    small, found = SmallCounts(nowhere, nowhere), ReleaseMonths(nowhere, nowhere, disclosure)
    vars(small)["least"] = {}
    vars(found).update(_published=Lake({"observations": listed, "sources": rows}, is_split), _small=small)
    return found


def test_several_obligations_have_an_item_and_not_one_of_them_twice() -> None:
    rows = claims(("a", "x", 1), ("a", "x", 2), ("b", "x", 1), ("b", "y", 1), ("c", "y", 1))
    assert months._several(rows)["item_id"].to_list() == ["b"]  # noqa: SLF001


def test_an_item_counts_once_under_each_obligation_of_its_unit() -> None:
    listed = items({"item_id": "a"}, {"item_id": "b"}, {"item_id": "c", "unit_id": "u2", "unit_name": "Time"})
    rows = claims(("a", "x", 1), ("a", "x", 2), ("b", "x", 1), ("b", "y", 1), ("c", "y", 1), ("gone", "y", 1))
    counts = months._unit_counts(rows, listed, months._several(rows))  # noqa: SLF001
    assert sorted(counts.rows()) == [("u1", "x", 2, 1), ("u1", "y", 1, 1), ("u2", "y", 1, 0)]


def test_a_unit_has_its_newest_name() -> None:
    listed = items(
        {"item_id": "b", "unit_id": "u3", "unit_name": "New", "period_start": FEBRUARY},
        {"item_id": "a", "unit_id": "u3", "unit_name": "Old"},
        {"item_id": "c"},
    )
    names = months._newest_names(listed).select("unit_id", "unit_name")  # noqa: SLF001
    assert sorted(names.rows()) == [("u1", "Klepp"), ("u3", "New")]


def test_of_an_item_with_a_personal_claim_nothing_is_listed() -> None:
    listed = items({"item_id": "a"}, {"item_id": "b"}, {"item_id": "c", "concept": "other"})
    rows = claims(("a", "x", 1), ("a", "p", 1), ("b", "x", 1), ("c", "p", 1))
    personal = Disclosure((), (), (("p", "pupils"),), {})
    read, _ = release(listed, rows, personal)._read(["a", "b", "c"])  # noqa: SLF001
    assert read["item_id"].to_list() == ["b", "c"]
    every, _ = release(listed, rows)._read(["a", "b", "c"])  # noqa: SLF001
    assert every.equals(listed)


def twice(rows: pl.DataFrame, disclosure: Disclosure = NOTHING) -> list[Any]:
    """Return what each obligation states of the item `a`, besides another, `z`, that states it too."""
    both = pl.concat([rows, claims(("a", "z", 99))])
    found = release(items({"item_id": "a"}), both, disclosure).reported_twice(pl.Series(["u1"]))
    (statements,) = found["statements"].to_list()
    *stated, last = [tuple(each.values()) for each in statements]
    assert last == ("z", 99, 99)
    return stated


@pytest.mark.parametrize(
    ("rows", "relation", "statements"),
    [
        ([("a", "y", 7), ("a", "x", 5)], "single", [("x", 5, 5), ("y", 7, 7)]),
        ([("a", "x", 5), ("a", "x", 3)], "single", [("x", 3, 5)]),
        ([("a", "x", 5), ("a", "x", 3)], "additive", [("x", 8, 8)]),
        ([("a", "x", 5), ("a", "x", None)], "additive", [("x", None, None)]),
        ([("a", "x", None)], "single", [("x", None, None)]),
    ],
)
def test_what_each_obligation_states_of_an_item(rows: Any, relation: str, statements: list[Any]) -> None:
    assert twice(claims(*rows, relation=relation)) == statements


@pytest.mark.parametrize(
    ("disclosure", "statements"),
    [
        (Disclosure(("x",), ("x",), (), {}), [("x", None, None), ("y", 4, 4)]),
        (Disclosure((), (), (), {"pupils": 5}), [("x", 9, 9), ("y", None, None)]),
        (Disclosure((), (), (), {"pupils": 4}), [("x", 9, 9), ("y", 4, 4)]),
    ],
)
def test_a_statement_that_is_not_for_everybody_has_no_value(disclosure: Disclosure, statements: list[Any]) -> None:
    assert twice(claims(("a", "x", 9), ("a", "y", 4)), disclosure) == statements


def test_a_line_of_a_sum_that_is_not_shown_withholds_the_sum() -> None:
    rows = claims(("a", "x", 900), ("a", "x", 3), relation="additive")
    assert twice(rows, Disclosure((), (), (), {"pupils": 5})) == [("x", None, None)]


@pytest.mark.parametrize("is_split", [False, True])
def test_conflicts_of_a_unit_come_first_then_the_latest(monkeypatch: pytest.MonkeyPatch, *, is_split: bool) -> None:
    stated = [
        {"item_id": "old"}, {"item_id": "new", "period_start": FEBRUARY}, {"item_id": "hot", "agreement": "conflict"},
        {"item_id": "else", "unit_id": "u2"}, {"item_id": "unasked", "unit_id": "u3"},
    ]  # fmt: skip
    rows = claims(*((row["item_id"], obligation, 1) for row in stated for obligation in ("x", "y")), ("once", "x", 1))
    monkeypatch.setattr(months, "MOST_TWICE", 2)
    found = release(items(*stated, {"item_id": "once"}), rows, is_split=is_split)
    assert found.reported_twice(pl.Series(["u1", "u2"]))["item_id"].to_list() == ["hot", "new", "else"]


def test_conflicts_that_are_withheld_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("a", "settled", "u1"), ("b", "withheld", "u2"), ("c", "withheld", "u1"), ("d", "settled", "u0")]
    listed = pl.DataFrame(rows, ("item_id", "outcome", "unit_id"), orient="row").with_columns(
        concept=pl.lit("pupils"), period_start=JANUARY
    )
    monkeypatch.setattr(months, "MOST_CONFLICTS", 3)
    assert months._first_conflicts(listed)["item_id"].to_list() == ["c", "b", "d"]  # noqa: SLF001


@pytest.mark.parametrize(
    ("values", "disclosure", "is_shown"),
    [
        ([9, 9], NOTHING, True),
        ([9, 4], Disclosure((), (), (), {"pupils": 5}), False),
        ([9, None], NOTHING, True),
        ([9, 9], Disclosure(("y",), ("y",), (), {}), False),
        ([9, None], Disclosure(("y",), ("y",), (), {}), True),
    ],
)
def test_a_figure_is_shown_only_if_that_of_each_claim_is(
    values: list[int | None], disclosure: Disclosure, *, is_shown: bool
) -> None:
    listed, rows = items({"item_id": "a"}), claims(("a", "x", values[0]), ("a", "y", values[1]))
    found = release(listed, rows, disclosure)._figures(listed, rows)  # noqa: SLF001
    assert found["is_shown"].to_list() == [is_shown]
