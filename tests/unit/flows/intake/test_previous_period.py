"""Warnings of a jump since the period before: of which reading, compared with what, counted for whom."""

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pytest

from flows.intake import previous_period
from flows.intake.previous_period import with_change_warnings
from flows.intake.reading import Reading, Rules, read_batch
from infra.ledger import releases as ledger_releases
from infra.storage.landing import Note
from infra.storage.store import content_hash
from schemas.contract import Contract, load_contracts, read_contract
from schemas.reading_limits import DEFAULT_LIMITS
from tests.support.paths import CONTRACTS
from tests.support.small_contracts import BEDS_CONTRACT

if TYPE_CHECKING:
    from pathlib import Path

    from flows.installation import Installation
    from transforms.register.lookup import Register

BEDS = read_contract(BEDS_CONTRACT)
LAST = {"release": 1, "tables": {"observations": 3}}


@pytest.fixture
def rules(known: "tuple[Path, Register]") -> Rules:
    return Rules(BEDS, None, known[1], DEFAULT_LIMITS)


def read(rules: Rules, **files: str) -> Reading:
    """Read the rows of each submission: unit, month, value."""

    def note(id_: str, data: bytes) -> Note:
        return Note(id_, "beds", "s", content_hash(data), "f.csv", None, len(data), "2026-03-01T12:00:00+00:00")

    texts = {id_: f"u;p;v\n{rows}".encode() for id_, rows in files.items()}
    return read_batch([(note(id_, data), lambda data=data: data) for id_, data in texts.items()], rules)  # type: ignore[misc]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Give what the lake is asked for; `facts` is what the current release has, None if there is none."""
    found: list[Any] = []

    def live(name: str, tables: dict[str, int], months: list[str]) -> pl.LazyFrame:
        found.append((name, tables, sorted(months)))
        return FACTS.lazy()

    monkeypatch.setattr(previous_period, "observation_tables", lambda _: SimpleNamespace(live=live))
    monkeypatch.setattr(ledger_releases, "current_release", lambda _: LAST)
    return found


FACTS = pl.DataFrame(schema={"item_id": pl.String, "value": pl.Decimal(38, 9)})


def installation(rejects: int = 1000) -> "Installation":
    settings = SimpleNamespace(reading=replace(DEFAULT_LIMITS, rejects=rejects), lake=None)
    return cast("Installation", SimpleNamespace(engine=None, settings=settings))


def warned(found: Reading) -> list[tuple[Any, ...]]:
    return found.rejects.select("submission_id", "row", "found", "severity").rows()


JUMP = "0301;2024-01;100\n0301;2024-02;200\n"
STEADY = "0301;2024-01;100\n0301;2024-02;101\n"


def test_each_submission_counts_its_own_warnings(rules: Rules, asked: list[Any]) -> None:
    reading = read(rules, s1=STEADY, s2=JUMP + "0301;2024-03;10\n", s3=JUMP)
    found = with_change_warnings(installation(), BEDS, reading)
    assert warned(found) == [
        ("s2", 3, "200 after 100", "warning"), ("s2", 4, "10 after 200", "warning"),
        ("s3", 3, "200 after 100", "warning"),
    ]  # fmt: skip
    assert found.counts.select("submission_id", "warnings").rows() == [("s1", 0), ("s2", 2), ("s3", 1)]
    assert found.counts.schema == reading.counts.schema
    assert found.normalised is reading.normalised
    assert asked == [("observations", {"observations": 3}, ["2023-12", "2024-01", "2024-02"])]


def test_warnings_come_after_what_was_rejected_and_are_bounded_with_it(rules: Rules, asked: list[Any]) -> None:
    reading = read(rules, s1=JUMP + "0301;2024-13;1\n0301;2024-03;10\n")
    assert [row for _, row, _, _ in warned(with_change_warnings(installation(), BEDS, reading))] == [4, 3, 5]
    few = with_change_warnings(installation(2), BEDS, reading)
    assert sorted(few.rejects["row"].drop_nulls()) == [3, 4]
    assert few.counts["warnings"].to_list() == [2]
    assert asked


def test_the_current_release_gives_the_values_of_before(
    rules: Rules, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = read(rules, s1="0301;2024-02;200\n", s2="0301;2024-02;51\n")
    assert warned(with_change_warnings(installation(), BEDS, reading)) == []
    january = cast("Any", read(rules, s0="0301;2024-01;100\n").normalised).claims["item_id"].item()
    others = pl.DataFrame({"item_id": [january, "other"], "value": ["100", "1"]}, schema_overrides={"value": pl.String})
    monkeypatch.setattr("tests.unit.flows.intake.test_previous_period.FACTS", others.cast({"value": pl.Decimal(38, 9)}))
    found = with_change_warnings(installation(), BEDS, reading)
    assert warned(found) == [("s1", 2, "200 after 100", "warning")]
    assert asked[-1][2] == ["2024-01"]


@pytest.mark.parametrize("last", [None, LAST])
def test_where_nothing_is_before_no_table_is_asked(
    rules: Rules, asked: list[Any], monkeypatch: pytest.MonkeyPatch, last: dict[str, Any] | None
) -> None:
    monkeypatch.setattr(ledger_releases, "current_release", lambda _: last)
    rows = JUMP if last is None else "0301;2024-13;1\n"
    files = {"s1": rows, "s2": "0301;2024-01;x\n0301;2024-02;5\n"} if last is None else {"s1": rows}
    found = with_change_warnings(installation(), BEDS, read(rules, **files))
    assert asked == []
    assert [severity for *_, severity in warned(found)].count("warning") == (1 if last is None else 0)


def test_a_contract_without_such_a_rule_is_left_as_it_is(rules: Rules, asked: list[Any]) -> None:
    reading = read(rules, s1=JUMP)
    plain: Contract = load_contracts(CONTRACTS)["folketall"]
    assert with_change_warnings(installation(), plain, reading) is reading
    nothing = replace(reading, normalised=None)
    assert with_change_warnings(installation(), BEDS, nothing) is nothing
    assert asked == []
