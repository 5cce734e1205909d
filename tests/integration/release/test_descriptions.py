"""The tables that describe a release: written when they change, read as each release had them, exported."""

import dataclasses
from pathlib import Path

import polars as pl
import pytest

from flows.installation import Installation
from flows.intake.deliveries import Delivery
from flows.intake.registration import receive
from flows.queries.sql import query
from flows.release.build import night
from flows.release.export import export_release
from flows.release.verify import verify
from flows.releases import find_release, read_table
from infra.lake import delta as lake
from schemas.description_tables import DESCRIPTION_TABLES
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER, open_small

pytestmark = pytest.mark.usefixtures("unchecked")
BASES = "SELECT contract, legal_basis FROM obligations ORDER BY ALL"


def contracts_in(folder: Path, basis: str) -> Path:
    folder.mkdir(exist_ok=True)
    text = (CONTRACTS / "folketall.yml").read_text(encoding="utf-8")
    (folder / "folketall.yml").write_text(text.replace("none, a test", basis), encoding="utf-8")
    return folder


def deliver(home: Installation, day: int) -> None:
    content = f"{HEADER}0301;{day:02}.01.2024;alle;5;\n".encode()
    assert [r.status for some in receive(home, [Delivery(f"{day}.csv", content, "folketall", "x")]) for r in some]


def again(home: Installation, contracts: Path) -> Installation:
    """Return the same installation as a new process opens it."""
    return dataclasses.replace(home, settings=dataclasses.replace(home.settings, contracts=contracts))


def test_each_release_describes_itself_as_it_was(tmp_path: Path) -> None:
    folder = contracts_in(tmp_path / "contracts", "First law")
    home = open_small(tmp_path / "home", contracts=folder)
    deliver(home, 1)
    first = night(home).digest
    assert query(home, BASES).rows() == [("folketall", "First law")]
    tables = find_release(home)["tables"]
    assert DESCRIPTION_TABLES.keys() <= tables.keys()

    home = again(home, folder)
    deliver(home, 2)
    night(home)
    unchanged = find_release(home)["tables"]
    assert {name: unchanged[name] for name in DESCRIPTION_TABLES} == {name: tables[name] for name in DESCRIPTION_TABLES}

    home = again(home, contracts_in(folder, "Second law"))
    deliver(home, 3)
    night(home)
    changed = find_release(home)["tables"]
    assert {name for name in DESCRIPTION_TABLES if changed[name] != tables[name]} == {"obligations"}
    assert query(home, BASES).rows() == [("folketall", "Second law")]
    assert query(home, BASES, 2).rows() == [("folketall", "First law")]
    assert verify(home).same, "they have no part in the digest"
    assert find_release(home, 1)["digest"] == first


def test_they_are_queried_read_and_exported(tmp_path: Path) -> None:
    home = open_small(tmp_path / "home")
    deliver(home, 1)
    night(home)
    release = find_release(home)
    sql = (
        "SELECT title_nn FROM concepts JOIN observations USING (concept) JOIN units USING (unit_id) WHERE code = '0301'"
    )
    assert query(home, sql).rows() == [("Folkemengd",)]
    folder = export_release(home, release)
    for name, columns in DESCRIPTION_TABLES.items():
        rows = read_table(home, name, release).collect()
        assert rows.height
        assert rows.columns == [column.name for column in columns]
        assert pl.read_parquet(folder / name / "all.parquet").equals(rows)


def test_an_older_release_without_them_reads_as_empty(tmp_path: Path) -> None:
    home = open_small(tmp_path / "home")
    deliver(home, 1)
    night(home)
    release = find_release(home)
    older = release.copy()
    older["tables"] = {k: v for k, v in release["tables"].items() if k not in DESCRIPTION_TABLES}
    for name in DESCRIPTION_TABLES:
        assert read_table(home, name, older).collect().is_empty()
    folder = export_release(home, older, tmp_path / "older")
    assert pl.read_parquet(folder / "units" / "*.parquet").is_empty()


def test_what_a_killed_night_wrote_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = open_small(tmp_path / "home")
    deliver(home, 1)
    with monkeypatch.context() as patch:
        patch.setattr(lake, "own_versions", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            night(home)
    night(home)
    assert query(home, "SELECT count(*) FROM concepts").item() == len(home.vocabulary.concepts)
    assert query(home, "SELECT count(DISTINCT contract) FROM obligations").item() == len(home.contracts)
