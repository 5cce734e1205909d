"""Drafts in every format: what they hold, that a check accepts them, and that they never replace a file unasked."""

import csv
import json
import re
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import fastexcel
import pytest

from flows.installation import Installation
from flows.overlap.known import known_cells
from tests.support.cli_runner import engang
from tests.support.prefill import FORMS, LATER, deliver, publish, write_forms
from tests.support.small_installation import open_small

FIGURES = (
    "nr;month;stage;pupils;groups;secret\n"
    "1120;2025-01;primary;210;9;\n"
    "1120;2025-01;lower_secondary;95;;\n"
    "1818;2025-01;primary;150;;x\n"
    "1818;2025-01;lower_secondary;71;;\n"
    "1120;2025-02;primary;211;;\n"
)
COSTS = "nr;month;costs;residents\n1120;2025-01;14250310;104\n1818;2025-01;5004000;31\n1120;2025-02;100400;\n"
OWN = '{"id": {"nr": "1120"}, "måned": "2025-02", "pupils": 211, "lower": 96, "costs": 100}\n'
SUFFIX = {"xlsx": "xlsx", "json": "json", "lines": "json", "xml": "xml", "fixed": "txt", "parquet": "parquet"}
ROWS = {
    "csv": "Skjema csv;;;;\r\n;;;;\r\nKommune;Måned;pupils;lower;costs\r\nKlepp;01.2025;210;95;14250,310\r\n-;;;;\r\n",
    "json": '"hode": {\n  "måned": "2025-01"\n }',
    "lines": '{"id": {"nr": "1120"}, "måned": "2025-01", "pupils": 210, "lower": 95, "costs": 14250.310}\n',
    "xml": '<Kommune nr="1120">',
    "fixed": "1120 2025-01  210    95    14250310\r\n".replace("1120 2025-01  210", "1120 2025-01   210"),
    "sdmx": "dataflow,sdmx,1120,2025-01,I,primary,210\r\n",
    "wide": "nr,Elever (lower_secondary) 2025-01,Elever (primary) 2025-01\r\n1120,95,210\r\n",
}
"""What the draft of each text format holds."""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, unchecked: None) -> Installation:
    """Give an installation in which two agencies have reported what all forms ask for, some of it too late."""
    assert unchecked is None
    folder = tmp_path_factory.mktemp("prefill")
    found = open_small(folder / ".engang", write_forms(folder / "contracts"))
    assert not found.broken_contracts
    deliver(found, "source", FIGURES)
    deliver(found, "source", "nr;month;stage;pupils;groups;secret\n1120;2025-02;lower_secondary;96;;\n", at=LATER)
    deliver(found, "source", "nr;month;stage;pupils;groups;secret\n1120;2025-02;primary;215;;\n", at=LATER)
    deliver(found, "money", COSTS)
    deliver(found, "lines", OWN)
    publish(found)
    return found


@pytest.fixture(scope="module")
def home(installation: Installation) -> Iterator[Path]:
    """Give the folder that the command is run in."""
    folder = installation.settings.home.parent
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGANG_CONTRACTS", str(folder / "contracts"))
        yield folder


def prefill(contract: str, *options: object, unit: str = "1120", period: str = "2025-01") -> dict[str, Any]:
    asked = ("--contract", contract, "--unit", unit, "--period", period, "--json")
    answer = engang("prefill", *asked, *(options or ["--force"]))
    assert answer.code == 0, answer.err
    found: dict[str, Any] = answer.json
    return found


@pytest.mark.parametrize("contract", FORMS)
def test_a_draft_in_each_format_passes_the_check(home: Path, contract: str) -> None:
    found = prefill(contract)
    assert found["passes"] is True
    file, *sidecar = (home / str(name) for name in found["files"])
    assert file.suffix == f".{SUFFIX.get(contract, 'csv')}"
    assert bool(sidecar) == (contract != "xlsx")
    stated = ("--period", "01.2025") if contract == "parquet" else ()
    checked = engang("check", file, "--contract", contract, *stated, "--json")
    assert checked.code == 0, checked.out
    (receipt,) = checked.json
    figures = {"total": 1, "sdmx": 2, "wide": 2}.get(contract, 3)
    assert (receipt["claims"], receipt["rejected"], found["filled"]) == (figures, 0, figures)
    if contract in ROWS:
        encoding = {"csv": "cp1252", "fixed": "latin-1"}.get(contract, "utf-8")
        assert ROWS[contract] in file.read_bytes().decode(encoding)


