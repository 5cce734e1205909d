"""Rejected rows whose units the register has now: told by contract, recorded each night, read again on request."""

from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from flows.monitoring import register
from infra.ledger import monitoring as ledger_monitoring
from infra.ledger import runs as ledger_runs

HOME = cast("Any", SimpleNamespace(engine="ledger"))
ROWS = [("b", "s1", 1000), ("b", "s2", 234), ("a", "s3", 1)]
HINT = "name units that the register has now: `engang backfill --contract"
SENTENCES = [
    f"1 rejected rows of contract a, in 1 submissions, {HINT} a` reads them again",
    f"1,234 rejected rows of contract b, in 2 submissions, {HINT} b` reads them again",
]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Let the register know the units of `ROWS` now; give what is recorded."""
    found: list[tuple[Any, ...]] = []

    def known(_: object) -> pl.DataFrame:
        return pl.DataFrame(ROWS, ["contract", "submission_id", "rows"], orient="row")

    monkeypatch.setattr(register, "now_known_units", known)
    monkeypatch.setattr(ledger_runs, "record_check", lambda *given: found.append(given))
    return found


def last_found(monkeypatch: pytest.MonkeyPatch, *messages: str | None) -> None:
    def read(engine: object, kind: str, limit: int) -> pl.DataFrame:
        assert (engine, kind, limit) == (HOME.engine, "register-check", 1)
        return pl.DataFrame({"message": list(messages)}, schema={"message": pl.String})

    monkeypatch.setattr(ledger_monitoring, "read_last_runs", read)


def test_a_sentence_for_each_contract_is_told_and_recorded(recorded: list[tuple[Any, ...]]) -> None:
    messages: list[str] = []
    assert register.check_register(HOME, messages.append) == SENTENCES
    assert messages == SENTENCES
    assert recorded == [(HOME.engine, "register-check", "\n".join(SENTENCES))]


def test_that_nothing_was_found_is_recorded_too(
    recorded: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "find_known_units", lambda _: [])
    assert register.check_register(HOME) == []
    assert recorded == [(HOME.engine, "register-check", None)]


def test_what_the_last_night_found_is_told_unless_asked_again(
    recorded: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for messages, told in ((["a\nb"], ["a", "b"]), ([None], []), ([""], []), ([], [])):
        last_found(monkeypatch, *messages)
        assert register.register_problems(HOME, now=False) == told
    assert register.register_problems(HOME, now=True) == SENTENCES
    assert recorded == []
