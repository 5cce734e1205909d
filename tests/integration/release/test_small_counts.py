"""No count below the least of its concept leaves the installation, nor what would give it away, by any way out."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import polars as pl
import psycopg
import pytest

from flows.disclosure.small_counts import SmallCounts
from flows.installation import Installation
from flows.package.publish import write_package
from flows.queries.observation_story import explain_observation
from flows.queries.sql import WITH_COUNTS, query
from flows.release.build import night
from flows.release.export import export_release
from flows.release.export_sdmx import export_sdmx_csv
from flows.releases import find_release, read_table
from flows.site.build import write_site
from infra.mart.star import STAR, VIEWS
from tests.support.marts import every_row, everything, synced
from tests.support.prefill import HEAD, IN_TIME, deliver
from tests.support.small_installation import open_small

FORM: Final = """\
concepts:
  rare_cases:
    title: {nb: Tilfeller, nn: Tilfelle, en: Cases}
    definition: Cases of something rare.
    measures: [number]
    dimensions: [sex]
    derives: [{over: sex, parts: [F, M]}]
    suppress_below: 20000
format: {type: csv, delimiter: ";"}
unit: {column: nr, kind: municipality}
period: {column: month, type: month}
breakdown: {sex: {column: sex}}
repeat: error
claims: [{concept: rare_cases, column: n, reported_by: {option: sender}, unit_measure: {value: number}}]
examples: [{name: none, given: ''}]
"""
HEADER: Final = "nr;month;sex;n"
FIRST: Final = (
    *("1120;2025-01;F;14142", "1120;2025-01;M;271828", "1120;2025-01;T;285970"),
    *("1121;2025-01;F;61803", "1121;2025-01;M;73205", "1121;2025-01;T;135008"),
)
SECOND: Final = ("1120;2025-01;F;66260", "1120;2025-01;T;338088", "1121;2025-01;F;16180")
"""What is small is so no more, with its total; another becomes small, and its total is as it was."""
SECRETS: Final = {1: {"14142", "285970"}, 2: {"14142", "285970", "16180", "135008"}}
"""Release -> what nobody may see: small counts of then or now, and the totals that give them away."""
SHOWN: Final = {1: {"271828", "61803", "73205", "135008"}, 2: {"66260", "271828", "338088", "73205"}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("small")
    contracts = folder / "contracts"
    contracts.mkdir()
    for name in ("tilsyn", "helse"):  # two obligations: a figure that is reported twice is on a unit's page
        text = HEAD.format(name=name, agency="A", more="") + FORM
        without_terms = text if name == "tilsyn" else text[: text.index("concepts:")] + text[text.index("format:") :]
        (contracts / f"{name}.yml").write_text(without_terms, encoding="utf-8")
    here = open_small(folder / "home", contracts)
    assert not here.broken_contracts
    for day, rows in enumerate((FIRST, SECOND)):
        for name in ("tilsyn", "helse"):
            deliver(here, name, "\n".join((HEADER, *rows, "")), at=IN_TIME + timedelta(days=day))
        assert night(here).published
    yield here
    here.engine.dispose()


def numbers_in(cells: Iterator[object]) -> set[str]:
    return {str(cell).split(".")[0].replace("\u00a0", "").replace(" ", "") for cell in cells}


def of_parquet(folder: Path) -> set[str]:
    return numbers_in(
        cell for file in folder.rglob("*.parquet") for row in pl.read_parquet(file).iter_rows() for cell in row
    )


def assert_hidden(found: set[str], release: int) -> None:
    assert not found & SECRETS[release]
    assert found >= SHOWN[release]


@pytest.mark.parametrize("release", [1, 2])
def test_no_file_has_one(home: Installation, tmp_path: Path, release: int) -> None:
    held = find_release(home, release)
    assert_hidden(of_parquet(export_release(home, held, tmp_path / "export")), release)
    sdmx = pl.read_csv(export_sdmx_csv(home, held, tmp_path / "sdmx.csv"), infer_schema=False)
    assert_hidden(set(sdmx["OBS_VALUE"].drop_nulls()), release)
    assert set(sdmx.filter(pl.col("OBS_VALUE").is_null())["CONF_STATUS"]) == {"C"}
    write_package(home, held, tmp_path / "package")
    assert_hidden(of_parquet(tmp_path / "package"), release)
    assert not any(secret in file.read_text() for file in tmp_path.rglob("*.csv") for secret in SECRETS[release])
    site = write_site(home, release, tmp_path / "site")
    assert_hidden(of_parquet(site.folder), release)
    pages = "".join(page.read_text(encoding="utf-8") for page in site.folder.rglob("*.html"))
    plain = pages.replace("\u00a0", "").replace("\u202f", "").replace(",", "")
    assert not {secret for secret in SECRETS[release] if secret in plain}
    assert "271828" in plain


def test_no_table_of_a_mart_has_one_and_it_follows(home: Installation, new_postgresql: Callable[[], str]) -> None:
    mart, fresh = new_postgresql(), new_postgresql()
    for release, outcome in ((1, "loaded"), (2, "updated")):
        assert synced(home, mart, release).outcome == outcome
        with psycopg.connect(mart) as connection:
            listed = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = ANY(%s)"
            tables = connection.execute(listed, [[STAR, VIEWS]]).fetchall()
            rows = [row for table in tables for row in connection.execute(every_row(*table))]
        assert_hidden(numbers_in(cell for row in rows for cell in row), release)
    synced(home, fresh)
    assert everything(mart) == everything(fresh)


def test_a_query_shows_them_to_those_alone_who_may_see_what_is_confidential(home: Installation) -> None:
    for confidential in (False, True):
        found = {
            cell
            for table in (*WITH_COUNTS, "observations_at_1", "changes_at_2")
            for row in query(home, f"FROM {table}", confidential=confidential).iter_rows()
            for cell in numbers_in(iter(row))
        }
        if confidential:
            assert found >= SECRETS[2] | SHOWN[2]
        else:
            assert not found & (SECRETS[2] - {"135008"}), "what was a total of shown figures was free in release 1"
            assert found >= SHOWN[2]
    hidden = query(home, "SELECT DISTINCT value, conf_status FROM observations WHERE unit_code = '1121'")
    assert (None, "C") in hidden.rows()
    item = query(home, "SELECT item_id FROM observations WHERE value IS NULL AND breakdown LIKE '%T%'")["item_id"][0]
    assert {claim["original"] for claim in explain_observation(home, item).claims} == {None}
    assert {claim["original"] for claim in explain_observation(home, item, confidential=True).claims} == {"135008"}


def test_the_release_itself_has_all(home: Installation) -> None:
    small = SmallCounts(home, find_release(home))
    assert (small.current.len(), small.ever.len()) == (2, 4)
    values = read_table(home, "observations", find_release(home)).collect()["value"]
    assert values.null_count() == 0