def test_each_figure_has_its_source(home: Path) -> None:
    found = prefill("lines", "--out", "own.jsonl", "--sources", "json")
    listed = json.loads((home / "own.jsonl.sources.json").read_text())["figures"]
    first, second, third = listed
    assert (first["value"], first["source"], first["sender"], first["why"]) == ("210", "source", "source", None)
    assert first["received"].startswith("2025-02-10")
    assert first["sure"] == "stated once; 1 of 2 other figures were the same as this form's (95 % lower bound 2.5 %)"
    assert (second["column"], third["plus_minus"], third["concept"]) == ("lower", "0", "care_costs")
    assert found["figures"] == 3
    book = prefill("xlsx", "--out", "form.xlsx")
    assert book["files"] == ["form.xlsx"]
    sheet = fastexcel.read_excel(home / "form.xlsx").load_sheet("Sources").to_polars()
    assert sheet["value"].to_list() == ["210", "95", "14250.310"]
    assert sheet["source"].to_list() == ["source", "source", "money"]


def test_what_is_withheld_is_empty_and_the_sidecar_says_why(home: Path) -> None:
    found = prefill("csv", "--out", "heroy.csv", unit="1818")
    assert (found["passes"], found["filled"]) == (False, 2)
    line = (home / "heroy.csv").read_bytes().decode("cp1252").split("\r\n")[3]
    assert line == "Herøy (Nordland);01.2025;;71;5004,000"
    text = (home / "heroy.csv.sources.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(text.splitlines(), delimiter=";"))
    assert [(row["column"], row["value"], row["why"]) for row in rows] == [
        ("pupils", "", "the value is withheld"), ("lower", "71", ""), ("costs", "5004,000", ""),
    ]  # fmt: skip
    assert (
        "left to the sender: 1 cells that the form asks for (pupils)"
        in engang(
            "prefill", "--contract", "csv", "--unit", "1818", "--period", "2025-01", "--out", "heroy.csv", "--force"
        ).out
    )
    assert {(reject["column"], reject["reason"]) for reject in found["rejects"]} == {("pupils", "missing-value")}


def test_a_report_of_the_form_itself_is_no_source_and_what_it_contradicts_is_a_conflict(
    installation: Installation,
) -> None:
    cells = known_cells(installation, "lines", "Klepp", "2025-02")
    assert [(cell["column"], cell["known"], cell["why"]) for cell in cells] == [
        ("pupils", False, "the reports contradict each other"), ("lower", True, ""), ("costs", True, ""),
    ]  # fmt: skip


def test_a_sum_of_what_others_reported_is_known(installation: Installation) -> None:
    (cell,) = known_cells(installation, "total", "1120", "2025-01")
    assert (cell["value"], cell["rule"], cell["source"], cell["plus_minus"]) == (305, "over:stage", "source", 0)
    (withheld,) = known_cells(installation, "total", "1818", "2025-01")
    assert (withheld["known"], withheld["value"]) == (False, None)


def test_a_file_that_exists_is_not_replaced_unasked(home: Path) -> None:
    taken = home / "taken.csv"
    taken.write_text("mine")
    asked = ("prefill", "--contract", "csv", "--unit", "1120", "--period", "2025-01", "--out", taken)
    assert "exists" in engang(*asked).err
    assert taken.read_text() == "mine"
    assert engang(*asked, "--force").code == 0
    taken.unlink()
    assert "taken.csv.sources.csvexists" in re.sub(r"[\s│]", "", engang(*asked).err)  # lines break within a long path
    assert not taken.exists()
    assert engang("prefill", "--contract", "csv").code == 2
    assert engang(*asked, "--force", "--sources", "paper").code == 2


def test_the_backtest_counts_what_had_been_delivered_by_the_due_date(home: Path) -> None:
    """Of three figures one came too late, one was corrected later, one is right within the thousand."""
    assert home.is_dir()
    found = engang("prefill", "--contract", "lines", "--backtest", "--json").json
    (period,) = found["periods"]
    assert period == {
        "period": "2025-02-01", "due": "2025-03-17", "cells": 3, "filled": 2, "derived": 0, "compared": 2, "exact": 1,
        "within": 2,
    }  # fmt: skip
    assert (found["share_filled"], found["share_exact"]) == (pytest.approx(2 / 3), 0.5)
    assert (found["bound_items"], found["bound_units"]) == (pytest.approx(0.0253, abs=1e-3), 0.0)
    printed = engang("prefill", "--contract", "lines", "--backtest").out
    assert "2 of 3 figures could have been filled in by the due dates" in printed
    assert engang("prefill", "--contract", "csv", "--backtest", "--json").json["cells"] == 0
