"""What a query reads: the tables that it names, each opened once."""

from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from flows.installation import Installation
from flows.intake.deliveries import Delivery
from flows.intake.registration import receive
from flows.queries.sql import query
from flows.release.build import night
from tests.support import wreck_installation
from tests.support.opened_tables import count_openings

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give an installation that has published one report of a wreck."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in wreck_installation.folders(folder).items():
            patch.setenv(name, value)
        patch.delenv("ENGANG_LEDGER", raising=False)
        (Path(folder) / "contracts" / "wrecks.yml").write_text(wreck_installation.CONTRACT)
        opened = wreck_installation.open_wrecks()
    rows = (",".join(wreck_installation.COLUMNS), "1,UP,,Vik,2024-03-01,40,fire,it fell", "")
    list(receive(opened, [Delivery("wrecks.csv", "\n".join(rows).encode(), "wrecks", "agency")]))
    assert night(opened).counts["wreck"] == 1
    return opened


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT count(*) FROM wreck", ["wreck"]),
        ('FROM "WRECK" JOIN Wreck_Sources USING (item_id)', ["wreck", "wreck_sources"]),
        ("SELECT count(*) FROM concepts", ["concepts"]),
        ("SELECT count(*) FROM submissions", []),
    ],
)
def test_a_query_opens_each_table_that_it_names_once(
    home: Installation, sql: str, tables: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = count_openings(monkeypatch)
    found = query(home, sql)
    assert found.height == 1
    assert found.row(0)[0] not in (0, None)
    assert opened == Counter(tables)


def test_a_table_that_is_not_named_still_has_its_columns(home: Installation) -> None:
    shown = query(home, "SHOW ALL TABLES")
    assert shown.height > 10
    named = query(home, f"SHOW ALL TABLES -- {' '.join(shown['name'])}")
    assert shown.equals(named.filter(pl.col("name").is_in(shown["name"].implode())))
