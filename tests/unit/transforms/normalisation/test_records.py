"""Rows to records: every type read, parts put together whatever their order, every row in one bucket."""

import datetime as dt
import json
import unicodedata
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.claims import REJECT, frame_schema
from schemas.contract import Contract, read_contract
from schemas.errors import ContractError
from schemas.kind import Kind, read_kind
from schemas.record_contract import check_records
from schemas.record_tables import record_columns
from transforms.identity import LANES
from transforms.normalisation.records import NormalisedRecords, read_records
from transforms.parsing.parse import parse

KIND = read_kind("""
kind: mishap
version: 1
title: {nb: Uhell, nn: Uhell, en: Mishap}
one_report_per_item: true
fields:
  place: {type: text, role: attribute, doc: Where}
  code: {type: code, role: attribute, doc: Code}
  day: {type: date, role: attribute, doc: When}
  at: {type: datetime, role: attribute, doc: What time}
  speed: {type: number, role: attribute, doc: How fast, parts: greatest}
  least: {type: number, role: attribute, doc: How slow, parts: least}
  cost: {type: number, role: attribute, doc: What it cost, parts: sum}
  hurt: {type: integer, role: attribute, doc: How many, parts: sum}
  indoors: {type: boolean, role: attribute, doc: Whether inside}
  cars: {type: list, role: attribute, doc: Which, parts: all}
  causes: {type: list, role: attribute, doc: Why}
  unsaid: {type: text, role: attribute, doc: What nobody says}
""")
CONTRACT = """
contract: mishaps
version: 1
obligation: mishap
title: {nb: Uhell, nn: Uhell, en: Mishaps}
agency: Statens prøvetilsyn
legal_basis: none
rhythm: event
hours_per_report: null
sender: {allowed: any}
format: {type: csv, decimal: ","}
ignore_rows: [{column: number, values: [SUM], why: a sum}]
record:
  kind: mishap
  reported_by: {column: who}
  report_key: [number]
  row_key: id
  precedence: 3
  fields:
    place: {columns: [street, town], required: true}
    code: {column: code, map: {a: A, b: B}}
    day: {columns: [y, m, d], format: "%Y %m %d"}
    at: {columns: [y, m, d, t], format: "%Y %m %d %H:%M", unreadable: warn}
    speed: {column: speed, decimals: 2, unreadable: warn}
    least: {column: speed, unreadable: empty}
    cost: {column: cost, scale: 1000, missing_values: ["-", "?"]}
    hurt: {column: hurt}
    indoors: {column: inside, map: {ja: "true", nei: "false"}}
    cars: {columns: [car1, car2], missing_values: ["0"]}
    causes: {flags: {wind: storm, rain: rain}}
rules:
  - {id: few, check: range, column: hurt, max: 900, rejects: file}
examples:
  - {name: none, given: ""}
"""
COLUMNS = (
    "id", "who", "number", "street", "town", "code", "y", "m", "d", "t", "speed", "cost", "hurt", "inside", "car1",
    "car2", "wind", "rain",
)  # fmt: skip
SOUND = {"id": "1", "who": "AA", "number": "7", "town": "Bø"}


def contract(*changes: tuple[str, str]) -> Contract:
    text = CONTRACT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    read = read_contract(text)
    check_records(read, {"mishap": KIND})
    return read


PLAIN = contract()
RULES = ("rules:\n  - {id: few, check: range, column: hurt, max: 900, rejects: file}\n", "")


def read(*rows: dict[str, str], by: Contract = PLAIN, submission: str = "s", kind: Kind = KIND) -> NormalisedRecords:
    """Read rows, each said by column; each row of the file has the key and place it must have."""
    raw = pl.DataFrame(
        [{"row": n} | dict.fromkeys(by.columns(), "") | SOUND | row for n, row in enumerate(rows, start=2)],
        schema={"row": pl.Int32} | dict.fromkeys((*by.columns(), *SOUND), pl.String),
    )
    columns = {
        "submission_id": pl.lit(submission),
        "sender": pl.lit("agency"),
        "option_period": pl.lit(None, pl.String),
    }
    return read_records(raw.with_columns(**columns), by, kind)


