"""What is missing or damaged: one sentence for the lake, one for the landing zone, and what the night has recorded."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flows.installation import Installation
from flows.monitoring import storage
from flows.monitoring.storage import STORAGE_CHECK, check_storage, lake_problems, landing_problems, storage_problems
from infra.ledger import monitoring as ledger_monitoring
from infra.ledger import outbox
from infra.ledger import runs as ledger_runs
from infra.ledger import tables as t
from infra.storage.store import DamagedFile, content_hash
from schemas.errors import StoreError
from tests.support.monitored_installation import DUE, NOW, open_watched
from tests.support.submission_rows import add, submission, write

DATA = {"a": b"0123456789", "b": b"9876543210"}
SHA = {name: content_hash(data) for name, data in DATA.items()}
FILE = "c/a/" + SHA["a"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    """Give an installation with two submissions, of ten bytes each, and no release."""
    home = open_watched(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", c=DUE)
    add(home.engine, submission("s1", sha256=SHA["a"]), submission("s2", sha256=SHA["b"]))
    for name in "ab":
        landed(home, name)
    yield home
    home.engine.dispose()


def landed(home: Installation, name: str, data: bytes | None = None) -> None:
    file = home.settings.home / "landing/c/a" / SHA[name]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(DATA[name] if data is None else data)


def release(home: Installation) -> None:
    row = {"release": 1, "digest": "d", "published_at": NOW, "digest_lanes": "", "register_digest": ""}
    row |= {"rules_digest": "", "tables": '{"observations": 3, "sources": 4}', "counts": "{}"}
    write(home.engine, sa.insert(t.releases).values(row))


def recorded(home: Installation) -> list[tuple[Any, ...]]:
    return ledger_monitoring.read_last_runs(home.engine, STORAGE_CHECK).select("status", "message").rows()


def test_a_whole_landing_zone_has_no_problems(home: Installation) -> None:
    assert landing_problems(home) == []
    assert storage_problems(home, with_landing=True) == []


def test_one_damaged_file_is_named_and_several_are_counted(home: Installation) -> None:
    landed(home, "a", b"12345")
    end = "restore from the backup of the landing zone"
    assert landing_problems(home) == [f"landing zone: {FILE}: found 5 bytes, expected 10 bytes; {end}"]
    (home.settings.home / "landing/c/a" / SHA["b"]).unlink()
    (problem,) = landing_problems(home)
    assert problem.startswith("landing zone: 2 files are missing or damaged, the first c/a/")
    assert problem.endswith(end)


def test_a_landing_zone_that_cannot_be_listed_says_so(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise StoreError("s3 is away")

    monkeypatch.setattr("infra.storage.landing.delivery_damage", fail)
    assert landing_problems(home) == ["the landing zone cannot be checked: s3 is away"]


def test_without_a_release_the_lake_is_not_looked_at(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.lake.delta.damaged_files", lambda *_: pytest.fail("looked"))
    assert lake_problems(home) == []


def test_the_tables_of_the_release_and_the_registered_ones_are_checked(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(home)
    asked: list[tuple[str, int | None]] = []

    def damaged(_: Path, name: str, version: int | None) -> list[DamagedFile]:
        asked.append((name, version))
        return [DamagedFile(f"{name}/f", None, 7)] if name in {"sources", "claims"} else []

    monkeypatch.setattr("infra.lake.delta.damaged_files", damaged)
    kinds = [(f"{kind}_records", None) for kind in home.kinds]
    first = "the first sources/f: found nothing, expected 7 bytes"
    assert lake_problems(home) == [
        f"lake: 2 files are missing or damaged, {first}; restore from the backup of the lake"
    ]
    assert asked == [("observations", 3), ("sources", 4), ("claims", None), *kinds]


@pytest.mark.parametrize("error", [StoreError("no log"), OSError("no log")])
def test_a_lake_that_cannot_be_checked_says_so(
    home: Installation, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    release(home)

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr("infra.lake.delta.damaged_files", fail)
    assert lake_problems(home) == ["the lake cannot be checked: no log"]


def test_a_check_without_problems_is_recorded(home: Installation) -> None:
    said: list[str] = []
    assert check_storage(home, said.append) == []
    assert (said, recorded(home)) == ([], [("done", None)])


def test_what_a_check_finds_is_said_recorded_and_told_once(
    home: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    landed(home, "a", b"changed it")
    landed(home, "b", b"short")
    told = replace(home.settings.observability, webhook="https://receiver")
    watched = replace(home, settings=replace(home.settings, observability=told))
    said: list[str] = []
    with caplog.at_level("INFO"):
        size, content, other = check_storage(watched, said.append)
    assert [(each.message, vars(each)["count"]) for each in caplog.records if "damaged" in each.message] == [
        ("stored files are damaged", 3),
    ]  # fmt: skip
    assert size.startswith(f"landing zone: c/a/{SHA['b']}: found 5 bytes, expected 10 bytes; ")
    assert {content, other} == {
        f"landing zone: {SHA[name]} of c/a has changed; restore it from a copy" for name in "ab"
    }
    assert said == [size, content, other]
    assert recorded(home) == [("failed", "\n".join(said))]
    events = outbox.read_unsent_events(home.engine)
    assert events.select("type", "subject").rows() == [("no.engang.storage.damaged", "storage")]


def test_what_the_night_found_is_told_before_what_is_wrong_now(home: Installation) -> None:
    ledger_runs.record_check(home.engine, STORAGE_CHECK, "older")
    ledger_runs.record_check(home.engine, "register-check", "of another kind")
    landed(home, "a", b"12345")
    (now,) = landing_problems(home)
    ledger_runs.record_check(home.engine, STORAGE_CHECK, f"a partition\n{now}")
    assert storage_problems(home, with_landing=True) == ["a partition", now]
    landed(home, "b", b"")
    assert len(storage_problems(home, with_landing=True)) == 3
    assert storage_problems(home, with_landing=False) == ["a partition", now]
    ledger_runs.record_check(home.engine, STORAGE_CHECK, None)
    assert storage_problems(home, with_landing=False) == []


def test_a_night_reads_a_few_files_whole_and_none_that_is_large(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        landed(home, name, b"x" * 10)
    assert len(check_storage(home)) == 2
    monkeypatch.setattr(storage, "SAMPLED_FILES", 1)
    assert len(check_storage(home)) == 1
    monkeypatch.setattr(storage, "SAMPLED_BYTES", 9)
    assert check_storage(home) == []


def test_a_night_reads_ten_files_and_ten_small_partitions(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    release(home)
    asked: list[tuple[int, ...]] = []

    def sample_partitions(_: object, __: object, *most: int) -> list[str]:
        asked.append(most)
        return ["a partition"]

    def sample_files(_: object, *most: int) -> list[tuple[str, str, str]]:
        asked.append(most)
        return []

    monkeypatch.setattr("infra.lake.delta.damaged_files", lambda *_: [])
    monkeypatch.setattr("infra.lake.sampling.sample_problems", sample_partitions)
    monkeypatch.setattr(ledger_monitoring, "sample_files", sample_files)
    assert check_storage(home) == ["a partition"]
    assert asked == [(10, 16 * 2**20), (10, 64 * 2**20)]


def test_how_much_a_night_reads_is_stated() -> None:
    assert (storage.SAMPLED_BYTES, storage.PARTITION_BYTES) == (64 * 2**20, 16 * 2**20)
