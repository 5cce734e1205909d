"""Files of decisions: all of them or none, each problem with its row, and what an export is read back as."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.installation import Installation
from flows.matching import decision_files
from flows.matching.decision_files import export_decisions, import_decisions
from flows.queries.known_ids import KNOWN_REPORT
from infra.ledger import decisions as ledger_decisions
from infra.ledger.open import open_ledger
from infra.settings import read_settings
from schemas.errors import UsageError

A, B, C = ("a" * 24, "b" * 24, "c" * 24)
HEADER = "kind,a,b,verdict,who,why,at\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """Give an installation in which no report was ever delivered."""
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setattr(decision_files, "known_reports", lambda *_: pl.DataFrame(schema=KNOWN_REPORT))
    yield Installation(read_settings(tmp_path), engine)
    engine.dispose()


def line(home: Installation, a: str = A, b: str = B, verdict: str = "same", who: str = "kari") -> str:
    return f"{next(iter(home.kinds))},{a},{b},{verdict},{who},looked,2026-03-01T12:00:00Z\n"


def imported(home: Installation, text: str, name: str = "d.csv") -> tuple[int, int, int]:
    file = home.settings.home / name
    file.write_text(text, encoding="utf-8")
    done = import_decisions(home, file)
    return done.new, done.withdrawn, done.known


def refusal(home: Installation, text: str, name: str = "d.csv") -> str:
    with pytest.raises(UsageError) as raised:
        imported(home, text, name)
    assert ledger_decisions.read_decisions(home.engine).is_empty()
    return str(raised.value).removeprefix(f"{home.settings.home / name}")


def test_an_import_is_counted_and_a_second_one_changes_nothing(home: Installation) -> None:
    text = HEADER + line(home) + line(home, A, C, "different")
    assert imported(home, text) == (2, 0, 0)
    assert imported(home, text + line(home, B, C)) == (1, 0, 2)
    assert imported(home, text.replace(",", ";"), "e.csv") == (0, 0, 2)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "ndjson", "CSV"])
def test_what_is_exported_is_read_back_as_known(home: Installation, ending: str) -> None:
    imported(home, HEADER + line(home) + line(home, A, C))
    file = home.settings.home / f"out.{ending}"
    assert export_decisions(home, file) == 2
    done = import_decisions(home, file)
    assert (done.new, done.withdrawn, done.known) == (0, 0, 2)


def test_reports_that_were_never_delivered_are_counted(home: Installation) -> None:
    file = home.settings.home / "d.csv"
    file.write_text(HEADER + line(home) + line(home, A, C))
    warning = "3 reports were never delivered here: decisions on them are inactive until delivery"
    assert import_decisions(home, file).warnings == [warning]


def test_one_invalid_row_refuses_the_whole_file(home: Installation) -> None:
    found = refusal(home, HEADER + line(home) + line(home, A, C, "perhaps"))
    assert found.startswith(": row 3: verdict: found ")
    assert found.endswith(". Nothing was imported")


@pytest.mark.parametrize(("bad", "more"), [(10, ""), (11, "; and 1 more"), (13, "; and 3 more")])
def test_ten_problems_are_listed(home: Installation, bad: int, more: str) -> None:
    found = refusal(home, HEADER + line(home, A, C, "perhaps") * bad)
    assert found.count("row ") == 10
    assert found.endswith(f"{more}. Nothing was imported")


def test_two_reports_of_one_reporter_or_of_another_kind_are_refused(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = next(name for name, kind in home.kinds.items() if kind.one_report_per_item)

    def know(**kinds: str) -> None:
        rows = [(id_, kinds.get(id_[0], kind), "klepp", True) for id_ in (A, B)]
        monkeypatch.setattr(decision_files, "known_reports", lambda *_: pl.DataFrame(rows, KNOWN_REPORT, orient="row"))

    text = HEADER + line(home).replace(next(iter(home.kinds)), kind)
    know()
    reason = "both are by one reporter, and the kind has one report an item"
    assert refusal(home, text) == f": row 2: verdict: {reason}. Nothing was imported"
    know(b="other")
    assert refusal(home, text).startswith(": row 2: kind: a or b is a report of another kind; row 2: verdict: both")
    know()
    assert imported(home, text.replace("same", "different")) == (1, 0, 0)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("d.txt", "", ": expected a name that ends in .csv or .jsonl"),
        ("d.jsonl", "[1]", " is no JSON lines in UTF-8: line 1 is no object of texts"),
        ("d.jsonl", '\n{"a": 3}', " is no JSON lines in UTF-8: line 2 is no object of texts"),
        ("d.csv", "kind,a,b,verdict,who,why,at,colour\n", ": unknown column 'colour'. Nothing was imported"),
        ("d.csv", "kind,a,b,verdict,who,at\n", ": no column 'why'. Nothing was imported"),
    ],
)
def test_what_is_no_file_of_decisions_is_refused(home: Installation, name: str, text: str, expected: str) -> None:
    assert refusal(home, text, name) == expected


def test_a_file_that_cannot_be_opened_is_named(home: Installation, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        import_decisions(home, tmp_path / "none.csv")
    assert "none.csv" in str(raised.value)
    with pytest.raises(UsageError) as refused:
        export_decisions(home, tmp_path / "no" / "d.csv")
    assert str(refused.value) == f"{tmp_path / 'no' / 'd.csv'} cannot be written: No such file or directory"


def test_an_empty_file_of_json_lines_decides_nothing(home: Installation) -> None:
    found: Any = imported(home, "\n", "d.jsonl")
    assert found == (0, 0, 0)
