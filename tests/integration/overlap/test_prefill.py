"""Drafts in every format: what they hold, that a check accepts them, and that nothing withheld is in them."""

import csv
import json
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from flows import pipeline as steps
from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from tests.support.cli_runner import engang
from tests.support.prefill import FORMS, write_forms
from tests.support.small_installation import open_small

FIGURES = (
    "nr;month;stage;pupils;groups;secret\n"
    "1120;2025-01;primary;210;9;\n"
    "1120;2025-01;lower_secondary;95;;\n"
    "1818;2025-01;primary;150;;x\n"
    "1818;2025-01;lower_secondary;71;;\n"
)
COSTS = "nr;month;costs;residents\n1120;2025-01;14250310;104\n1818;2025-01;5004000;31\n"
SUFFIX = {"xlsx": "xlsx", "json": "json", "lines": "json", "xml": "xml", "fixed": "txt", "parquet": "parquet"}


def deliver(installation: Installation, contract: str, text: str) -> None:
    delivery = make_delivery(installation, f"{contract}.csv", text.encode(), contract, sender=None, period=None)
    assert [r.rejected for batch in steps.receive(installation, [delivery]) for r in batch] == [0]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, unchecked: None) -> Iterator[Path]:
    """Give the folder of an installation in which two agencies have reported what all forms ask for."""
    folder = tmp_path_factory.mktemp("prefill")
    contracts = write_forms(folder / "contracts")
    installation = open_small(folder / ".engang", contracts)
    assert not installation.broken_contracts
    deliver(installation, "source", FIGURES)
    deliver(installation, "money", COSTS)
    assert steps.nightly(installation, export="never").published
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGANG_CONTRACTS", str(contracts))
        yield folder


def prefill(contract: str, unit: str = "1120", *options: object) -> dict[str, object]:
    asked = ("--contract", contract, "--unit", unit, "--period", "2025-01", "--force", "--json")
    answer = engang("prefill", *asked, *options)
    assert answer.code == 0, answer.err
    return answer.json


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
    figures = 2 if contract in {"sdmx", "wide"} else 3
    assert (receipt["claims"], receipt["rejected"], found["filled"]) == (figures, 0, figures)
