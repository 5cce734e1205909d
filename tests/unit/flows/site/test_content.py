"""What pages show of a release as a whole, which rows its files have, and which command each page states."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from flows.site import content, tables
from flows.site.commands import FOLDER_COMMANDS, PAGE_COMMANDS, page_command
from flows.site.tables import _Hidden, _shown, _with_texts
from schemas.package_tables import COMMON_TABLES

JANUARY, FEBRUARY = dt.date(2025, 1, 1), dt.date(2025, 2, 1)
NUMBER = pl.Decimal(28, 9)


def test_units_with_most_that_is_reported_twice_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("u3", "x", 4, 0), ("u2", "x", 2, 1), ("u2", "y", 1, 1), ("u1", "x", 2, 1), ("u1", "y", 1, 1)]
    found = {
        "unit_counts": pl.DataFrame(rows, ("unit_id", "obligation", "figures", "figures_elsewhere"), orient="row"),
        "unit_names": pl.DataFrame(
            [("u1", "Klepp", "1", "municipality"), ("u2", "Klepp", "1", "municipality"), ("u3", "New", "3", "school")],
            ("unit_id", "unit_name", "unit_code", "unit_kind"),
            orient="row",
        ),
        "twice_counts": pl.DataFrame({"unit_id": ["u1", "u2"], "items_twice": [1, 1]}),
    }
    units = content._units(found)  # noqa: SLF001
    assert units.select("unit_id", "unit_name", "figures", "figures_elsewhere", "items_twice").rows() == [
        ("u1", "Klepp", 3, 2, 1), ("u2", "Klepp", 3, 2, 1), ("u3", "New", 4, 0, 0),
    ]  # fmt: skip
    monkeypatch.setattr(content, "MOST_UNITS", 2)
    assert content._units(found)["unit_id"].to_list() == ["u1", "u2"]  # noqa: SLF001


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
