"""Every row ends as claims, as a reject with its reason, or ignored by name."""

import datetime as dt
from decimal import Decimal
from functools import cache
from typing import Any

import polars as pl
import pytest

from infra.codelists import read_codelists
from schemas.contract import read_contract
from tests.support.paths import ROOT
from transforms.identity import LANES
from transforms.normalisation.observations import Normalised, normalise
from transforms.parsing.parse import parse
from transforms.register.build import build_register
from transforms.register.lookup import Register

DEMO = ROOT / "schemas" / "codelists" / "demo"
CONTRACT = """
contract: small
version: 1
obligation: small
title: {nb: Lite, nn: Lite, en: Small}
agency: Statens prøvetilsyn
legal_basis: none
rhythm: yearly
hours_per_report: null
sender: {allowed: any}
format: {type: csv, decimal: ",", thousands: " "}
unit: {column: unit, kind: municipality}
period: {column: when, type: year}
repeat: error
claims:
  - {concept: places, column: n, reported_by: {option: sender}, unit_measure: {value: places}}
examples: [{name: none, given: ""}]
"""
OF_CLAIM = "unit_measure: {value: places}"
SECOND = "}\n  - {concept: beds, column: m, reported_by: {value: Tilsynet}, unit_measure: {value: beds}"


@cache
def register() -> Register:
    return build_register(*read_codelists(DEMO))


def done(text: str, *, files: int = 1, **changes: str) -> Normalised:
    """Normalise a CSV text, delivered `files` times over; each change adds to, or takes the place of, a key."""
    contract = read_contract(changed(**changes))
    raw = parse(text.encode(), contract).raw
    return normalise(
        pl.concat(
            raw.with_columns(
                submission_id=pl.lit(f"s{i}"), sender=pl.lit("me"), option_period=pl.lit(None, dtype=pl.String)
            )
            for i in range(files)
        ),
        contract,
        register(),
    )


def changed(claim: str = "", top: str = "", period: str = "", unit: str = "", repeat: str = "error") -> str:
    text = CONTRACT.replace(OF_CLAIM, f"{OF_CLAIM}{claim}").replace("repeat: error", f"repeat: {repeat}\n{top}")
    text = text.replace("{column: when, type: year}", period) if period else text
    return text.replace("{column: unit, kind: municipality}", unit) if unit else text


def claims_of(result: Normalised, *columns: str) -> list[tuple[Any, ...]]:
    return result.claims.sort("submission_id", "row", "position").select(columns).rows()


def refused(result: Normalised) -> list[tuple[Any, ...]]:
    return result.rejects.sort("submission_id", "row", "column", "reason").select("row", "column", "reason").rows()


def counted(result: Normalised) -> list[tuple[int, ...]]:
    return result.counts.select("rows", "claimed", "rejected", "ignored", "claims", "warnings").rows()


def test_numbers_are_exact_or_rejected() -> None:
    rows = ("1 234,50", "-0", "NaN", "1e400", "12345678901234567890123456789", "0,0000000001", "1234567890123456789,01")
    result = done("unit;when;n\n" + "".join(f"1120;{2010 + i};{n}\n" for i, n in enumerate(rows)))
    assert claims_of(result, "row", "value") == [
        (2, Decimal("1234.5")),
        (3, Decimal(0)),
        (8, Decimal("1234567890123456789.01")),
    ]
    assert refused(result) == [
        (4, "n", "not-a-number"),
        (5, "n", "not-a-number"),
        (6, "n", "out-of-range"),
        (7, "n", "out-of-range"),
    ]
    assert counted(result) == [(7, 3, 4, 0, 3, 0)]


@pytest.mark.parametrize(
    ("scale", "text", "value", "decimals"),
    [
        ("1000", "1,5", "1500", -2),
        ("1000", "-9999999999999999999999999", "-9999999999999999999999999000", -3),
        ("1000", "10000000000000000000000000", None, None),
        ("1000", "-10000000000000000000000000", None, None),
        ("0.001", "1,123", "0.001123", None),
        ("0.001", "1,1234567", None, None),
        ("0.25", "-1,5", "-0.375", None),
        ("12", "2", "24", None),
    ],
)
def test_a_scale_is_exact_and_says_how_accurate(scale: str, text: str, value: str | None, decimals: int | None) -> None:
    result = done(f"unit;when;n\n1120;2013;{text}\n", claim=f", scale: {scale}")
    if value is None:
        assert refused(result) == [(2, "n", "out-of-range")]
    else:
        assert claims_of(result, "value", "decimals") == [(Decimal(value), decimals)]


