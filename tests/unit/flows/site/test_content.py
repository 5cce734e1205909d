"""What pages list of a release: counts that add up, an order that is always the same, nothing that is not for all."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from flows.site import content, tables
from flows.site.commands import FOLDER_COMMANDS, PAGE_COMMANDS, page_command
from flows.site.tables import _Hidden, _shown, _with_texts
from schemas.package_tables import COMMON_TABLES
from transforms.package.disclosure import Disclosure

NOTHING = Disclosure((), (), (), {})
JANUARY, FEBRUARY = dt.date(2025, 1, 1), dt.date(2025, 2, 1)
NUMBER = pl.Decimal(28, 9)
ITEM = {
    "concept": "pupils", "unit_id": "u1", "unit_kind": "municipality", "unit_code": "1", "unit_name": "Klepp",
    "period_start": JANUARY, "period_end": FEBRUARY, "breakdown": "{}", "unit_measure": "persons",
    "value": Decimal(5), "agreement": "single", "conf_status": "F",
}  # fmt: skip


def items(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return observations, which differ from `ITEM` as stated, in the columns that pages read."""
    frame = pl.DataFrame(
        [{**ITEM, **row} for row in rows], schema_overrides={"value": NUMBER}, infer_schema_length=None
    )
    return frame.select(content.ITEM_COLUMNS_SHOWN)


def claims(*rows: tuple[str, str, int | None], relation: str = "single") -> pl.DataFrame:
    """Return claims of (item, obligation, value); the contract has the obligation's name."""
    return pl.DataFrame(
        [{"item_id": i, "contract": o, "obligation": o, "value": v, "relation": relation} for i, o, v in rows],
        {"item_id": pl.String, "contract": pl.String, "obligation": pl.String, "value": NUMBER, "relation": pl.String},
    )


def test_several_obligations_have_an_item_and_not_one_of_them_twice() -> None:
    rows = claims(("a", "x", 1), ("a", "x", 2), ("b", "x", 1), ("b", "y", 1), ("c", "y", 1))
    assert content._several(rows)["item_id"].to_list() == ["b"]  # noqa: SLF001


def test_an_item_counts_once_under_each_obligation_of_its_unit() -> None:
    listed = items({"item_id": "a"}, {"item_id": "b"}, {"item_id": "c", "unit_id": "u2", "unit_name": "Time"})
    rows = claims(("a", "x", 1), ("a", "x", 2), ("b", "x", 1), ("b", "y", 1), ("c", "y", 1), ("gone", "y", 1))
    several = content._several(rows)  # noqa: SLF001
    counts = content._unit_counts(rows, listed, several)  # noqa: SLF001
    assert sorted(counts.rows()) == [("u1", "x", 2, 1), ("u1", "y", 1, 1), ("u2", "y", 1, 0)]
    units = content._units(counts, listed, several)  # noqa: SLF001
    assert units.select("unit_id", "unit_name", "figures", "figures_elsewhere", "items_twice").rows() == [
        ("u1", "Klepp", 3, 2, 1), ("u2", "Time", 1, 0, 0),
    ]  # fmt: skip


def test_a_unit_has_its_newest_name_and_those_with_most_that_is_reported_twice_come_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = items(
        {"item_id": "a", "unit_id": "u3", "unit_name": "Old"},
        {"item_id": "b", "unit_id": "u3", "unit_name": "New", "period_start": FEBRUARY},
        {"item_id": "c", "unit_id": "u2"}, {"item_id": "d", "unit_id": "u1"},
    )  # fmt: skip
    rows = claims(("a", "x", 1), ("b", "x", 1), ("c", "x", 1), ("c", "y", 1), ("d", "x", 1), ("d", "y", 1))
    several = content._several(rows)  # noqa: SLF001
    counts = content._unit_counts(rows, listed, several)  # noqa: SLF001
    units = content._units(counts, listed, several)  # noqa: SLF001
    assert units.select("unit_id", "unit_name").rows() == [("u1", "Klepp"), ("u2", "Klepp"), ("u3", "New")]
    monkeypatch.setattr(content, "MOST_UNITS", 2)
    assert content._units(counts, listed, several)["unit_id"].to_list() == ["u1", "u2"]  # noqa: SLF001


def test_of_an_item_with_a_personal_claim_nothing_is_listed() -> None:
    listed = items({"item_id": "a"}, {"item_id": "b"}, {"item_id": "c", "concept": "other"})
    rows = claims(("a", "x", 1), ("a", "p", 1), ("b", "x", 1), ("c", "p", 1))
    personal = Disclosure((), (), (("p", "pupils"),), {})
    assert content._without_personal(listed, rows, personal)["item_id"].to_list() == ["b", "c"]  # noqa: SLF001
    assert content._without_personal(listed, rows, NOTHING).equals(listed)  # noqa: SLF001


def twice(rows: pl.DataFrame, disclosure: Disclosure = NOTHING, *stated: dict[str, Any]) -> list[Any]:
    listed = items(*(stated or ({"item_id": "a"},)))
    found = content._twice(listed, rows, listed.select("unit_id").unique(), disclosure)  # noqa: SLF001
    return [[tuple(each.values()) for each in row] for row in found["statements"].to_list()]


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
    assert twice(claims(*rows, relation=relation)) == [statements]


@pytest.mark.parametrize(
    ("disclosure", "statements"),
    [
        (Disclosure(("x",), ("x",), (), {}), [("x", None, None), ("y", 4, 4)]),
        (Disclosure((), (), (), {"pupils": 5}), [("x", 9, 9), ("y", None, None)]),
        (Disclosure((), (), (), {"pupils": 4}), [("x", 9, 9), ("y", 4, 4)]),
    ],
)
def test_a_statement_that_is_not_for_everybody_has_no_value(disclosure: Disclosure, statements: list[Any]) -> None:
    assert twice(claims(("a", "x", 9), ("a", "y", 4)), disclosure) == [statements]


