"""The lake's addresses and options, and each error of it in words: of a folder, of S3, of a damaged file."""

from pathlib import Path

import polars as pl
import pytest
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from infra.lake.access import (
    first_line,
    scan_errors,
    single_writer,
    storage_options,
    store_errors,
    table_address,
    unreachable,
)
from infra.storage.places import Place, S3Place
from schemas.errors import StoreError

FOLDER, BUCKET = Path("/data/lake"), S3Place("b", "lake")
CHECK = "check the bucket, the role's rights, ENGANG_S3_ENDPOINT and AWS_REGION"


def message_of(error: BaseException, place: Place = FOLDER) -> str:
    with pytest.raises(StoreError) as raised, store_errors(place, "claims"):
        raise error
    return str(raised.value)


def test_a_table_has_an_address() -> None:
    assert table_address(Path("/data/my lake"), "claims").endswith(":///data/my%20lake/claims")
    assert table_address(BUCKET, "claims") == "s3://b/lake/claims"


def test_a_commit_to_s3_is_conditional_whatever_the_endpoint() -> None:
    assert storage_options(FOLDER) is None
    assert storage_options(BUCKET) == {"aws_conditional_put": "etag"}
    for scheme, http in (("http", "true"), ("https", "false")):
        assert storage_options(S3Place("b", "", f"{scheme}://s3")) == {
            "aws_conditional_put": "etag", "aws_endpoint": f"{scheme}://s3",
            "aws_virtual_hosted_style_request": "false", "aws_allow_http": http,
        }  # fmt: skip


def test_a_damaged_table_of_a_folder_is_restored() -> None:
    assert message_of(DeltaError("bad log\nstack")) == (
        "lake: the table claims in /data/lake is damaged or of an unknown form (bad log); restore its folder, "
        "_delta_log included, from the lake's backup"
    )


@pytest.mark.parametrize("error", [DeltaError("Permission denied (os error 13)"), OSError("x (os error 28)")])
def test_a_folder_that_cannot_be_written_is_looked_after(error: Exception) -> None:
    assert message_of(error) == (
        f"lake: the table claims in /data/lake can be neither read nor written now ({error}); check the disk, its free "
        "space and this user's rights"
    )


def test_an_error_that_names_its_file_and_a_conflict_pass() -> None:
    with pytest.raises(PermissionError), store_errors(FOLDER, "claims"):
        raise PermissionError(13, "Permission denied", "/data/lake/x")
    with pytest.raises(CommitFailedError), store_errors(FOLDER, "claims"):
        raise CommitFailedError("conflict")
    with pytest.raises(ZeroDivisionError), store_errors(FOLDER, "claims"):
        raise ZeroDivisionError


@pytest.mark.parametrize("error", [OSError(5, "no route"), TableNotFoundError("no route")])
def test_s3_that_fails_is_looked_after(error: Exception) -> None:
    found = message_of(error, BUCKET)
    assert found.startswith("s3://b/lake: the lake's table claims cannot be reached (")
    assert "no route" in found
    assert found.endswith(CHECK)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<Error><Code>AccessDenied</Code><Key>secret</Key></Error>", "AccessDenied"),
        ("error sending request\n\ncaused by\n  connection refused  ", "connection refused"),
        ("", "OSError"),
        ("x" * 300, "x" * 200),
    ],
)
def test_s3_is_quoted_by_its_code_or_the_last_line(text: str, reason: str) -> None:
    assert str(unreachable("lake", OSError(text))) == f"lake cannot be reached ({reason}); {CHECK}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("first\nsecond", "first"), ("", "OSError"), ("x" * 301, "x" * 300), ("\n\n  a \n b", "a"),
        ("\x1b[31mred\x1b[0m \u21b3 end", "red   end"),
    ],
)  # fmt: skip
def test_an_error_is_told_by_its_first_line(text: str, line: str) -> None:
    assert first_line(OSError(text)) == line


def test_a_scan_that_fails_says_whether_s3_or_a_file_is_the_cause() -> None:
    with pytest.raises(StoreError, match=r"^lake: a table on S3 cannot be reached \(.*timeout\)"), scan_errors():
        raise pl.exceptions.ComputeError("object-store error: timeout")
    damaged = r"^lake: a file of a table cannot be read \(parquet: bad magic\); `engang status` names files"
    with pytest.raises(StoreError, match=damaged), scan_errors():
        raise pl.exceptions.ComputeError("parquet: bad magic\nframes")
    with pytest.raises(StoreError, match=r"cannot be read \(range end\)"), scan_errors():
        raise pl.exceptions.PanicException("range end")


@pytest.mark.parametrize(
    "error",
    [pl.exceptions.ComputeError("overflow"), pl.exceptions.SchemaError("parquet"), OSError("parquet"), KeyError()],
)
def test_another_error_of_a_scan_passes(error: Exception) -> None:
    with pytest.raises(type(error)), scan_errors():
        raise error


def test_two_writers_of_a_table_are_told_apart() -> None:
    with pytest.raises(StoreError) as raised, single_writer(FOLDER, "sources"):
        raise CommitFailedError("version 3 exists")
    message = "lake: the table sources was written by another process meanwhile (version 3 exists)"
    assert str(raised.value) == f"{message}; nothing was published: run it again, alone"
    with (
        pytest.raises(StoreError, match="the table sources in /data/lake is damaged"),
        single_writer(FOLDER, "sources"),
    ):
        raise DeltaError("bad log")
