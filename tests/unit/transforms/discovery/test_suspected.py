"""Discovery finds what was planted, and nothing in figures whose units were shuffled."""

import json
from collections.abc import Mapping
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from tests.support.overlap_statements import shuffled, statements
from transforms.discovery import sums
from transforms.discovery.evidence import agreement_of, divergence
from transforms.discovery.exceptions import differing_places
from transforms.discovery.series import series_of
from transforms.discovery.suspected import suspected_overlap

UNITS = [f"{county:02}{number:02}" for county in range(1, 9) for number in range(1, 13)]
Rows = list[dict[str, object]]


def figures(obligation: str, concept: str, values: Mapping[str, int | Decimal], **other: object) -> Rows:
    return [{"obligation": obligation, "concept": concept, "unit": u, "value": v, **other} for u, v in values.items()]


@pytest.fixture(scope="module")
def sizes() -> dict[str, int]:
    """Return how large each unit is: few are, as with municipalities."""
    generator = np.random.default_rng(7)
    return dict(zip(UNITS, (generator.pareto(1.2, len(UNITS)) * 400 + 200).astype(int).tolist(), strict=True))


def noisy(sizes: dict[str, int], share: float, seed: int) -> dict[str, int]:
    """Return counts in proportion to size, as unlike series have them."""
    generator = np.random.default_rng(seed)
    return {unit: int(generator.poisson(size * share)) for unit, size in sizes.items()}


def found(rows: Rows) -> pl.DataFrame:
    return suspected_overlap(series_of(statements(rows)))


def pairs(table: pl.DataFrame, kind: str) -> set[tuple[str, str]]:
    rows = table.filter(pl.col("kind") == kind).select("concept_a", "concept_b").rows()
    return {(one, other) for one, other in rows}


def test_the_same_figures_under_two_names_are_found_and_no_others(sizes: dict[str, int]) -> None:
    pupils, beds, small, other = (noisy(sizes, share, seed) for seed, share in enumerate((0.5, 0.3, 0.01, 0.01)))
    copied = {unit: value + (number % 16 == 0) * 40 for number, (unit, value) in enumerate(pupils.items())}
    rows = [
        *figures("a", "pupils", pupils), *figures("b", "children", copied),
        *figures("a", "beds", beds), *figures("a", "small", small), *figures("b", "other", other),
    ]  # fmt: skip
    table = found(rows)
    assert pairs(table, "same") == {("pupils", "children")}
    (row,) = table.to_dicts()
    assert (row["common"], row["agreeing"]) == (96, 90)
    assert row["z"] > 10
    assert row["bits"] > 100