@pytest.mark.parametrize(
    ("claim", "cell", "decimals"),
    [
        (", decimals: 2", "x", 2),
        (", decimals: exact, scale: 1000", "x", None),
        (", decimals: as_written", "x", 1),
        (", decimals: as_written, scale: 1000", "x", -2),
        (", decimals: as_written, scale: 12", "x", -1),
        (", decimals: as_written, scale: 0.5", "x", 1),
        (", decimals: as_written, scale: 0.01", "x", 3),
        (", scale: 12", "x", None),
        (", decimals: {column: acc}", "-3", -3),
        (", decimals: {column: acc}", "exact", None),
        (", decimals: {column: acc}", "", None),
        (", decimals: {column: acc, map: {thousands: -3}}", "thousands", -3),
    ],
)
def test_accuracy_is_declared_written_or_given(claim: str, cell: str, decimals: int | None) -> None:
    top = "" if "acc" in claim else "ignore: [acc]"
    assert claims_of(done(f"unit;when;n;acc\n1120;2013;7,0;{cell}\n", claim=claim, top=top), "decimals") == [
        (decimals,)
    ]


@pytest.mark.parametrize("cell", ["many", "99999", "1,5"])
def test_an_accuracy_that_is_no_number_is_rejected(cell: str) -> None:
    result = done(f"unit;when;n;acc\n1120;2013;7;{cell}\n", claim=", decimals: {column: acc}")
    assert refused(result) == [(2, "acc", "not-a-number")]


@pytest.mark.parametrize(
    ("period", "text", "start", "end"),
    [
        ("type: year", "2013", "2013-01-01", "2014-01-01"),
        ("type: quarter", "2013-Q4", "2013-10-01", "2014-01-01"),
        ("type: quarter", "2013K1", "2013-01-01", "2013-04-01"),
        ("type: month", "2024-02", "2024-02-01", "2024-03-01"),
        ("type: month, format: '%Y%m'", "201312", "2013-12-01", "2014-01-01"),
        ("type: day", "2024-02-29", "2024-02-29", "2024-03-01"),
        ("type: day, format: '%d.%m.%Y'", "31.12.2013", "2013-12-31", "2014-01-01"),
        ("type: year", "13", None, None),
        ("type: quarter", "2013-Q5", None, None),
        ("type: month", "2013-13", None, None),
        ("type: day", "2023-02-29", None, None),
        ("type: day", "29.02.2024", None, None),
    ],
)
def test_a_period_is_what_is_written_or_no_date(period: str, text: str, start: str | None, end: str | None) -> None:
    result = done(f"unit;when;n\n1120;{text};1\n", period=f"{{column: when, {period}}}")
    if start is None or end is None:
        assert refused(result) == [(2, "when", "not-a-date")]
    else:
        expected = (dt.date.fromisoformat(start), dt.date.fromisoformat(end), start[:7])
        assert claims_of(result, "period_start", "period_end", "partition") == [expected]


def test_a_span_ends_with_its_last_period() -> None:
    text = "unit;when;to;n\n1120;2013-01;2013-03;1\n1120;2013-04;2013-03;1\n1120;2013-04;;1\n1120;2013-04;soon;1\n"
    result = done(text, period="{column: when, type: month, until: {column: to}}")
    assert claims_of(result, "period_start", "period_end") == [(dt.date(2013, 1, 1), dt.date(2013, 4, 1))]
    assert refused(result) == [(3, "when", "not-a-date"), (4, "to", "missing-value"), (5, "when", "not-a-date")]


def test_a_delivery_can_say_the_period() -> None:
    contract = read_contract(changed(period="{option: period, type: year}"))
    assert contract.options() == ["period"]
    raw = parse(b"unit;n\n1120;1\n", contract).raw.with_columns(submission_id=pl.lit("s"), sender=pl.lit("me"))
    with_period, without_period = (
        normalise(raw.with_columns(option_period=pl.lit(period, dtype=pl.String)), contract, register())
        for period in ("2013", None)
    )
    assert claims_of(with_period, "period_start") == [(dt.date(2013, 1, 1),)]
    assert refused(without_period) == [(2, "--period", "not-a-date")]


def test_units_are_dated() -> None:
    text = "unit;when;n\n0101;2021;1\n1507;2021;1\n1507;2024;1\n9999;2024;1\n;2024;1\n 1120\u00a0;2024;1\n"
    result = done(text)
    assert claims_of(result, "row", "unit_code", "unit_name") == [(3, "1507", "Ålesund"), (7, "1120", "Klepp")]
    assert refused(result) == [
        (2, "unit", "unit-not-valid"),
        (4, "unit", "ambiguous-unit"),
        (5, "unit", "unknown-unit"),
        (6, "unit", "missing-value"),
    ]