def one(*rows: dict[str, str], by: Contract = PLAIN) -> dict[str, Any]:
    done = read(*rows, by=by)
    assert done.rejects.filter(severity="critical").height == 0
    assert done.records.height == 1
    return done.records.row(0, named=True)


def rejects_of(done: NormalisedRecords) -> list[tuple[Any, ...]]:
    return done.rejects.select("row", "column", "reason", "severity").rows()


def test_every_type_is_read() -> None:
    row = one(
        {"street": "Storgata", "code": "b", "y": "2004", "m": "3", "d": "09", "t": "17:05", "speed": "12,346",
         "cost": "1,5", "hurt": "2", "inside": "ja", "car1": "x2", "car2": "x1", "wind": "true", "rain": "false"}
    )  # fmt: skip
    assert {name: row[name] for name in KIND.fields} == {
        "place": "Storgata Bø", "code": "B", "day": dt.date(2004, 3, 9), "at": dt.datetime(2004, 3, 9, 17, 5),
        "speed": Decimal("12.35"), "least": Decimal("12.346"), "cost": Decimal(1500), "hurt": 2, "indoors": True,
        "cars": ["x1", "x2"], "causes": ["storm"], "unsaid": None,
    }  # fmt: skip
    assert (row["reported_by"], row["sender"], row["report_key"]) == ("AA", "agency", '["7"]')
    assert (row["row"], row["rows"], row["row_keys"], row["precedence"]) == (2, [2], ["1"], 3)
    assert (row["action"], row["version"], row["confidential"], row["partition"]) == ("append", None, False, "all")


def test_the_columns_are_those_of_the_table_whatever_the_batch() -> None:
    expected = frame_schema(record_columns(KIND))
    empty = read({"number": ""})
    for done in (read({}), read({"id": "1"}, {"id": "2"}), empty):
        assert done.records.schema == expected
        assert done.rejects.schema == frame_schema(REJECT)
    assert empty.records.height == 0


def test_what_is_empty_is_null() -> None:
    row = one({})
    assert [name for name in KIND.fields if row[name] is not None] == ["place"]
    assert row["part_values"] is None


def test_text_is_trimmed_and_composed() -> None:
    decomposed = unicodedata.normalize("NFD", "Ålesund Ærfugl 鉄道 🚂")
    row = one({"town": f" \u00a0{decomposed}\t", "who": unicodedata.normalize("NFD", "Å"), "number": "\u00e9"})
    assert (row["place"], row["reported_by"]) == (unicodedata.normalize("NFC", decomposed), "Å")
    assert one({"number": unicodedata.normalize("NFD", "\u00e9"), "who": "Å"})["report_id"] == row["report_id"]


def test_a_date_needs_all_its_cells_and_a_text_does_not() -> None:
    row = one({"y": "2004", "m": "", "d": "9", "t": "12:00"})
    assert (row["day"], row["at"], row["place"]) == (None, None, "Bø")


