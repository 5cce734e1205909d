"""Files of the lake or the landing zone that are missing, truncated or changed: the night and status report them."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows import pipeline
from flows.installation import Installation
from flows.intake.deliveries import Delivery
from flows.monitoring.status import status
from infra.lake import delta as lake
from infra.ledger import tables as t
from infra.storage import landing
from schemas.errors import StoreError
from tests.support.cli_runner import engang
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER, open_small

pytestmark = pytest.mark.usefixtures("unchecked")
Damage = Callable[[Path], None]


def halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def alter(file: Path) -> None:
    file.write_bytes(b"x" * file.stat().st_size)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    opened = open_small(tmp_path / "home")
    text = HEADER + "0301;01.01.2024;alle;700 000;\n"
    assert [*pipeline.receive(opened, [Delivery("a.csv", text.encode(), "folketall", "ssb")])]
    assert pipeline.nightly(opened).published
    assert status(opened).storage == []
    monkeypatch.setenv("ENGANG_HOME", str(opened.settings.home))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(CONTRACTS))
    return opened


def lake_files(home: Installation, table: str) -> list[Path]:
    return sorted((home.settings.home / "lake" / table).rglob("*.parquet"))


def landed_file(home: Installation) -> Path:
    return next(p for p in (home.settings.home / "landing").rglob("*") if p.is_file() and p.suffix != ".json")


@pytest.mark.parametrize("damage", [halve, Path.unlink], ids=["truncated", "missing"])
@pytest.mark.parametrize("table", ["observations", "sources", "claims"])
def test_a_damaged_file_of_the_lake_is_reported(home: Installation, damage: Damage, table: str) -> None:
    (file,) = lake_files(home, table)
    damage(file)
    (problem,) = status(home).problems
    assert problem.startswith(f"lake: {table}/partition=2024-01/{file.name}: found ")
    assert problem.endswith("restore from the backup of the lake")
    lines: list[str] = []
    pipeline.nightly(home, lines.append)
    assert problem in lines
    assert engang("status").code == 1
    assert json.loads(engang("status", "--json").out)["storage"] == [problem]


def cut_log(home: Installation, change: Callable[[list[bytes]], list[bytes]]) -> Path:
    """Change the lines of the last commit of the published observations; return its file."""
    log = max((home.settings.home / "lake" / "observations" / "_delta_log").glob("*.json"))
    log.write_bytes(b"\n".join(change(log.read_bytes().splitlines())))
    return log


def test_a_log_that_was_cut_between_two_lines_is_reported(home: Installation) -> None:
    log = cut_log(home, lambda lines: lines[:1])
    (problem,) = status(home).problems
    assert problem.startswith(
        f"lake: observations/_delta_log/{log.name}: found 0 files to add, expected 1 files to add"
    )


def test_an_emptied_log_is_reported(home: Installation) -> None:
    log = cut_log(home, lambda _: [])
    assert any(f"{log.name}: found 0 lines" in problem for problem in status(home).problems)


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [(rb'"path":"[^"]*"', b'"path":"../../../x.parquet"'), (rb'"path":"[^"]*"', b'"path":"/etc/passwd"'),
     (rb'"size":\d+', b'"size":-5')],
    ids=["above the table", "elsewhere", "a negative size"],
)  # fmt: skip
def test_a_log_that_names_what_is_no_file_of_the_table_is_reported(
    home: Installation, pattern: bytes, replacement: bytes
) -> None:
    cut_log(home, lambda lines: [re.sub(pattern, replacement, line) for line in lines])
    assert [problem for problem in status(home).problems if problem.startswith("lake: observations/")]
    for command in (["verify"], ["export"], ["query", "SELECT count(*) FROM observations"]):
        result = engang(*command)
        assert (result.code, "are missing or damaged" in result.err) == (1, True)


def test_a_night_reads_parts_of_the_lake_whole(home: Installation) -> None:
    (file,) = lake_files(home, "claims")
    alter(file)  # of its length: only reading it shows it
    assert status(home).storage == []
    (problem,) = pipeline.check_storage(home)
    assert problem.startswith("claims, partition 2024-01: lake: a file of a table cannot be read (")
    assert status(home).storage == [problem]


def test_a_query_of_an_altered_file_is_a_sentence(home: Installation) -> None:
    alter(lake_files(home, "observations")[0])
    result = engang("query", "SELECT count(*) FROM observations")
    assert (result.code, result.err.count("\n")) == (1, 1)


def test_verify_of_a_damaged_lake_is_a_sentence(home: Installation) -> None:
    halve(lake_files(home, "observations")[0])
    for command in (["verify"], ["export", "--to", str(home.settings.home / "x")]):
        result = engang(*command)
        assert result.code == 1
        (line,) = [line for line in result.err.splitlines() if line.startswith("engang:")]
        assert "1 files of observations" in line
        assert line.endswith("restore them from the lake's backup, then run it again")


def test_a_night_does_not_build_on_a_damaged_lake(home: Installation) -> None:
    halve(lake_files(home, "claims")[0])
    text = HEADER + "0301;01.01.2024;alle;700 001;\n"
    assert [*pipeline.receive(home, [Delivery("b.csv", text.encode(), "folketall", "ssb")])]
    with pytest.raises(StoreError, match="1 files of claims"):
        pipeline.nightly(home)
    assert any("the nightly failed" in problem for problem in status(home).problems)


def test_a_broken_log_is_reported_in_plain_words(home: Installation) -> None:
    log = max((home.settings.home / "lake" / "observations" / "_delta_log").glob("*.json"))
    log.write_bytes(b'{"add": garbage')
    for command in (["query", "SELECT count(*) FROM observations"], ["nightly"], ["verify"], ["status"]):
        result = engang(*command)
        assert result.code == 1
        assert "<unknown>" not in result.out + result.err
        text = next(line for line in (result.out + result.err).splitlines() if "the table observations" in line)
        assert "is damaged or of an unknown form" in text


@pytest.mark.parametrize("damage", [halve, Path.unlink], ids=["truncated", "missing"])
def test_a_damaged_file_of_the_landing_zone_is_reported(home: Installation, damage: Damage) -> None:
    file = landed_file(home)
    size = file.stat().st_size
    damage(file)
    (problem,) = status(home).problems
    assert problem.startswith(f"landing zone: folketall/ssb/{file.name}: found ")
    assert f"expected {size} bytes" in problem


def test_a_changed_file_of_the_landing_zone_is_found_by_the_night_and_over_when_it_is_restored(
    home: Installation,
) -> None:
    file = landed_file(home)
    content = file.read_bytes()
    alter(file)
    assert status(home).storage == [], "its size is right: only a sample reads it"
    pipeline.nightly(home)
    (problem,) = status(home).problems
    assert problem == f"landing zone: {file.name} of folketall/ssb has changed; restore it from a copy"
    file.write_bytes(content)
    pipeline.nightly(home)
    assert status(home).storage == []


def test_what_a_night_finds_is_announced_once(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(
        "flows.monitoring.storage.publish_event",
        lambda _, type_, __, data, **___: published.append((type_, data)),
    )
    pipeline.check_storage(home)
    assert published == []
    halve(lake_files(home, "sources")[0])
    problems = pipeline.check_storage(home)
    assert published == [("no.engang.storage.damaged", {"problems": problems})]


def test_the_files_of_an_old_version_are_looked_at_as_that_version_has_them(home: Installation) -> None:
    root = home.settings.lake
    assert lake.damaged_files(root, "observations", 0) == []
    assert lake.damaged_files(root, "boat_records") == []
    lake_files(home, "observations")[0].unlink()
    assert [file.found for file in lake.damaged_files(root, "observations")] == [None]
    assert lake.damaged_files(root, "observations", 0) == [], "its first version is empty"


def test_a_delivery_that_was_never_registered_is_not_missed(home: Installation) -> None:
    store = landing.open_store(home.settings.landing)
    assert landing.delivery_damage(store, "folketall", "ssb", []) == []
    with home.engine.connect() as connection:
        (size,) = connection.execute(sa.select(t.submissions.c.bytes)).one()
    name = landed_file(home).name
    assert landing.delivery_damage(store, "folketall", "ssb", [(name, size)]) == []
    (wrong,) = landing.delivery_damage(store, "folketall", "ssb", [(name, size + 1)])
    assert str(wrong) == f"folketall/ssb/{name}: found {size} bytes, expected {size + 1} bytes"