def test_a_renumbered_unit_is_one_unit() -> None:
    result = done("unit;when;n\n0101;2013;1\n3001;2021;1\n3101;2024;1\n")
    assert result.claims["unit_id"].n_unique() == 1
    assert claims_of(result, "unit_code") == [("0101",), ("3001",), ("3101",)]


def test_organisation_numbers_are_checked() -> None:
    unit = "{column: unit, kind: organisation, by: organisation_number}"
    result = done("unit;when;n\n974760673;2013;1\n974760674;2013;1\n", unit=unit)
    assert claims_of(result, "unit_id") == [("organisation:974760673",)]
    assert refused(result) == [(3, "unit", "bad-check-digit")]


def test_a_unit_of_no_register_is_provisional_by_its_normalised_name() -> None:
    unit = "{column: unit, kind: organisation, by: name, provisional: true}"
    result = done("unit;when;n\nGrip  AS;2013;1\nGRIP AS;2014;1\nGrip A/S;2013;1\n", unit=unit)
    ids = ["provisional:organisation:grip as"] * 2 + ["provisional:organisation:grip a/s"]
    assert claims_of(result, "unit_id", "unit_name") == list(zip(ids, ["Grip  AS", "GRIP AS", "Grip A/S"], strict=True))


REPEATING = "unit;when;n\n1120;2013;1\n1120;2013;1\n1120;2014;1\n1120;2014;2\n1121;2014;2\n"


@pytest.mark.parametrize(
    ("repeat", "stand", "additive", "counts"),
    [
        ("sum", [2, 3, 4, 5, 6], 4, (5, 5, 0, 0, 5, 0)),
        ("error", [6], 0, (5, 1, 4, 0, 1, 0)),
        ("warn", [2, 3, 4, 5, 6], 0, (5, 5, 0, 0, 5, 4)),
        ("distinct", [2, 3, 6], 0, (5, 3, 2, 0, 3, 0)),
    ],
)
def test_a_key_that_repeats_is_what_the_contract_says(
    repeat: str, stand: list[int], additive: int, counts: tuple[int, ...]
) -> None:
    result = done(REPEATING, repeat=repeat, files=2)
    for submission in ("s0", "s1"):
        claims = result.claims.filter(pl.col("submission_id") == submission)
        assert sorted(claims["row"]) == stand
        assert claims["additive"].sum() == additive
    assert counted(result) == [counts, counts]
    assert set(result.rejects["reason"]) <= {"duplicate-key"}


def test_a_row_makes_as_many_claims_as_it_has_figures() -> None:
    text = "unit;when;n;m\n1120;2013;;1\n1120;2014;1;2\n1120;2015;;\n1120;2016;x;2\n"
    result = done(text, claim=f", missing: skip{SECOND}, missing: skip")
    assert claims_of(result, "row", "concept", "reported_by", "position", "lead") == [
        (2, "beds", "Tilsynet", 1, True),
        (3, "places", "me", 0, True),
        (3, "beds", "Tilsynet", 1, False),
    ]
    assert refused(result) == [(5, "n", "not-a-number")]
    assert counted(result) == [(4, 2, 1, 1, 3, 0)]


def test_an_empty_figure_is_rejected_unless_it_may_be_missing() -> None:
    result = done("unit;when;n;m\n1120;2013;;1\n1120;2014;1;\n1120;2015;;\n", claim=f", missing: skip{SECOND}")
    assert claims_of(result, "row", "concept") == [(2, "beds")]
    assert refused(result) == [(3, "m", "missing-value"), (4, "m", "missing-value")]


def test_rows_that_the_contract_names_are_ignored() -> None:
    top = "ignore_rows: [{column: unit, values: [Sum], pattern: 'I alt.*', why: sums}]"
    result = done("unit;when;n\nSum;;\n1120;2013;1\n I alt, landet;2013;5\n", top=top)
    assert counted(result) == [(3, 1, 0, 2, 1, 0)]


def test_a_breakdown_is_sorted_json() -> None:
    claim = ", breakdown: {å: {value: q}, b: {column: b}}"
    result = done('unit;when;n;b\n1120;2013;1;"a""b\\c"\n1120;2014;1; æ\u00a0\n', claim=claim)
    assert claims_of(result, "breakdown") == [('{"b":"a\\"b\\\\c","å":"q"}',), ('{"b":"æ","å":"q"}',)]