def test_a_line_of_a_sum_that_is_not_shown_withholds_the_sum() -> None:
    rows = claims(("a", "x", 900), ("a", "x", 3), relation="additive")
    assert twice(rows, Disclosure((), (), (), {"pupils": 5})) == [[("x", None, None)]]


def test_conflicts_of_a_unit_come_first_then_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    stated = [
        {"item_id": "old"}, {"item_id": "new", "period_start": FEBRUARY}, {"item_id": "hot", "agreement": "conflict"},
        {"item_id": "else", "unit_id": "u2"},
    ]  # fmt: skip
    rows = claims(*((row["item_id"], "x", 1) for row in stated))
    listed = items(*stated)
    monkeypatch.setattr(content, "MOST_TWICE", 2)
    found = content._twice(listed, rows, listed.select("unit_id").unique(), NOTHING)  # noqa: SLF001
    assert found["item_id"].to_list() == ["hot", "new", "else"]


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
    rows = claims(("a", "x", values[0]), ("a", "y", values[1]))
    assert content._figures(items({"item_id": "a"}), rows, disclosure)["is_shown"].to_list() == [is_shown]  # noqa: SLF001


def test_reports_are_counted_by_reporter_and_unit_and_empty_ones_are_none() -> None:
    rows = [
        ("x", "A", "u1", JANUARY, FEBRUARY, 3), ("x", "A", "u1", JANUARY, FEBRUARY, 2),
        ("x", "A", "u2", JANUARY, FEBRUARY, 1), ("x", "B", "u1", JANUARY, FEBRUARY, 1),
        ("x", "B", "u3", JANUARY, FEBRUARY, 0),
    ]  # fmt: skip
    names = ("obligation", "reported_by", "unit_id", "period_start", "period_end", "figures")
    found = content._periods(pl.DataFrame(rows, names, orient="row"))  # noqa: SLF001
    assert found.rows(named=True) == [
        {"obligation": "x", "period_start": JANUARY, "period_end": FEBRUARY, "reports": 3, "units": 2, "figures": 7}
    ]


def test_an_obligation_is_described_by_its_newest_contract() -> None:
    rows = pl.DataFrame(
        {"obligation": ["x", "x"], "version": [2, 10], "contract": ["b", "a"], "agency": ["old", "new"]}
    )
    (found,) = content._obligations(rows).to_dicts()  # noqa: SLF001
    assert (found["agency"], found["contracts"]) == ("new", ["b", "a"])


TABLE = {table.name: table for table in COMMON_TABLES}
HIDDEN = _Hidden(pl.Series(["a"]), pl.Series(["u1"]))


@pytest.mark.parametrize(
    ("name", "rows", "shown"),
    [
        ("observations", {"item_id": ["a", "b"]}, {"item_id": ["b"]}),
        (
            "redundancy",
            {"scope": ["unit", "unit", "agency"], "name": ["u1", "u2", "u1"]},
            {"scope": ["unit", "agency"], "name": ["u2", "u1"]},
        ),
        ("burden", {"obligation": ["x"]}, {"obligation": ["x"]}),
    ],
)
def test_rows_of_personal_items_are_in_no_file(name: str, rows: dict[str, Any], shown: dict[str, Any]) -> None:
    frame = pl.DataFrame(rows)
    (found,) = _shown(iter([frame]), TABLE[name], HIDDEN)
    assert found.to_dict(as_series=False) == shown
    (every,) = _shown(iter([frame]), TABLE[name], None)
    assert every.equals(frame)


def test_decimals_have_their_exact_text_beside_them() -> None:
    frame = pl.DataFrame({"value": [Decimal("1.500000000"), None], "n": [1, 2]}, {"value": NUMBER, "n": pl.Int64})
    assert _with_texts(frame).to_dicts() == [
        {"value": Decimal("1.5"), "n": 1, "value_text": "1.5"}, {"value": None, "n": 2, "value_text": None},
    ]  # fmt: skip


def test_every_explored_table_is_one_of_a_package() -> None:
    assert set(tables.EXPLORED) <= TABLE.keys()


@pytest.mark.parametrize(
    ("path", "subject", "command"),
    [
        ("burden.html", None, "engang burden --release 7"),
        ("operations.html", None, "engang status"),
        ("units/klepp.html", "municipality:1120@2020-01-01", "WHERE unit_id = 'municipality:1120@2020-01-01'\""),
        ("obligations/x.html", "x", "engang dossier x --release 7"),
        ("obligations/x.html", "x; rm -rf /", None),
        ("obligations/x.html", "x'", None),
        ("units/x.html", "a b", None),
        ("units/x.html", "$(id)", None),
        ("units/x.html", "", None),
        ("units/x.html", None, None),
        ("items/x.html", "x", None),
        ("methods.html", None, None),
    ],
)
def test_a_page_names_its_command_and_no_name_that_a_shell_would_run(
    path: str, subject: str | None, command: str | None
) -> None:
    found = page_command(path, subject, 7)
    assert (found is None) is (command is None)
    assert (command or "") in (found or "")


def test_every_command_states_the_release_it_is_of() -> None:
    for command in (*PAGE_COMMANDS.values(), *FOLDER_COMMANDS.values()):
        filled = command.format(release=7, name="x")
        assert filled.startswith("engang ")
        assert ("{" in command) == ("7" in filled)
