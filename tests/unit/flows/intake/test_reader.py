"""The reading process: what it is handed, what it answers, what it remembers."""

import json
import os
import runpy
from dataclasses import replace
from pathlib import Path
from pickle import dumps
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from flows.intake import reader
from flows.intake.reader import FileToRead, Reader, ReadRequest, with_constants, without_constants
from flows.intake.reading import CHANGED
from infra.child_channel import ChildMessage, nameless_file
from infra.storage.landing import Note
from infra.storage.store import content_hash
from schemas.contract import load_contracts
from schemas.reading_limits import DEFAULT_LIMITS
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER
from transforms.register.lookup import Register

FOLKETALL = load_contracts(CONTRACTS)["folketall"]
FIRST = (HEADER + "0301;01.01.2024;alle;700 000;\n").encode()
SECOND = (HEADER + "1120;01.01.2024;alle;20 000;\n1121;01.01.2024;alle;19 000;\n").encode()


@pytest.fixture(autouse=True)
def limited(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Limit nothing of this process; give what would be."""
    limits: list[int] = []
    monkeypatch.setattr(reader, "limit_file_size", limits.append)
    return limits


def to_read(id_: str, data: bytes, start: int, *, check: bool = True) -> FileToRead:
    note = Note(id_, "folketall", "ssb", content_hash(data), f"{id_}.csv", None, len(data), "2026-03-01T12:00:00+00:00")
    return FileToRead(note, 0, start, len(data), check)


def ask(process: Reader, request: ReadRequest, content: bytes = FIRST + SECOND) -> tuple[dict[str, Any], list[Any]]:
    """Return the answer of the process: its words, and its frames."""
    file = nameless_file()
    os.write(file, content)
    begun: list[int] = []
    answer = process.read(ChildMessage(dumps(request), [file]), SimpleNamespace(begin=begun.append))  # type: ignore[arg-type]
    frames = []
    for descriptor in answer.files:
        os.lseek(descriptor, 0, os.SEEK_SET)
        with os.fdopen(descriptor, "rb") as stream:
            frames.append(pl.read_ipc(stream.read()))
    os.close(file)
    return json.loads(answer.body), frames


def request(register: Register | None, digest: str | None = "r1", *files: FileToRead) -> ReadRequest:
    chosen = files or (to_read("s1", FIRST, 0), to_read("s2", SECOND, len(FIRST)))
    return ReadRequest(FOLKETALL, None, digest, register, chosen, DEFAULT_LIMITS)


def test_files_are_read_from_where_they_begin(known: tuple[Path, Register], limited: list[int]) -> None:
    said, (counts, rejects, claims, first) = ask(Reader(), request(known[1]))
    assert said == {"problems": {}, "failures": {}, "ignored": {}}
    assert counts.select("submission_id", "status", "delivered", "claims").rows() == [
        ("s1", "live", 1, 1), ("s2", "live", 2, 2),
    ]  # fmt: skip
    assert rejects.is_empty()
    whole = with_constants(claims, first)
    assert whole.select("submission_id", "row").rows() == [("s1", 2), ("s2", 2), ("s2", 3)]
    assert "contract" not in claims.columns, "what is the same in all is handed over once"
    assert whole["sender"].to_list() == ["ssb"] * 3
    assert limited == [DEFAULT_LIMITS.memory]


def test_a_register_is_handed_over_once(known: tuple[Path, Register]) -> None:
    process = Reader()
    assert ask(process, request(known[1]))[0] == {"problems": {}, "failures": {}, "ignored": {}}
    said, frames = ask(process, request(None))
    assert (said, len(frames)) == ({"problems": {}, "failures": {}, "ignored": {}}, 4)
    assert "no register was given" in ask(process, request(None, None))[0]["error"]
    assert "no register was given" in ask(Reader(), request(None))[0]["error"]


@pytest.mark.parametrize(("check", "failures"), [(True, {"s2": CHANGED}), (False, {})])
def test_bytes_that_may_have_changed_are_checked(
    known: tuple[Path, Register], check: bool, failures: dict[str, str]
) -> None:
    changed = SECOND.replace(b"20 000", b"20 001")
    files = (to_read("s1", FIRST, 0), to_read("s2", SECOND, len(FIRST), check=check))
    said, (counts, *_) = ask(Reader(), request(known[1], "r1", *files), FIRST + changed)
    assert said["failures"] == failures
    assert counts.height == 2 - len(failures)


def test_where_no_file_has_rows_no_claims_are_handed_over(known: tuple[Path, Register]) -> None:
    said, frames = ask(Reader(), request(known[1], "r1", to_read("s1", b"a;b\n1;2\n", 0)), b"a;b\n1;2\n")
    assert len(frames) == 2
    assert list(said["problems"]) == ["s1"]


def test_an_error_of_all_files_is_answered_in_words(known: tuple[Path, Register]) -> None:
    broken = replace(request(known[1]), contract=None)  # type: ignore[arg-type]
    said, frames = ask(Reader(), broken)
    assert list(said) == ["error"]
    assert said["error"].startswith("unforeseen: AttributeError at ")
    assert frames == []


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        (pl.DataFrame({"row": [1, 1], "a": ["x", "x"], "b": [1, 2]}), ["row", "b"]),
        (pl.DataFrame({"row": [1, 2], "a": [None, None], "b": [None, 1]}), ["row", "b"]),
        (pl.DataFrame({"row": [1], "a": ["x"], "b": [None]}), ["row"]),
        (pl.DataFrame({"row": [2, 1], "a": [[1], [1]], "b": [1.5, 1.5]}), ["row"]),
    ],
)  # fmt: skip
def test_what_is_the_same_in_all_rows_is_handed_over_once(frame: pl.DataFrame, kept: list[str]) -> None:
    rest, first = without_constants(frame)
    assert rest.columns == kept
    assert first.equals(frame.head(1))
    assert with_constants(rest, first).equals(frame)


def test_a_frame_without_rows_comes_back_as_it_was() -> None:
    empty = pl.DataFrame(schema={"row": pl.Int32, "a": pl.String})
    rest, first = without_constants(empty)
    assert with_constants(rest, first).schema == empty.schema


def test_as_a_process_it_answers_what_it_is_asked_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    answering: list[Any] = []
    monkeypatch.setattr("infra.child_channel.answer_requests", answering.append)
    runpy.run_path(str(reader.__file__), run_name="__main__")
    (handler,) = answering
    assert (handler.__name__, type(handler.__self__).__name__) == ("read", "Reader")


def test_the_key_of_pseudonyms_is_never_shown() -> None:
    assert "secret" not in repr(replace(request(None), pseudonym_key=b"secret"))
