"""What looks like a value and is none: years, periods of units that ended, placeholders, totals, sums too large."""

import json

import pytest

from schemas.contract import read_contract
from tests.unit.transforms.normalisation.test_conformance import KIND, RECORDS, envelope
from tests.unit.transforms.normalisation.test_observations import claims_of, counted, done, refused
from transforms.normalisation.records import NormalisedRecords, read_records
from transforms.parsing.parse import parse

DAY = "{column: when, type: day, format: '%Y-%m-%d'}"
NAMED = "{column: unit, kind: organisation, by: name, provisional: true}"
SPAN = "{column: when, type: year, until: {column: m}}"


@pytest.mark.parametrize("day", ["24-01-31", "124-01-31", "0999-12-31", "3000-01-01", "9999-12-31", "12024-01-31"])
def test_years_have_four_digits_of_our_time(day: str) -> None:
    result = done(f"unit;when;n\n1120;{day};1\n1120;2024-01-31;2\n", period=DAY)
    assert refused(result) == [(2, "when", "not-a-date")]
    assert "1000 to 2999" in result.rejects["expected"][0]
    assert claims_of(result, "row") == [(3,)]


def test_a_month_of_the_year_9999_is_no_month() -> None:
    result = done("unit;when;n\n1120;12.9999;1\n", period="{column: when, type: month, format: '%m.%Y'}")
    assert refused(result) == [(2, "when", "not-a-date")]


def test_a_unit_exists_in_the_whole_period() -> None:
    text = "unit;when;m;n\n0136;2019;2019;1\n0136;2019;2020;2\n1507;2023;2024;3\n3001;2023;2024;4\n"
    result = done(text, period=SPAN)
    assert refused(result) == [(3, "unit", "unit-not-valid"), (4, "unit", "unit-not-valid")]
    assert "ends on 2020-01-01" in result.rejects["expected"][0]
    assert claims_of(result, "row") == [(2,), (5,)]  # 3001 Halden was only renumbered


@pytest.mark.parametrize(
    ("name", "reason"), [("Totalt", "sum-row"), ("I ALT:", "sum-row"), ("Ukjent", "placeholder"), ("--", "placeholder")]
)
def test_totals_and_placeholders_among_new_units_are_warned_of(name: str, reason: str) -> None:
    result = done(f"unit;when;n\nVår Energi AS;2024;1\n{name};2024;2\n", unit=NAMED)
    assert result.rejects.select("row", "reason", "severity").rows() == [(3, reason, "warning")]
    assert counted(result) == [(2, 2, 0, 0, 2, 1)]


def test_an_accuracy_follows_what_is_written() -> None:
    result = done("unit;when;n\n1120;2013;1,5\n1120;2014;2\n1120;2015;1,25\n", claim=", scale: 1000")
    assert claims_of(result, "decimals") == [(-2,), (-3,), (-1,)]


def test_a_sum_beyond_the_digits_is_an_error() -> None:
    large = "9" * 28
    result = done(f"unit;when;n\n1120;2013;{large}\n1120;2013;{large}\n1120;2014;1\n1120;2014;2\n", repeat="sum")
    assert refused(result) == [(2, "n", "out-of-range"), (3, "n", "out-of-range")]
    assert counted(result) == [(4, 2, 2, 0, 2, 0)]


def test_codes_of_maps_and_names_are_compared_as_they_look() -> None:
    claim = ", breakdown: {kjønn: {column: k, map: {Blå: blue}}}"
    text = "unit;when;n;k\n1120;2013;1;Bla\u030a\n1120;2014;2;\ufeffBlå\u00a0\n\u200b1120;2015;3;Blå\n"
    result = done(text, claim=claim)
    assert refused(result) == []
    assert [json.loads(b) for (b,) in claims_of(result, "breakdown")] == [{"kjønn": "blue"}] * 3


def test_the_original_stays_as_delivered() -> None:
    assert claims_of(done("unit;when;n\n1120;2013; 1\u00a0234,5 \n"), "original") == [(" 1\u00a0234,5 ",)]


def boats(*rows: str) -> NormalisedRecords:
    fields = "fields:\n    call_sign: {column: sign}"
    contract = read_contract(
        RECORDS.replace("fields:\n    built: {column: built}", fields + "\n    built: {column: built}")
    )
    text = "number;sign;built;seen;metres;wood\n" + "".join(f"{row};;;;\n" for row in rows)
    return read_records(envelope(parse(text.encode(), contract).raw), contract, KIND)


def test_placeholders_join_nothing() -> None:
    result = boats("1;-", "2;Ukjent", "3;000000000", "4;n/a", "5;LK\u200b1", "6;\u2014", "?;LK2", "ukjent;LK3")
    assert result.records["call_sign"].to_list() == [None, None, None, None, "LK1", None]
    found = result.rejects.sort("row").select("row", "column", "reason", "severity").rows()
    warnings = [(row, "sign", "placeholder", "warning") for row in (2, 3, 4, 5, 7)]
    assert found == [*warnings, (8, "number", "placeholder", "critical"), (9, "number", "placeholder", "critical")]


def test_rejects_of_a_large_file_are_counted() -> None:
    text = "unit;when;n\n" + "1120;2024;x\n" * 5000 + "9999;2024;1\n"
    result = done(text)
    assert counted(result) == [(5001, 0, 5001, 0, 0, 0)]
    assert result.rejects.filter(reason="not-a-number").height == 1001
    assert refused(result)[0] == (None, "n", "not-a-number")
