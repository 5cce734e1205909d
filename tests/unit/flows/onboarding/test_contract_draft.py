"""A contract drafted from a file of any format reads that file untouched, and its example holds; garbage is refused."""

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.contracts.example_tests import failed_example
from flows.installation import Installation
from flows.intake.deliveries import deliveries_from_paths
from flows.intake.registration import check_delivery
from flows.onboarding.contract_draft import DraftedContract, DraftOptions, draft_from_file, draft_options
from schemas.contract import load_contracts
from schemas.errors import UsageError
from schemas.kind import load_kinds
from tests.support.small_installation import open_small

HEADER = ("kommunenr", "år", "kjønn", "antall", "beløp")
ROWS = [
    (kommune, str(year), sex, str(year - 2000 + n), f"{n} 000,5")
    for n, kommune in enumerate(("0301", "1120", "1121"), start=1)
    for year in (2019, 2020)
    for sex in "FM"
]


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    return open_small(tmp_path / "home")


def delimited(delimiter: str = ";", before: str = "", after: str = "") -> str:
    lines = [delimiter.join(row) for row in (HEADER, *ROWS)]
    return before + "".join(f"{line}\n" for line in lines) + after


def workbook() -> bytes:
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content)
    sheet = book.add_worksheet("Tall")
    sheet.write_row(0, 0, ["Antall per kommune"])
    for number, row in enumerate((HEADER, *ROWS), start=2):
        sheet.write_row(number, 0, [*row[:3], int(row[3]) if row[3].isdigit() else row[3], row[4]])
    book.close()
    return content.getvalue()


def zipped(name: str, data: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, data)
    return content.getvalue()


def parquet() -> bytes:
    content = io.BytesIO()
    frame = pl.DataFrame([row[:4] for row in ROWS], schema=HEADER[:4], orient="row")
    frame.with_columns(pl.col("antall").cast(pl.Int64)).write_parquet(content)
    return content.getvalue()


def as_xml() -> bytes:
    rows = "".join(
        f'<rad><sted kommunenr="{r[0]}"/><år>{r[1]}</år><kjønn>{r[2]}</kjønn><antall>{r[3]}</antall></rad>'
        for r in ROWS
    )
    return f"<melding><kilde>en etat</kilde><rader>{rows}</rader></melding>".encode()


def as_json() -> bytes:
    rows = [{"kommunenr": row[0], "tall": {"år": row[1], "kjønn": row[2], "antall": int(row[3])}} for row in ROWS]
    return json.dumps({"kilde": "en etat", "rader": rows}, ensure_ascii=False).encode()


FILES = {
    "plain.csv": delimited().encode(),
    "titles-and-notes.csv": delimited(before="Tabell 1\n\n", after="Kilde: en etat\n").encode(),
    "latin.csv": delimited("\t").encode("cp1252"),
    "utf-16.csv": delimited("|").encode("utf-16"),
    "last-delimiter.csv": delimited().replace("\n", ";\n").encode(),
    "packed.csv.gz": gzip.compress(delimited().encode()),
    "packed.zip": zipped("inside.csv", delimited().encode()),
    "book.xlsx": workbook(),
    "table.parquet": parquet(),
    "rows.json": as_json(),
    "rows.xml": as_xml(),
}


def draft(home: Installation, file: Path, name: str = "ny", **options: Any) -> DraftedContract:
    to = home.settings.home / "drafts"
    return draft_from_file(home, name, file, DraftOptions(to=to, **options))


def check(home: Installation, drafted: DraftedContract, file: Path, period: str | None = None) -> Any:
    """Return the receipt of the file under its drafted contract, whose examples must hold."""
    kinds = dict(home.kinds) | (load_kinds(drafted.kind.parent) if drafted.kind else {})
    home = home.with_presets(kinds=kinds)
    assert failed_example(home, drafted.contract) is None
    home = home.with_presets(contracts={drafted.contract.contract: drafted.contract})
    (delivery,) = deliveries_from_paths(home, [file], drafted.contract.contract, sender=None, period=period)
    receipt, rejects = check_delivery(home, delivery)
    assert not receipt.has_problems, rejects.rows()
    return receipt