def test_a_copy_in_thousands_is_found_with_its_scale(sizes: dict[str, int]) -> None:
    costs = {unit: value * 1000 for unit, value in noisy(sizes, 3.0, 1).items()}
    copied = {unit: value // 1000 for unit, value in costs.items()}
    (row,) = found([*figures("a", "costs", costs), *figures("b", "spending", copied)]).to_dicts()
    assert (row["kind"], row["concept_a"], row["scale"]) == ("same", "costs", 1000.0)


def test_another_count_of_the_same_is_near(sizes: dict[str, int]) -> None:
    night = noisy(sizes, 5.0, 2)
    final = {unit: value if number % 2 else round(value * 1.004) for number, (unit, value) in enumerate(night.items())}
    last = {unit: value if number % 3 else value + 3 for number, (unit, value) in enumerate(final.items())}
    table = found([*figures("a", "night", night), *figures("b", "final", last)])
    assert pairs(table, "near") == {("night", "final")}


@pytest.mark.parametrize("tried", [sums.PLACES_TRIED, 40])
def test_a_total_is_found_as_the_sum_of_its_parts_and_not_as_the_same_as_one(
    sizes: dict[str, int], tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, "PLACES_TRIED", tried)
    parts = [noisy(sizes, share, seed + 10) for seed, share in enumerate((0.6, 0.2, 0.1))]
    total = {unit: sum(part[unit] for part in parts) for unit in sizes}
    total["0101"] += 5
    rows = figures("t", "staff", total, breakdown='{"sex":"T"}')
    for number, part in enumerate([*parts, noisy(sizes, 0.4, 30)]):
        rows += figures(f"p{number}", "staff", part, breakdown=json.dumps({"sex": str(number)}))
    (row,) = found(rows).to_dicts()
    assert (row["kind"], row["obligation_a"], row["common"], row["agreeing"]) == ("sum", "t", 96, 95)
    assert [part["obligation"] for part in json.loads(row["parts"])] == ["p0", "p1", "p2"]


@pytest.mark.parametrize("concepts", [["staff"] * 4, ["staff", "nurses", "doctors", "cooks"]])
def test_a_total_is_found_though_a_part_was_not_reported_at_a_tenth_of_the_places(
    sizes: dict[str, int], concepts: list[str]
) -> None:
    """Each part follows the size of the unit: without one of them, a fit of all places is no sum."""
    parts = [noisy(sizes, share, seed + 10) for seed, share in enumerate((0.6, 0.2, 0.3))]
    rows = figures("t", concepts[0], {unit: sum(part[unit] for part in parts) for unit in sizes})
    for number, part in enumerate(parts, start=1):
        reported = {unit: value for place, (unit, value) in enumerate(part.items()) if number < 3 or place % 10}
        rows += figures("p", concepts[number], reported, breakdown=json.dumps({"job": str(number)}))
    known = series_of(statements(rows))
    (row,) = suspected_overlap(known).to_dicts()
    assert (row["kind"], row["obligation_a"], row["common"], row["agreeing"]) == ("sum", "t", 96, 86)
    assert len(json.loads(row["parts"])) == 3
    assert differing_places(known, row)["unit_id"].to_list() == UNITS[::10]


def test_what_a_sum_does_as_well_without_is_no_part(sizes: dict[str, int]) -> None:
    """A third series fits nine wrong totals better, but no total is right for it."""
    parts = [noisy(sizes, share, seed + 10) for seed, share in enumerate((60, 20))]
    total = {unit: sum(part[unit] for part in parts) for unit in sizes}
    rest = {unit: total[unit] // 400 for unit in UNITS[:12]}
    wrong = {unit: total[unit] + rest[unit] * 7 // 10 for unit in UNITS[:9]}
    rows = figures("t", "staff", {**total, **wrong})
    for number, part in enumerate([*parts, rest]):
        rows += figures("p", "staff", part, breakdown=json.dumps({"job": str(number)}))
    (row,) = found(rows).to_dicts()
    assert (row["kind"], row["obligation_a"], row["agreeing"]) == ("sum", "t", 96 - 9)
    assert len(json.loads(row["parts"])) == 2


def test_counties_that_sum_their_municipalities_are_found(sizes: dict[str, int]) -> None:
    by_unit = {year: noisy(sizes, 0.5, year) for year in (2022, 2023)}
    rows: Rows = []
    for year, values in by_unit.items():
        rows += figures("a", "pupils", values, year=year, reporter="ministry")
        for county in sorted({unit[:2] for unit in UNITS}):
            total = sum(value for unit, value in values.items() if unit.startswith(county))
            county_row: dict[str, object] = {"obligation": "b", "unit": county, "value": total, "kind": "county"}
            rows.append({**county_row, "concept": "pupils", "year": year, "reporter": "board"})
    (row,) = found(rows).to_dicts()
    assert (row["kind"], row["obligation_a"], row["common"], row["agreeing"]) == ("sum", "b", 16, 16)
    assert [(part["obligation"], part["over"]) for part in json.loads(row["parts"])] == [("a", "units")]


def test_a_year_that_sums_its_months_is_found(sizes: dict[str, int]) -> None:
    months = {month: noisy(sizes, 0.05, month) for month in range(1, 13)}
    rows: Rows = []
    for month, values in months.items():
        rows += figures("a", "births", values, month=month, reporter="register")
    year = {unit: sum(values[unit] for values in months.values()) for unit in sizes}
    rows += figures("b", "newborn", {**year, "0101": year["0101"] + 1}, reporter="board")
    (row,) = found(rows).to_dicts()
    assert (row["kind"], row["obligation_a"], row["common"], row["agreeing"]) == ("sum", "b", 96, 95)
    assert [(part["obligation"], part["over"]) for part in json.loads(row["parts"])] == [("a", "months")]


def test_months_with_decimals_sum_exactly() -> None:
    """A tenth is no binary fraction: a year of tenths that is summed in floats is seldom the year as reported."""
    cents = {unit: 1001 + number * 7919 % 5003 for number, unit in enumerate(UNITS)}
    rows: Rows = []
    for unit, first in cents.items():
        months = [Decimal(first + month * 977 % 641) / 100 for month in range(12)]
        for month, value in enumerate(months, start=1):
            rows += figures("a", "wages", {unit: value}, month=month, reporter="register")
        rows += figures("b", "pay", {unit: sum(months, Decimal(0))}, reporter="board")
    (row,) = found(rows).to_dicts()
    assert (row["kind"], row["obligation_a"], row["common"], row["agreeing"]) == ("sum", "b", 96, 96)


@pytest.mark.parametrize("late", ["births", "newborn"])
def test_a_copy_that_is_a_year_late_is_found_with_its_shift(sizes: dict[str, int], late: str) -> None:
    rows: Rows = []
    for year in range(2020, 2024):
        values = noisy(sizes, 0.5, year)
        rows += figures("a", "births", values, year=year + (late == "births"))
        rows += figures("b", "newborn", values, year=year + (late == "newborn"))
    (row,) = found(rows).to_dicts()
    assert (row["kind"], row["concept_a"], row["common"], row["agreeing"]) == ("same", "births", 4 * 96, 4 * 96)
    assert row["shift"] == (1 if late == "births" else -1), "the second one is moved so to be the first"


def test_figures_that_seldom_change_are_the_same_without_a_shift(sizes: dict[str, int]) -> None:
    rows: Rows = []
    for year in range(2020, 2024):
        values = {unit: value + (year > 2021) for unit, value in sizes.items()}
        rows += [*figures("a", "rooms", values, year=year), *figures("b", "premises", values, year=year)]
    same = found(rows).filter(kind="same")
    assert same.select("concept_a", "concept_b", "shift").rows() == [("rooms", "premises", 0)]


def test_a_figure_that_hardly_changes_is_constant(sizes: dict[str, int]) -> None:
    rows: Rows = []
    for year in (2021, 2022, 2023):
        rows += figures("a", "rooms", sizes, year=year)
        rows += figures("a", "pupils", noisy(sizes, 0.5, year), year=year)
    table = found(rows)
    assert table.select("kind", "concept_a", "common", "agreeing").rows() == [("constant", "rooms", 192, 192)]


def test_shuffled_figures_give_nothing(sizes: dict[str, int]) -> None:
    pupils = noisy(sizes, 0.5, 1)
    rows = [
        *figures("a", "pupils", pupils),
        *figures("b", "children", pupils),
        *figures("a", "few", noisy(sizes, 0.005, 2)),
    ]
    rows += figures("b", "rare", noisy(sizes, 0.004, 3))
    known = series_of(statements(rows))
    for seed in range(20):
        assert suspected_overlap(shuffled(known, seed)).is_empty()


def test_a_withheld_figure_is_no_evidence(sizes: dict[str, int]) -> None:
    hidden: Rows = [{**row, "value": None} for row in figures("b", "children", noisy(sizes, 0.5, 1))]
    assert found([*figures("a", "pupils", noisy(sizes, 0.5, 1)), *hidden]).is_empty()


def test_chance_agreement_is_no_evidence() -> None:
    assert divergence(0.2, 0.3) == 0
    assert divergence(1.0, 0.5) == 1
    ones = np.ones(50)
    equal = agreement_of(ones, ones, np.linspace(0, 1, 50))
    assert equal is not None
    assert (equal.equal, round(equal.chance, 2)) == (50, 1.0)
    assert equal.z < 1
    assert agreement_of(np.zeros(5), np.zeros(5), np.zeros(5)) is None