def test_the_content_of_a_file_knows_every_status_of_its_claims() -> None:
    claim = ", obs_status: {column: s, map: {'': A, est: E, forel: P}}"

    def lanes(*statuses: str) -> tuple[int, ...]:
        rows = "".join(f"1120;{2013 + n};1;{status}\n" for n, status in enumerate(statuses))
        return done(f"unit;when;n;s\n{rows}", claim=claim).counts.select(LANES).row(0)

    found = [lanes("", ""), lanes("", "est"), lanes("", "forel"), lanes("est", ""), lanes("est", "est")]
    assert len(set(found)) == len(found)


def test_a_code_map_holds_or_rejects() -> None:
    claim = ", breakdown: {sex: {column: s, map: {K: F, M: M, '': T}}}"
    claim += ", confidential: {column: h, map: {ja: 'true', nei: 'false'}}"
    result = done(
        "unit;when;n;s;h\n1120;2013;1;K;ja\n1120;2014;1;;nei\n1120;2015;1;X;nei\n1120;2016;1;M;\n", claim=claim
    )
    assert claims_of(result, "breakdown", "confidential") == [('{"sex":"F"}', True), ('{"sex":"T"}', False)]
    assert refused(result) == [(4, "s", "unknown-code"), (5, "h", "missing-value")]


def test_a_status_is_given_or_normal() -> None:
    claim = ", obs_status: {column: s, map: {est: E, forel: P}}"
    result = done("unit;when;n;s\n1120;2013;1;est\n1120;2014;1;\n1120;2015;1;x\n", claim=claim)
    assert claims_of(result, "obs_status") == [("E",), ("A",)]
    assert refused(result) == [(4, "s", "unknown-code")]


def test_versions_and_times_are_read_or_rejected() -> None:
    cells = ("3;2024-01-02T03:04:05", "x;", ";2.1.2024", "9000000000000000000;", ";")
    text = "unit;when;n;v;t\n" + "".join(f"1120;{2013 + i};1;{cell}\n" for i, cell in enumerate(cells))
    result = done(text, top="report_version: {column: v}\nreported_at: {column: t, type: datetime}")
    assert claims_of(result, "version", "reported_at") == [(3, dt.datetime(2024, 1, 2, 3, 4, 5)), (None, None)]
    assert refused(result) == [(3, "v", "not-a-number"), (4, "t", "not-a-date"), (5, "v", "out-of-range")]
    assert result.claims["slot_id"].null_count() == result.claims.height
    assert (
        done(text, top="report_version: {column: v}\ncorrection: whole\nignore: [t]").claims["slot_id"].null_count()
        == 0
    )


def test_a_version_beyond_the_limit_is_rejected() -> None:
    cells = ("99999999999999", "100000000000000", "-99999999999999", "-100000000000000", "20240131235959", "101")
    text = "unit;when;n;v\n" + "".join(f"1120;{2013 + i};1;{cell}\n" for i, cell in enumerate(cells))
    assert refused(done(text, top="report_version: {column: v}")) == [
        (3, "v", "out-of-range"), (5, "v", "out-of-range")
    ]  # fmt: skip
    least = done(text, top="report_version: {column: v, max: 100}")
    assert [row for row, _, _ in refused(least)] == [2, 3, 4, 5, 6, 7]


def test_a_rule_rejects_the_row_or_the_file_or_warns() -> None:
    text = "unit;when;n\n1120;2013;-1\n1120;2014;5\n9999;2015;3\n"
    rule = "rules: [{{id: r, check: range, column: n, min: 0{}}}]"
    assert counted(done(text, top=rule.format(""), files=2)) == [(3, 1, 2, 0, 1, 0)] * 2
    assert counted(done(text, top=rule.format(", rejects: file"), files=2)) == [(3, 0, 3, 0, 0, 0)] * 2
    assert counted(done(text, top=rule.format(", severity: warning"), files=2)) == [(3, 2, 1, 0, 2, 1)] * 2


def test_what_a_file_says_has_one_digest_whatever_its_order() -> None:
    rows = ["1120;2013;1,50\n", "1121;2013;2\n"]
    first, second, other = (
        done("unit;when;n\n" + "".join(r)).counts.select("^lane.*$").row(0)
        for r in (rows, ["1121;2013;2,0\n", "1120;2013; 1,5\n"], [*rows, "1121;2014;2\n"])
    )
    assert first == second != other