@pytest.mark.parametrize("name", FILES)
def test_a_drafted_contract_reads_the_file_it_was_drafted_from(home: Installation, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(FILES[name])
    drafted = draft(home, file)
    receipt = check(home, drafted, file)
    assert drafted.rows == len(ROWS)
    assert receipt.claims >= len(ROWS)
    contract = load_contracts(drafted.file.parent)["ny"]
    assert contract.unit is not None
    assert contract.unit.source_columns()[0].endswith("kommunenr")
    assert contract.period is not None
    assert str(contract.period.column).endswith("år")
    assert len(contract.breakdown) == 1
    assert contract.examples[0].claims, "its example is of the first rows"
    text = drafted.file.read_text(encoding="utf-8")
    assert text.isprintable() or all(c.isprintable() or c == "\n" for c in text)
    assert "# 3 of its 3 distinct texts are codes of the register's municipality units" in text


def test_a_file_without_a_period_asks_for_it(home: Installation, tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("navn;antall\nGrip AS;1\nNord AS;2\n", encoding="utf-8")
    drafted = draft(home, file)
    assert drafted.as_dict()["options"] == ["period"]
    assert check(home, drafted, file, period="2020").claims == 2


def test_a_file_without_figures_gives_a_kind_too(home: Installation, tmp_path: Path) -> None:
    rows = "".join(f"{n};Person {n % 40};{n % 28 + 1:02d}.01.2024;Gate {n}\n" for n in range(80))
    file = tmp_path / "f.csv"
    file.write_text(f"id;navn;dato;adresse\n{rows}", encoding="utf-8")
    drafted = draft(home, file, "saker")
    assert drafted.kind is not None
    assert drafted.kind.parent.name == "kinds"
    assert drafted.contract.record is not None
    assert drafted.contract.record.kind == "saker"
    assert check(home, drafted, file).claims == 80


def test_several_columns_together_are_the_key_where_no_single_one_is(home: Installation, tmp_path: Path) -> None:
    rows = "".join(f"Person {n // 2};{'ab'[n % 2]};Gate {n // 2}\n" for n in range(80))
    file = tmp_path / "f.csv"
    file.write_text(f"navn;rolle;adresse\n{rows}", encoding="utf-8")
    drafted = draft(home, file, "roller")
    assert drafted.contract.record is not None
    assert drafted.contract.record.report_key == ("navn", "rolle")
    assert set(drafted.contract.record.fields) == {"navn", "rolle", "adresse"}
    assert check(home, drafted, file).claims == 80
    file.write_text("a;b\n" + "x;y\n" * 9, encoding="utf-8")
    with pytest.raises(UsageError, match="add one that numbers the rows"):
        draft(home, file, "gjentatt")


def test_rows_become_records_of_a_kind(home: Installation, tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text(
        "nr;occurred_on;municipality;severity\n1;01.02.2024;0301;1\n2;03.02.2024;1120;?\n", encoding="utf-8"
    )
    drafted = draft(home, file, kind="incident")
    assert check(home, drafted, file).claims == 2


def test_a_draft_follows_a_contract(home: Installation, tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("kommune;dag;gruppe;antall\n0301;01.01.2024;alle;700\n1120;01.01.2024;alle;20\n", encoding="utf-8")
    drafted = draft(home, file, like="folketall")
    assert drafted.contract.agency == home.contract("folketall").agency
    assert [claim.concept for claim in drafted.contract.claims] == ["population"]
    assert drafted.contract.concepts == {}


def test_a_person_names_the_columns(home: Installation, tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("who;when;n\na;2019;1\nb;2020;2\n", encoding="utf-8")
    options = draft_options(to=tmp_path, like=None, kind=None, unit_column="who", period_column="when")
    drafted = draft_from_file(home, "ny", file, options)
    assert check(home, drafted, file).claims == 2
    with pytest.raises(UsageError, match="--unit-column: no column 'whom': found who, when, n"):
        draft(home, file, "annen", wishes=type(options.wishes)(unit_column="whom"))
    with pytest.raises(UsageError, match="--kind is for records"):
        draft_options(to=None, like=None, kind="incident", unit_column="who", period_column=None)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\0\1", "no text"),
        (zipped("x.bin", b"\0\1"), "no text"),
        (b"PAR1", "damaged Parquet"),
        (b"PAR1" + b"\0\1\2" * 40 + b"PAR1", "damaged Parquet"),
    ],
)
def test_garbage_is_refused_and_nothing_is_written(home: Installation, tmp_path: Path, data: bytes, why: str) -> None:
    file = tmp_path / ("f.zip" if data.startswith(b"PK") else "f.bin")
    file.write_bytes(data)
    with pytest.raises(UsageError, match=why):
        draft(home, file)
    assert not (home.settings.home / "drafts").exists()


def test_a_list_of_codes_is_named_as_what_it_may_be(home: Installation, tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("kind;code;name\nschool;901;Sentrum\nschool;902;Nord\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"no column holds figures.*ENGANG_CODELISTS"):
        draft(home, file)


def test_names_and_existing_contracts_are_respected(home: Installation, tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_bytes(FILES["plain.csv"])
    with pytest.raises(UsageError, match="is no name for a contract"):
        draft(home, file, "Not A Name")
    draft(home, file)
    with pytest.raises(UsageError, match="exists: edit it"):
        draft(home, file)
    with pytest.raises(UsageError, match="no such file"):
        draft(home, tmp_path / "absent.csv", "annen")


@given(st.one_of(st.binary(max_size=300), st.text(alphabet="a1;,\n\"' åé.-{}[]<:", max_size=300).map(str.encode)))
@settings(max_examples=60, deadline=None)
def test_any_bytes_give_a_contract_or_a_reason(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    home = open_small(folder / "home")
    file = folder / "f"
    file.write_bytes(data)
    try:
        drafted = draft(home, file)
    except UsageError:
        return
    text = drafted.file.read_text(encoding="utf-8")
    assert all(c.isprintable() or c == "\n" for c in text)
