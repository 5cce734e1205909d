"""A file of what is true: which columns are taken, how keys are compared, what is said of a file that will not do."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.matching.truth import TruthFile, read_truth
from schemas.errors import UsageError


def csv(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "truth.csv"
    file.write_text(text, encoding="utf-8")
    return file


def parquet(tmp_path: Path, **columns: Any) -> Path:
    file = tmp_path / "truth.parquet"
    pl.DataFrame(columns).write_parquet(file)
    return file


def read(file: Path, **options: Any) -> TruthFile:
    return read_truth(file, options.pop("keys", ["row_id"]), "mishap", **options)


def columns(truth: TruthFile) -> tuple[str, str]:
    return truth.key, truth.label


def test_the_key_is_the_contracts_and_the_label_the_only_other_column(tmp_path: Path) -> None:
    truth = read(csv(tmp_path, "anything;row_id\nx;1\ny;2\n"))
    assert columns(truth) == ("row_id", "anything")
    assert sorted(truth.rows.rows()) == [("1", "x"), ("2", "y")]


@pytest.mark.parametrize("name", ["label", "cluster", "cluster_id", "mishap_id"])
def test_a_column_called_as_labels_are_is_the_label(tmp_path: Path, name: str) -> None:
    assert columns(read(csv(tmp_path, f"row_id,other_id,{name}\n1,2,3\n"))) == ("row_id", name)


def test_the_only_other_column_that_ends_as_an_id_does_is_the_label(tmp_path: Path) -> None:
    file = parquet(tmp_path, row_id=[1], RAILROAD=["A"], IYR=["01"], accident_id=["a"])
    assert columns(read(file)) == ("row_id", "accident_id")


def test_columns_can_be_named(tmp_path: Path) -> None:
    file = csv(tmp_path, "row_id\tlabel\tmine\tother\n1\t2\t3\t4\n")
    assert read(file, key="mine", label="other").rows.rows() == [("3", "4")]
    assert columns(read(csv(tmp_path, "report_id,x\na,b\n"))) == ("report_id", "x")


@pytest.mark.parametrize(
    ("header", "columns", "message"),
    [
        (
            "number,label",
            {},
            "expected one column of a row's own key, report_id or row_id; found none among number, label",
        ),
        ("row_id,report_id,label", {}, "found several: row_id, report_id: name it with --key"),
        ("row_id,a,b", {}, "expected one column of the item, label, cluster, cluster_id, mishap_id; found none"),
        ("row_id,label,cluster", {}, "found several: label, cluster: name it with --label"),
        ("row_id,a_id,b_id", {}, "name it with --label"),
        ("row_id,a", {"key": "rowid"}, "--key: .* has no column 'rowid': found row_id, a"),
        ("row_id,a", {"label": "b"}, "--label: .* has no column 'b'"),
    ],
)
def test_what_cannot_be_inferred_must_be_given(
    tmp_path: Path, header: str, columns: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        read(csv(tmp_path, f"{header}\n{','.join('1' for _ in header.split(','))}\n"), **columns)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ([1, 2], ["1", "2"]),
        ([1.0, None], ["1"]),
        ([1.5], ["1.5"]),
        (["a ", " "], ["a"]),
        ([dt.date(2024, 1, 2)], ["2024-01-02"]),
    ],
)
def test_keys_are_text_as_a_delivery_writes_them(tmp_path: Path, keys: list[Any], text: list[str]) -> None:
    truth = read(parquet(tmp_path, row_id=keys, label=["x"] * len(keys)))
    assert sorted(truth.rows["key"]) == text


def test_rows_without_a_label_and_rows_reported_twice_say_nothing_more(tmp_path: Path) -> None:
    truth = read(csv(tmp_path, "row_id,label\n1,x\n1,x\n2,\n,x\n3,å\n"))
    assert sorted(truth.rows.rows()) == [("1", "x"), ("3", "å")]


@pytest.mark.parametrize("given", [b"\xff\xfe\x00not text", b"PAR1\xff", b""])
def test_what_is_no_table_is_refused(tmp_path: Path, given: bytes) -> None:
    for name in ("truth.csv", "truth.parquet"):
        (tmp_path / name).write_bytes(given)
        with pytest.raises(UsageError, match="neither Parquet"):
            read(tmp_path / name)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for name in ("nowhere.csv", "nowhere.parquet", "."):
        with pytest.raises(UsageError, match=r"cannot be read|neither"):
            read(tmp_path / name)


def test_a_column_of_lists_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected text or numbers"):
        read(parquet(tmp_path, row_id=[["1"]], label=["x"]))


def test_keys_that_several_bodies_number_alike_are_distinguished(tmp_path: Path) -> None:
    text = "row_id,contract,label\n1,a,x\n1,b,y\n2,a,y\n"
    truth = read(csv(tmp_path, text))
    assert truth.places == ("contract",)
    assert sorted(truth.rows.select("key", "contract", "label").rows()) == [
        ("1", "a", "x"), ("1", "b", "y"), ("2", "a", "y"),
    ]  # fmt: skip


def test_a_column_of_contracts_is_not_used_where_keys_are_distinct(tmp_path: Path) -> None:
    truth = read(csv(tmp_path, "row_id,sender,label\n1,written otherwise,x\n2,so,y\n"))
    assert truth.places == ()
    assert truth.rows.columns == ["key", "label"]


@pytest.mark.parametrize("text", ["row_id,label\n1,x\n1,y\n", "row_id,sender,label\n1,s,x\n1,s,y\n"])
def test_a_key_with_several_labels_is_an_error_with_the_cure(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"have several labels.*contract, sender, reported_by.*'report_id'"):
        read(csv(tmp_path, text))
