"""From bytes to claims and counts: what fails stops no other, each row is counted once, nothing delivered is quoted."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from flows.intake import reading
from flows.intake.reading import Reading, Rules, failure_reason, read_batch
from infra.storage.landing import Note
from infra.storage.store import content_hash
from schemas.claims import REJECT, frame_schema
from schemas.contract import load_contracts
from schemas.errors import UnreadError
from schemas.reading_limits import DEFAULT_LIMITS
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER
from transforms.register.lookup import Register

FOLKETALL = load_contracts(CONTRACTS)["folketall"]
SOUND = "0301;01.01.2024;alle;700 000;\n"
OTHER = "1120;01.01.2024;alle;20 000;\n"
SUM, WARNED, BAD = "Sum;01.01.2024;alle;1;\n", "0301;01.01.2024;menn;900 000;\n", "0301;32.01.2024;kvinner;5;\n"


@pytest.fixture(scope="module")
def rules(known: tuple[Path, Register]) -> Rules:
    return Rules(FOLKETALL, None, known[1], DEFAULT_LIMITS)


def note(id_: str, data: bytes = b"", period: str | None = None) -> Note:
    return Note(
        id_, "folketall", "ssb", content_hash(data), f"{id_}.csv", period, len(data), "2026-03-01T12:00:00+00:00"
    )


def read(rules: Rules, **files: str | BaseException) -> Reading:
    """Read files by submission: their rows after the header, or the error that their bytes raise."""

    def content(given: str | BaseException) -> Callable[[], bytes]:
        def give() -> bytes:
            if isinstance(given, BaseException):
                raise given
            return (given if given.startswith("!") else HEADER + given).removeprefix("!").encode()

        return give

    return read_batch([(note(id_), content(given)) for id_, given in files.items()], rules)


def counts_of(found: Reading) -> dict[str, tuple[Any, ...]]:
    """Return status, delivered, claims, rejected, ignored and warnings of each submission."""
    columns = ("submission_id", "status", "delivered", "claims", "rejected", "ignored", "warnings")
    return {row[0]: row[1:] for row in found.counts.select(columns).iter_rows()}


def test_each_row_is_claimed_rejected_or_ignored(rules: Rules) -> None:
    found = read(rules, s1=SOUND + SUM + WARNED + BAD, s2=BAD, s3=OTHER, s4=SUM, s5="")
    assert counts_of(found) == {
        "s1": ("live", 4, 2, 1, 1, 1), "s2": ("rejected", 1, 0, 1, 0, 0), "s3": ("live", 1, 1, 0, 0, 0),
        "s4": ("live", 1, 0, 0, 1, 0), "s5": ("rejected", 0, 0, 0, 0, 0),
    }  # fmt: skip
    assert (found.failures, list(found.problems)) == ({}, ["s5"])
    assert found.counts["content_digest"].is_null().to_list() == [False, True, False, True, True]
    of_rows = found.rejects.filter(pl.col("row").is_not_null())
    assert sorted(of_rows.select("submission_id", "row", "reason", "severity").rows()) == [
        ("s1", 4, "rule", "warning"), ("s1", 5, "not-a-date", "critical"), ("s2", 2, "not-a-date", "critical"),
    ]  # fmt: skip


def test_a_file_of_another_form_is_rejected_whole_with_one_reject(rules: Rules) -> None:
    found = read(rules, s1="!a;b\n1;2\n", s2=SOUND)
    assert counts_of(found) == {"s1": ("rejected", 0, 0, 0, 0, 0), "s2": ("live", 1, 1, 0, 0, 0)}
    assert found.rejects["submission_id"].to_list() == ["s1"]
    assert found.rejects.schema == frame_schema(REJECT)
    assert found.problems["s1"].startswith("missing-column")
    assert found.normalised is not None
    assert found.normalised.claims["submission_id"].to_list() == ["s2"]  # type: ignore[union-attr]


def test_where_no_file_has_rows_there_are_no_claims(rules: Rules) -> None:
    assert read(rules, s1="!a;b\n1;2\n").normalised is None
    empty = read_batch([], rules)
    assert (empty.counts.height, empty.rejects.height, empty.normalised) == (0, 0, None)


def test_a_file_that_fails_stops_no_other(rules: Rules) -> None:
    found = read(rules, s1=SOUND, s2=UnreadError("over its budget"), s3=ValueError("10018012345"), s4=OTHER)
    assert list(counts_of(found)) == ["s1", "s4"]
    assert found.failures["s2"] == "over its budget"
    assert found.failures["s3"].startswith("unforeseen: ValueError at test_reading.py:")
    assert "10018012345" not in str(found.failures)


def test_each_step_begins_with_its_number(rules: Rules) -> None:
    begun: list[int] = []
    files = [(note(id_), (HEADER + lines).encode) for id_, lines in (("s1", SOUND), ("s2", OTHER))]
    read_batch(files, rules, begun.append)
    assert begun == [0, 1, 2]

    def stop(step: int) -> None:
        if step == 1:
            raise KeyError

    with pytest.raises(KeyError):
        read_batch(files, rules, stop)


def test_a_file_whose_rows_do_not_add_up_fails_and_the_others_are_read_again(
    rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    normalise = reading.normalise

    def forget_a_row(*given: Any) -> Any:
        found = normalise(*given)
        lost = pl.when(pl.col("submission_id") == "s1").then(pl.col("claimed") - 1).otherwise(pl.col("claimed"))
        return replace(found, counts=found.counts.with_columns(lost.alias("claimed")))

    monkeypatch.setattr(reading, "normalise", forget_a_row)
    found = read(rules, s1=SOUND, s2=OTHER)
    assert found.failures == {"s1": reading.UNEQUAL}
    assert list(counts_of(found)) == ["s2"]
    assert found.normalised is not None
    assert found.normalised.claims["submission_id"].to_list() == ["s2"]  # type: ignore[union-attr]


@pytest.mark.parametrize(("most", "stored"), [(0, 0), (1, 1), (2, 2), (9, 3)])
def test_rejects_beyond_the_limit_are_only_counted(rules: Rules, most: int, stored: int) -> None:
    limited = replace(rules, limits=replace(DEFAULT_LIMITS, rejects=most))
    found = read(limited, s1=SOUND + BAD + BAD.replace("kvinner", "menn") + BAD.replace("kvinner", "x"))
    assert counts_of(found)["s1"] == ("live", 4, 1, 3, 0, 0)
    assert found.rejects.filter(pl.col("row").is_not_null()).height == stored


def test_the_digest_is_that_of_the_claims_not_of_the_file(rules: Rules) -> None:
    found = read(rules, s1=SOUND + OTHER, s2=OTHER + SOUND + SUM, s3=SOUND)
    first, second, third = found.counts["content_digest"]
    assert first == second != third


def test_claims_need_a_register(rules: Rules) -> None:
    with pytest.raises(UnreadError) as raised:
        read(replace(rules, register=None), s1=SOUND)
    assert str(raised.value) == "contract 'folketall' makes claims, and no register was given"


def test_bytes_must_be_those_that_landed() -> None:
    assert reading.checked_content(note("s1", b"abc"), b"abc") == b"abc"
    with pytest.raises(UnreadError) as raised:
        reading.checked_content(note("s1", b"abc"), b"abd")
    assert str(raised.value) == "the file changed while it was received; deliver it again when it is whole"


def test_an_error_that_was_never_raised_has_no_place() -> None:
    reason = "unforeseen: ValueError; look into the file, then `engang inbox retry`"
    assert failure_reason(ValueError("10018012345")) == reason


def test_a_row_that_the_parser_rejects_is_among_the_rejects(rules: Rules) -> None:
    found = read(rules, s1=SOUND + "1120;01.01.2024;alle;1;x;y;z\n", s2=OTHER)
    assert counts_of(found) == {"s1": ("live", 2, 1, 1, 0, 0), "s2": ("live", 1, 1, 0, 0, 0)}
    assert found.rejects.select("submission_id", "row").rows() == [("s1", 3)]
    assert found.rejects.schema == frame_schema(REJECT)


@pytest.mark.parametrize("dated", [True, False])
def test_rows_have_their_receipt_time_where_a_rule_needs_it(
    rules: Rules, monkeypatch: pytest.MonkeyPatch, dated: bool
) -> None:
    batches: list[pl.DataFrame] = []
    treat = reading.treat_personal

    def note_batch(batch: pl.DataFrame, *rest: Any) -> pl.DataFrame:
        batches.append(batch)
        return treat(batch, *rest)

    monkeypatch.setattr(reading, "needs_receipt_time", lambda _: dated)
    monkeypatch.setattr(reading, "treat_personal", note_batch)
    read(rules, s1=SOUND + OTHER)
    times = [column for column in batches[0].columns if column == reading.RECEIVED_AT]
    assert len(times) == dated
    assert all(batches[0][name].to_list() == [datetime(2026, 3, 1, 12)] * 2 for name in times)


def test_the_key_of_pseudonyms_is_never_shown(rules: Rules) -> None:
    assert "secret" not in repr(replace(rules, pseudonym_key=b"secret"))


@pytest.mark.parametrize("personal", [True, False])
def test_rejects_are_masked_where_a_kind_has_personal_fields(
    rules: Rules, monkeypatch: pytest.MonkeyPatch, personal: bool
) -> None:
    masked: list[int] = []

    def mask(rejects: pl.DataFrame) -> pl.DataFrame:
        masked.append(rejects.height)
        return rejects

    monkeypatch.setattr(reading, "read_records", lambda batch, *_: reading.normalise(batch, FOLKETALL, rules.register))
    monkeypatch.setattr(reading, "personal_columns", lambda *_: {})
    monkeypatch.setattr(reading, "masked_rejects", mask)
    kind: Any = SimpleNamespace(personal=personal)
    read(replace(rules, kind=kind), s1=SOUND + BAD)
    assert masked == ([1] if personal else [])