@pytest.mark.parametrize(
    ("cells", "rejects"),
    [
        ({"number": ""}, [(2, "number", "missing-value", "critical")]),
        ({"who": " "}, [(2, "who", "missing-value", "critical")]),
        ({"town": ""}, [(2, "street", "missing-value", "critical")]),
        ({"code": "c"}, [(2, "code", "unknown-code", "critical")]),
        ({"y": "2004", "m": "2", "d": "30"}, [(2, "y", "not-a-date", "critical")]),
        ({"y": "2004", "m": "2", "d": "1", "t": "25:00"}, [(2, "y", "not-a-date", "warning")]),
        ({"speed": "fast"}, [(2, "speed", "not-a-number", "warning")]),
        ({"speed": "1,1234567899"}, []),
        ({"cost": "1,1234567899"}, [(2, "cost", "out-of-range", "critical")]),
        ({"cost": "9" * 26}, [(2, "cost", "out-of-range", "critical")]),
        ({"cost": "NaN"}, [(2, "cost", "not-a-number", "critical")]),
        ({"cost": "?"}, []),
        ({"hurt": "1,5"}, [(2, "hurt", "not-a-number", "critical")]),
        ({"inside": "kanskje"}, [(2, "inside", "unknown-code", "critical")]),
        ({"wind": "maybe"}, [(2, "wind", "unknown-code", "critical")]),
        (
            {"hurt": "1,5", "code": "c"},
            [(2, "code", "unknown-code", "critical"), (2, "hurt", "not-a-number", "critical")],
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_reported_and_no_row_is_lost(
    cells: dict[str, str], rejects: list[tuple[Any, ...]]
) -> None:
    done = read(cells)
    assert rejects_of(done) == rejects
    critical = any(r[3] == "critical" for r in rejects)
    assert done.counts.select("rows", "claimed", "claims", "rejected").row(0) == (
        1,
        1 - critical,
        1 - critical,
        critical,
    )
    assert done.records.height == 1 - critical


def test_a_whole_number_beyond_what_is_kept_is_out_of_range() -> None:
    by = contract(("max: 900", "min: 0"))
    assert rejects_of(read({"hurt": str(2**63)}, by=by)) == [(2, "hurt", "out-of-range", "critical")]
    assert one({"hurt": str(2**63 - 1)}, by=by)["hurt"] == 2**63 - 1


def test_a_rule_can_sink_the_file_and_a_named_row_is_ignored() -> None:
    done = read({"hurt": "901"}, {"number": "8"}, {"number": "SUM", "who": ""})
    assert rejects_of(done) == [(2, "hurt", "rule", "critical")]
    assert done.counts.select("rows", "claimed", "rejected", "ignored").row(0) == (3, 0, 2, 1)


def test_lists_of_one_cell_are_split_and_mapped() -> None:
    by = contract(
        ('{columns: [car1, car2], missing_values: ["0"]}', "{column: car1, separator: '|', map: {a: A, b: B}}")
    )
    assert one({"car1": "b| a |b|"}, by=by)["cars"] == ["A", "B"]
    assert one({"car1": ""}, by=by)["cars"] is None
    assert rejects_of(read({"car1": "a|c"}, by=by)) == [(2, "car1", "unknown-code", "critical")]


def test_rows_of_one_report_are_its_parts() -> None:
    row = one(
        {"id": "a", "speed": "10", "cost": "1", "hurt": "1", "car1": "x2", "wind": "true"},
        {"id": "b", "speed": "12", "cost": "2,5", "hurt": "", "car1": "x1", "car2": "x2", "rain": "true"},
    )
    assert (row["row"], row["rows"], row["row_keys"]) == (2, [2, 3], ["a", "b"])
    assert (row["speed"], row["least"], row["cost"], row["hurt"]) == (12, 10, 3500, 1)
    assert (row["cars"], row["causes"], row["place"], row["unsaid"]) == (["x1", "x2"], ["storm"], "Bø", None)
    assert json.loads(row["part_values"]) == [
        {"speed": "10", "least": "10", "cost": "1000", "hurt": "1", "cars": ["x2"], "causes": ["storm"]},
        {"speed": "12", "least": "12", "cost": "2500", "hurt": None, "cars": ["x1", "x2"], "causes": ["rain"]},
    ]


def test_the_order_of_the_parts_is_no_part_of_what_they_say() -> None:
    parts = ({"id": "a", "town": "Bø", "code": "b"}, {"id": "b", "town": "Ås"}, {"id": "c", "town": "Os", "code": "a"})
    said = [one(*order) for order in (parts, parts[::-1], (parts[1], parts[2], parts[0]))]
    for name in ("content", "place", "code"):
        assert len({str(row[name]) for row in said}) == 1


def test_parts_that_say_the_same_differ_in_nothing() -> None:
    assert one({"id": "a"}, {"id": "b"})["part_values"] is None
    reports = [{"id": i, "number": n, "speed": s} for n, s in (("7", "1"), ("8", "2")) for i in "ab"]
    assert read(*reports).records.select("rows", "part_values").rows() == [([2, 3], None), ([4, 5], None)]


def test_a_rejected_part_leaves_the_others_without_the_sums_that_lack_it() -> None:
    done = read({"id": "a", "cost": "1", "hurt": "2"}, {"id": "b", "cost": "much", "hurt": ""}, {"number": "8"})
    assert done.records.select("rows", "cost", "hurt").rows() == [([2], None, 2), ([4], None, None)]
    assert done.counts.select("rows", "claimed", "claims", "rejected", "warnings").row(0) == (3, 2, 2, 1, 1)
    warning, reject = done.rejects.sort("severity", descending=True).to_dicts()
    assert (warning["row"], warning["column"], warning["reason"]) == (2, "cost", "rejected-twin")
    assert (reject["row"], reject["reason"]) == (3, "not-a-number")
    whole = read({"id": "a", "cost": "1", "hurt": "2"})
    assert whole.records["content"].item() != done.records["content"][0]


def test_a_sum_with_too_many_digits_rejects_its_report() -> None:
    done = read(*({"id": str(n), "cost": "9" * 25 if n else ""} for n in range(20)), {"number": "8", "cost": "1"})
    assert done.records.select("rows", "cost").rows() == [([22], 1000)]
    assert done.rejects["row"].to_list() == list(range(2, 22))
    assert set(done.rejects["reason"]) == {"out-of-range"}
    assert set(done.rejects["column"]) == {"cost"}
    assert done.counts.select("claimed", "rejected").row(0) == (1, 20)
    many = read({"id": "a", "hurt": str(2**62)}, {"id": "b", "hurt": str(2**62)}, by=contract(RULES))
    assert (many.records.height, many.rejects["reason"].to_list()) == (0, ["out-of-range"] * 2)
    assert read({"hurt": str(2**63 - 1)}, by=contract(RULES)).records["hurt"].item() == 2**63 - 1


def test_a_text_of_any_characters_is_json_where_it_is_printed_as_json() -> None:
    odd = 'a"b\\c\nd é'
    row = one({"number": odd, "town": odd, "id": "a"}, {"number": odd, "town": "b", "id": "b"})
    assert json.loads(row["report_key"]) == [odd]
    assert {part["place"] for part in json.loads(row["part_values"])} == {odd, "b"}


def test_a_report_is_its_contract_reporter_and_key() -> None:
    by = contract(("contract: mishaps", "contract: others"))
    ids = {one(changes)["report_id"] for changes in ({}, {"who": "BB"}, {"number": "8"}, {"id": "2", "town": "Os"})}
    assert len(ids) == 3
    assert one({}, by=by)["report_id"] not in ids
    two = read({}, submission="other").records["report_id"][0]
    assert two in ids


def test_the_reporter_is_the_sender_if_nothing_else_is_said() -> None:
    assert one({}, by=contract(("  reported_by: {column: who}\n", "")))["reported_by"] == "agency"


def test_content_is_what_a_report_says() -> None:
    first = one({"hurt": "1"})["content"]
    assert one({"hurt": "1", "id": "9"})["content"] == first
    others = [{"hurt": "2"}, {}, {"hurt": "1", "wind": "true"}, {"hurt": "1", "town": "Os"}, {"speed": "1"}]
    assert len({one(changes)["content"] for changes in others} | {first}) == len(others) + 1


VERSIONED = contract(
    ("record:\n", """report_version: {column: v}
reported_at: {column: when, type: datetime, format: '%Y-%m-%d'}
action: {column: what, map: {'': append, slett: withdraw}}
record:
"""),
    ("  precedence: 3\n", "  precedence: 3\n  confidential: {column: secret, map: {'': 'false', x: 'true'}}\n"),
)  # fmt: skip


def test_versions_and_actions_are_deliveries_of_their_own() -> None:
    done = read(
        {"v": "1", "when": "2024-01-02"},
        {"v": "2", "when": "2024-01-03", "secret": "x"},
        {"v": "2", "when": "2024-01-04"},
        {"v": "2", "what": "slett"},
        by=VERSIONED,
    )
    shown = done.records.select("rows", "version", "action", "reported_at", "confidential").rows()
    assert shown == [
        ([2], 1, "append", dt.datetime(2024, 1, 2), False),
        ([3, 4], 2, "append", dt.datetime(2024, 1, 3), True),
        ([5], 2, "withdraw", None, False),
    ]
    assert done.records["report_id"].n_unique() == 1
    assert done.records["content"].n_unique() == 3
    assert rejects_of(read({"v": "x", "when": "soon", "what": "y", "secret": "z"}, by=VERSIONED)) == [
        (2, "secret", "unknown-code", "critical"),
        (2, "v", "not-a-number", "critical"),
        (2, "what", "unknown-code", "critical"),
        (2, "when", "not-a-date", "critical"),
    ]


def test_a_contract_of_another_kind_is_wrong_use() -> None:
    other = KIND.model_copy(update={"kind": "accident"})
    with pytest.raises(ContractError, match="contract 'mishaps' makes no records of kind 'accident'"):
        read({}, kind=other)


def test_a_file_is_read_as_its_rows_are() -> None:
    header = ";".join(COLUMNS)
    cells = {"id": "1", "who": "AA", "number": "7", "town": '"Bø;""vest"""', "cost": "1,5"}
    line = ";".join(cells.get(c, "") for c in COLUMNS)
    raw = parse(f"{header}\n{line}\n".encode(), PLAIN).raw
    batch = raw.with_columns(submission_id=pl.lit("s"), sender=pl.lit("a"), option_period=pl.lit(None, pl.String))
    row = read_records(batch, PLAIN, KIND).records.row(0, named=True)
    assert (row["place"], row["cost"]) == ('Bø;"vest"', 1500)


CELLS = {
    "who": st.sampled_from(["AA", "BB", ""]),
    "number": st.sampled_from(["7", "8", "SUM", ""]),
    "town": st.sampled_from(["Bø", "Os", ""]),
    "speed": st.sampled_from(["", "1", "2,5", "fast"]),
    "cost": st.sampled_from(["", "1", "-", "1e3"]),
    "hurt": st.sampled_from(["", "1", "2", "x"]),
    "car1": st.sampled_from(["", "0", "x1", "x2"]),
    "wind": st.sampled_from(["", "true", "false", "?"]),
    "v": st.sampled_from(["", "1", "2"]),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=8).map(
    lambda rows: [row | {"id": str(n)} for n, row in enumerate(rows)]
)


@settings(max_examples=50)
@given(ROWS)
def test_every_row_ends_in_one_bucket(rows: list[dict[str, str]]) -> None:
    done = read(*rows, by=VERSIONED)
    counts = done.counts.row(0, named=True)
    assert counts["rows"] == len(rows) == counts["claimed"] + counts["rejected"] + counts["ignored"]
    claimed = done.records["rows"].list.explode(keep_nulls=False, empty_as_null=False).to_list()
    rejected = set(done.rejects.filter(severity="critical")["row"])
    assert len(claimed) == len(set(claimed)) == counts["claimed"]
    assert not rejected & set(claimed)
    assert counts["claims"] == done.records.height


@settings(max_examples=50)
@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_the_order_of_rows_says_nothing(both: tuple[list[dict[str, str]], list[dict[str, str]]]) -> None:
    one, other = (read(*rows, by=VERSIONED) for rows in both)
    columns = ["report_id", "version", "action", *KIND.fields, "content"]
    assert one.records.select(columns).sort(columns[:3]).equals(other.records.select(columns).sort(columns[:3]))
    assert one.counts.equals(other.counts)


@settings(max_examples=30)
@given(ROWS, st.integers(0, 8))
def test_a_batch_is_its_submissions(rows: list[dict[str, str]], cut: int) -> None:
    parts = [rows[:cut], rows[cut:]]
    alone = [read(*part, submission=f"s{n}").records for n, part in enumerate(parts) if part]
    frames = [
        pl.DataFrame([{"row": i} | dict.fromkeys(PLAIN.columns(), "") | SOUND | row for i, row in enumerate(part, 2)])
        .select(pl.col("row").cast(pl.Int32), *PLAIN.columns())
        .with_columns(submission_id=pl.lit(f"s{n}"), sender=pl.lit("agency"), option_period=pl.lit(None, pl.String))
        for n, part in enumerate(parts)
        if part
    ]
    assert read_records(pl.concat(frames), PLAIN, KIND).records.equals(pl.concat(alone))


def test_what_two_submissions_say_is_one_content_if_it_is_the_same() -> None:
    same = [read({"cost": "1"}, {"number": "8"}, submission=s).counts.select(LANES).row(0) for s in ("s", "t")]
    assert same[0] == same[1]
    assert read({"cost": "2"}, {"number": "8"}).counts.select(LANES).row(0) != same[0]
    assert read({"cost": "1", "id": "other"}, {"number": "8"}).counts.select(LANES).row(0) != same[0]


BOAT = read_kind("""
kind: boat
version: 1
title: {nb: Båt, nn: Båt, en: Boat}
one_report_per_item: true
fields:
  call_sign: {type: code, role: identity, doc: Its call sign}
  metres: {type: number, role: attribute, doc: Length, parts: sum}
""")
BOATS = (
    CONTRACT.split("ignore_rows", maxsplit=1)[0]
    + """
record: {kind: boat, report_key: [number], fields: {call_sign: {column: sign}, metres: {column: metres}}}
examples: [{name: none, given: ""}]
"""
)


def boats(text: str, *rows: tuple[str, str, str], sender: str = "agency") -> NormalisedRecords:
    by = read_contract(text)
    names = ("number", "sign", "metres")
    raw = pl.DataFrame(rows, dict.fromkeys(names, pl.String), orient="row").with_row_index("row", 2)
    columns = {"submission_id": pl.lit("s"), "sender": pl.lit(sender), "option_period": pl.lit(None, pl.String)}
    return read_records(raw.with_columns(pl.col("row").cast(pl.Int32), **columns), by, BOAT)


TWO_UNDER_ONE = (("1", "LK1", "10"), ("1", "LK2", "22"), ("2", "LK3", "5"), ("2", "LK3", "6"), ("2", "", "1"))


def test_rows_of_one_key_that_are_of_two_things_are_rejected() -> None:
    result = boats(BOATS, *TWO_UNDER_ONE)
    assert rejects_of(result) == [(row, "number", "duplicate-key", "critical") for row in (2, 3)]
    assert result.records.select("call_sign", "metres", "rows").rows() == [("LK3", Decimal(12), [4, 5, 6])]
    assert result.counts.select("rows", "claimed", "rejected").rows() == [(5, 3, 2)]


@pytest.mark.parametrize(
    ("repeat", "rejected", "severity", "records"),
    [("sum", 0, None, 2), ("error", 5, "critical", 0), ("warn", 5, "warning", 2)],
)
def test_a_report_key_that_repeats_is_what_the_contract_says(
    repeat: str, rejected: int, severity: str | None, records: int
) -> None:
    result = boats(f"{BOATS}repeat: {repeat}\n", *TWO_UNDER_ONE)
    assert result.rejects.height == rejected
    assert set(result.rejects["severity"]) == {severity} - {None}
    assert result.records.height == records
    assert result.counts.select(pl.col("claimed") + pl.col("rejected")).item() == 5


def test_reports_of_two_senders_are_two_reports_unless_the_contract_says_otherwise() -> None:
    def ids(text: str) -> list[str]:
        return [boats(text, ("1", "LK1", "1"), sender=s).records["report_id"].item() for s in ("agency", "other")]

    own = BOATS.replace("report_key: [number]", "report_key: [number], reported_by: {value: R}")
    shared = own.replace("report_key: [number]", "report_key: [number], report_key_of: reporter")
    default = own.replace("sender: {allowed: any}", "sender: {default: agency, allowed: any}")
    assert len(set(ids(shared))) == 1
    assert len(set(ids(own))) == 2
    assert ids(default)[0] == ids(shared)[0]  # the default sender's reports have the ids they always had
    assert ids(default)[1] == ids(own)[1]
