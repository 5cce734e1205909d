"""What looks like a value and is none: years, periods of units that ended, placeholders, totals, sums too large."""

import json
from datetime import date, datetime

import pytest

from schemas.contract import read_contract
from schemas.errors import ContractError
from tests.unit.transforms.normalisation.test_conformance import KIND, RECORDS, envelope
from tests.unit.transforms.normalisation.test_observations import SECOND, changed, claims_of, counted, done, refused
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


SHORT = "{column: when, type: day, format: '%d.%m.%y'}"


@pytest.mark.parametrize(
    ("century", "expected"),
    [
        (1900, ["1924-02-29", "1969-12-31", "1900-01-01"]),
        (1930, ["2024-02-29", "1969-12-31", "2000-01-01"]),
        (1970, ["2024-02-29", "2069-12-31", "2000-01-01"]),
    ],
)
def test_years_of_two_digits_are_of_the_declared_century(century: int, expected: list[str]) -> None:
    text = "unit;when;n\nA;29.02.24;1\nB;31.12.69;2\nC;1.1.00;3\n"
    result = done(text, unit=NAMED, period=SHORT.replace("'}", f"', century: {century}}}"))
    assert [str(day) for (day,) in claims_of(result, "period_start")] == expected
    leap = done(
        "unit;when;n\nA;29.02.00;1\nB;29.02.23;1\n", unit=NAMED, period=SHORT.replace("'}", "', century: 1900}")
    )
    assert refused(leap) == [(2, "when", "not-a-date"), (3, "when", "not-a-date")]
    assert "1900 to 1999" in leap.rejects["expected"][0]


def test_years_of_two_digits_without_a_century_are_rejected() -> None:
    result = done("unit;when;n\n1120;31.01.24;1\n", period=SHORT)
    assert refused(result) == [(2, "when", "not-a-date")]
    assert "`century`" in result.rejects["expected"][0]
    month = done("unit;when;n\n1120;01.24;1\n", period="{column: when, type: month, format: '%m.%y'}")
    assert refused(month) == [(2, "when", "not-a-date")]
    with pytest.raises(ContractError, match="period: century is for a format"):
        done("unit;when;n\n", period="{column: when, type: year, century: 1930}")


@pytest.mark.parametrize("day", ["2024115", "202401", "2024011", "202401311", "2024 115"])
def test_digits_alone_are_of_full_width(day: str) -> None:
    result = done(f"unit;when;n\n1120;{day};1\n1120;20240131;2\n", period="{column: when, type: day, format: '%Y%m%d'}")
    assert refused(result) == [(2, "when", "not-a-date")]
    month = done("unit;when;n\n1120;20241;1\n1120;202401;2\n", period="{column: when, type: month, format: '%Y%m'}")
    assert refused(month) == [(2, "when", "not-a-date")]


def test_versions_and_fields_of_two_digits_are_of_the_declared_century() -> None:
    version = "report_version: {column: v, type: datetime, format: '%d.%m.%y %H:%M', century: 1930}\n"
    result = done("unit;when;n;v\n1120;2024;1;31.12.29 23:59\n1121;2024;1;x\n", top=version)
    assert claims_of(result, "version") == [(1893455940000000,)]
    assert refused(result) == [(3, "v", "not-a-date")]
    fields = (
        "{column: built, format: '%d.%m.%y', century: 1925}",
        "{column: seen, format: '%y-%m-%d %H:%M', century: 2000}",
    )
    contract = read_contract(RECORDS.replace("{column: built}", fields[0]).replace("{column: seen}", fields[1]))
    text = b"number;built;seen;metres;wood\n1;31.12.24;24-02-29 07:00;;\n"
    found = read_records(envelope(parse(text, contract).raw), contract, KIND).records
    assert found.select("built", "seen").row(0) == (date(2024, 12, 31), datetime.fromisoformat("2024-02-29T07:00"))


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


@pytest.mark.parametrize("line", ["1120;x;6", "112O;2024;6", ";2024;6"])
def test_sums_that_may_lack_a_line_of_an_unknown_key_are_warned_of(line: str) -> None:
    result = done(f"unit;when;n\n1120;2024;5\n{line}\n1120;2024;1\n", repeat="sum")
    warning = result.rejects.filter(severity="warning").row(0, named=True)
    assert (warning["row"], warning["reason"]) == (None, "rejected-twin")
    assert warning["found"] == "1 rejected rows whose key cannot be read"
    assert counted(result) == [(3, 2, 1, 0, 2, 1)]
    assert refused(done(f"unit;when;n\n1120;2024;5\n{line}\n", repeat="error"))[0][0] == 3


def test_sums_that_may_lack_a_row_that_cannot_be_parsed_are_warned_of() -> None:
    contract = read_contract(changed(repeat="sum"))
    parsed = parse(b"unit;when;n\n1120;2024;5\n1120;2024;6;7\n", contract)
    assert parsed.rejects.select("row", "reason", "severity").rows() == [
        (3, "too-many-fields", "critical"), (None, "rejected-twin", "warning"),
    ]  # fmt: skip
    assert parsed.delivered - parsed.raw.height == 1
    assert parse(b"unit;when;n\n1120;2024;5\n1120;2024;6;7\n", read_contract(changed())).rejects.height == 1


@pytest.mark.parametrize("missing", ["skip", "reject"])
def test_a_withdrawal_needs_no_figures(missing: str) -> None:
    action = (
        "action: {column: a, map: {ny: append, slett: withdraw}}\nrules: [{id: low, check: range, column: n, min: 1}]\n"
    )
    second = f", missing: {missing}{SECOND}, missing: {missing}"
    text = "unit;when;n;m;a\n1120;2024;5;6;ny\n1121;2024;;;slett\n1122;2024;;;ny\n1124;2024;7;8;slett\n"
    result = done(text, claim=second, top=action, unit=NAMED)
    stated = claims_of(result, "row", "position", "action", "value", "lead")
    assert stated[2:4] == [(3, 0, "withdraw", 0, True), (3, 1, "withdraw", 0, False)]
    assert [row[:3] for row in stated[4:]] == [(5, 0, "withdraw"), (5, 1, "withdraw")]
    ignored = missing == "skip"
    assert counted(result) == [(4, 3, 1 - ignored, ignored, 6, 0)]
    one = done("unit;when;n;m;a\n1121;2024;;6;slett\n", claim=second, top=action, unit=NAMED)
    assert [row[:3] for row in claims_of(one, "row", "position", "lead")] == ([(2, 1, True)] if ignored else [])


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