TWINS = "unit;when;n\n1120;2013;1\n1120;2013;x\n1121;2013;5\n"


@pytest.mark.parametrize("repeat", ["error", "distinct", "sum"])
def test_a_row_that_shares_its_key_with_a_rejected_row_is_rejected(repeat: str) -> None:
    result = done(TWINS, repeat=repeat)
    assert refused(result) == [(2, "n", "rejected-twin"), (3, "n", "not-a-number")]
    assert claims_of(result, "row") == [(4,)]
    assert counted(result) == [(3, 1, 2, 0, 1, 0)]
    assert result.rejects.filter(row=2)["rule"].item() == f"repeat: {repeat}"
    assert counted(done(TWINS, repeat=repeat, files=2)) == [(3, 1, 2, 0, 1, 0)] * 2


def test_a_row_stands_where_its_rejected_twin_is_of_another_file_or_key_or_may_repeat() -> None:
    assert refused(done(TWINS, repeat="warn")) == [(3, "n", "not-a-number")]
    assert refused(done("unit;when;n\n1120;2013;1\n1120;2014;x\n9999;2013;1\n")) == [
        (3, "n", "not-a-number"), (4, "unit", "unknown-unit")
    ]  # fmt: skip


def test_a_sum_without_one_of_its_lines_takes_the_lines_of_its_row_with_it() -> None:
    text = "unit;when;n;m;g\n1120;2013;x;1;a\n1120;2013;2;1;b\n1120;2013;3;2;b\n1121;2013;3;2;b\n"
    beds = "}\n  - {concept: beds, column: m, reported_by: {value: T}, unit_measure: {value: beds}"
    beds += ", breakdown: {g: {column: g}}"
    result = done(text, claim=beds, repeat="sum")
    assert [(row, reason) for row, _, reason in refused(result)] == [
        (2, "not-a-number"), (3, "rejected-twin"), (4, "rejected-twin"),
    ]  # fmt: skip
    assert claims_of(result, "row", "concept") == [(5, "places"), (5, "beds")]


SPEAKS = "sender: {default: me, speaks_for: {me: [Tilsynet], other: any}}"


def test_a_sender_speaks_for_those_alone_whom_the_contract_names() -> None:
    text = "unit;when;n;who\n1120;2013;1;me\n1120;2014;1;Tilsynet\n1120;2015;1;Kari\n1120;2016;1;\n"
    beds = "}\n  - {concept: beds, column: n, reported_by: {column: who}, unit_measure: {value: beds}"
    contract = changed(claim=beds)
    raw = parse(text.encode(), read_contract(contract)).raw
    found = {}
    for sender in ("me", "other", "stranger"):
        batch = raw.with_columns(
            submission_id=pl.lit("s"), sender=pl.lit(sender), option_period=pl.lit(None, pl.String)
        )
        allowed = contract.replace("sender: {allowed: any}", SPEAKS.replace("default: me", "allowed: any"))
        found[sender] = refused(normalise(batch, read_contract(allowed), register()))
    empty_cell = (5, "who", "missing-value")
    assert found["me"] == [(4, "who", "not-authorised"), empty_cell]
    assert found["other"] == [empty_cell]
    assert found["stranger"] == [*((row, "who", "not-authorised") for row in (2, 3, 4)), empty_cell]
    batch = raw.with_columns(submission_id=pl.lit("s"), sender=pl.lit("me"), option_period=pl.lit(None, pl.String))
    assert refused(normalise(batch, read_contract(contract), register())) == [empty_cell]  # by default it names anybody


def test_a_version_or_time_from_the_future_is_rejected() -> None:
    times = ("2024-01-02T00:00:00;", "2024-01-02T00:00:01;", ";2024-01-02T00:00:01")
    text = "unit;when;n;v;t\n" + "".join(f"1120;{2013 + i};1;{time}\n" for i, time in enumerate(times))
    top = "report_version: {column: v, type: datetime}\nreported_at: {column: t, type: datetime}"
    contract = read_contract(changed(top=top))
    batch = parse(text.encode(), contract).raw.with_columns(
        submission_id=pl.lit("s"), sender=pl.lit("me"), option_period=pl.lit(None, pl.String),
        _received_at=pl.lit(dt.datetime(2024, 1, 1)),
    )  # fmt: skip
    result = normalise(batch, contract, register())
    assert refused(result) == [(3, "v", "from-the-future"), (4, "t", "from-the-future")]
    assert set(result.rejects["expected"]) == {"a time of at most 2024-01-02T00:00:00"}
