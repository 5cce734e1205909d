"""A receipt as a sender reads it: its outcome, and a CSV file that runs nothing."""

import csv
import io
from typing import Any

import pytest

from flows.check_page.check import Checked, shown_name
from flows.check_page.summary import outcome_of, receipt_csv
from flows.check_page.texts import LANGUAGES, Language
from flows.intake.receipt import Receipt


def reject(row: int | None, found: str | None = "x", **others: Any) -> dict[str, Any]:
    fields = {"column": "n", "reason": "not-a-number", "rule": None, "severity": "critical", "expected": "a number"}
    return {"submission_id": "s", "row": row, "found": found, "hint": "", **fields, **others}


def receipt(**fields: Any) -> Receipt:
    return Receipt("s", "a.csv", "visits", "biblioteket", None, **{"status": "registered", **fields})


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({}, "accepted"),
        ({"warnings": 1}, "warned"),
        ({"rejected": 1, "warnings": 1}, "partly"),
        ({"status": "rejected", "rejected": 1}, "rejected"),
        ({"status": "parked"}, "unread"),
        ({"rejected": 1, "open_answers": ({"key": "agency", "line": 7, "write": "who"},)}, "draft"),
    ],
)
def test_the_outcome_of_a_file(fields: dict[str, Any], outcome: str) -> None:
    assert outcome_of(Checked(receipt(**fields), [])) == outcome


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_csv_file_has_every_reject_and_no_formula(language: Language) -> None:
    rejects = [reject(row, found) for row, found in ((3, "=1+1"), (2, '@SUM("a;b")\r\n'), (None, None))]
    text = receipt_csv([Checked(receipt(rejected=3), rejects)], language)
    assert text.startswith("\ufeff")
    header, summary, *lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=";")
    assert len(header) == len(summary) == 9
    assert [(line[2], line[6]) for line in lines] == [("", ""), ("2", '\'@SUM("a;b")\r\n'), ("3", "'=1+1")]
    assert all(line[4] == "not-a-number" for line in lines)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\kari\a.csv", "a.csv"),
        ("", "?"),
        ("/", "?"),
        ("a\n\x00\u202eb.csv", "a\ufffd\ufffd\ufffdb.csv"),
        ("x" * 500 + ".csv", "x" * 60 + "…" + "x" * 55 + ".csv"),
    ],
)
def test_a_files_name_is_one_short_printable_line(given: str, shown: str) -> None:
    assert shown_name(given) == shown
