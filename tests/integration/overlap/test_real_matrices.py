"""Minimal sets of what real obligations ask, from public mappings of requirements to items."""

import json
from decimal import Decimal

import polars as pl
import pytest

from flows.overlap.imported import list_stated_sums
from tests.support.paths import DATA
from transforms.overlap.imports.declared import (
    asked_items,
    contained_elsewhere,
    declared_overlap,
    items_of_agencies,
)
from transforms.overlap.imports.eba import read_eba
from transforms.overlap.imports.kostra import read_kostra
from transforms.overlap.imports.matrix import read_matrix
from transforms.overlap.imports.oppgaveregisteret import read_oppgaveregisteret
from transforms.overlap.imports.us_inventory import read_us_inventory
from transforms.overlap.minimal import minimal_set, patterns_of

OVERLAP = DATA / "overlap"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not OVERLAP.is_dir(), reason=f"real input is absent: {OVERLAP}"),
]


def _swedish() -> pl.DataFrame:
    """Return the Swedish requirements that ask for items, read as a matrix in CSV."""
    entries = json.loads((OVERLAP / "se_uppgiftskrav" / "initial_data.json").read_text(encoding="utf-8"))
    asked = {
        (str(entry["pk"]), *entry["fields"]["ansvarig_myndighet"]): entry["fields"]["uppgifter"]
        for entry in entries
        if entry["model"] == "register.krav" and entry["fields"]["uppgifter"]
    }
    items = sorted({item for some in asked.values() for item in some})
    rows = [[*key, *("x" if item in some else "" for item in items)] for key, some in asked.items()]
    matrix = pl.DataFrame(rows, schema=["requirement", "agency", *(f"item {n}" for n in items)], orient="row")
    return read_matrix(matrix.write_csv().encode(), "se")


def test_five_of_949_swedish_requirements_ask_all_that_is_asked() -> None:
    declared = _swedish()
    cells = asked_items(declared)
    assert (cells.height, declared.height, declared["agency"].n_unique()) == (6714, 949, 15)
    found = minimal_set(patterns_of(cells), {})
    assert (found.items, len(found.obligations)) == (38, 5)
    assert items_of_agencies(declared).filter(pl.col("agencies") >= 2).height == 34
    assert contained_elsewhere(declared).height == 806


def test_54_of_56_banking_modules_ask_all_data_points() -> None:
    modules = read_eba((OVERLAP / "eba_dpm" / "datapoints.parquet").read_bytes())
    cells = asked_items(modules)
    assert (cells.height, modules.height, cells["item"].n_unique()) == (104_049, 56, 81_473)
    assert round(100 * (1 - cells["item"].n_unique() / cells.height), 1) == 21.7
    found = minimal_set(patterns_of(cells), {})
    assert (found.patterns, len(found.obligations)) == (103, 54)


def test_the_module_for_other_banks_is_an_alternative_and_not_redundant() -> None:
    modules = read_eba((OVERLAP / "eba_dpm" / "datapoints.parquet").read_bytes())
    most = declared_overlap(modules).row(0, named=True)
    assert (most["obligation_a"], most["obligation_b"]) == ("eba-finrep9", "eba-finrep9dp")
    assert most["items"] == most["items_a"], "every point of it"
    assert most["is_alternative"]
    assert "eba-finrep9" not in contained_elsewhere(modules)["obligation"].to_list()


def test_sums_and_equalities_of_the_banking_rules() -> None:
    kinds = pl.DataFrame(list_stated_sums(OVERLAP / "eba_dpm" / "rules.parquet"))["kind"]
    assert dict(kinds.value_counts().iter_rows()) == {"sum": 1903, "equality": 178}


def test_two_forms_of_kostra_share_23_fields_and_no_other_pair_more_than_one() -> None:
    files = sorted((DATA / "kostra" / "forms").glob("*_2026.yaml"))
    forms = read_kostra(b"".join(path.read_bytes() + b"\n" for path in files))
    assert forms.height == len(files) == 6
    pairs = declared_overlap(forms).select("obligation_a", "obligation_b", "items", "items_a", "items_b").rows()
    assert pairs[0] == ("kostra-11cf", "kostra-11f", 23, 53, 79)
    assert max(items for _, _, items, *_ in pairs[1:]) == 1


def test_hours_of_the_registers_are_those_they_declare() -> None:
    forms = read_oppgaveregisteret((OVERLAP / "no_oppgaveregisteret" / "skjema-3-real-forms.json").read_bytes())
    yearly = forms.select((pl.col("hours_low").cast(float) * pl.col("reports_a_year")).round().sort(descending=True))
    assert yearly.to_series().to_list() == [383, 125, 125]
    (one,) = read_us_inventory((OVERLAP / "us_icr" / "one-icr.xml").read_bytes()).to_dicts()
    assert (one["hours_low"], one["hours_high"], one["reports_a_year"]) == (Decimal("0.05"), Decimal("0.1665"), 2400)
