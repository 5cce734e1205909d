"""One query over several releases: `TABLE_at_N` is a table as release N had it."""

from collections.abc import Iterator

import pytest

from flows.installation import Installation
from flows.queries.sql import query
from schemas.errors import UsageError
from tests.support.opened_tables import count_openings
from tests.support.sites import make_home

pytestmark = pytest.mark.usefixtures("unchecked")
CHANGED = """
SELECT now.item_id, before.value AS value_before, now.value AS value_after
FROM observations now JOIN observations_at_1 before USING (item_id)
WHERE now.value IS DISTINCT FROM before.value ORDER BY ALL"""
LISTED = """
SELECT item_id, value_before, value_after FROM changes
WHERE release = 2 AND change = 'changed' AND value_before IS DISTINCT FROM value_after ORDER BY ALL"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give an installation of two releases, the second of which changes figures and adds some."""
    made = make_home(tmp_path_factory.mktemp("releases"))
    yield made
    made.engine.dispose()


@pytest.mark.parametrize("table", ["observations", "sources", "conflicts", "overlap", "obligations"])
def test_a_table_of_a_release_is_the_same_by_name_and_by_number(home: Installation, table: str) -> None:
    for number in (1, 2):
        by_number = query(home, f"FROM {table} ORDER BY ALL", number)
        assert by_number.height > 0
        assert query(home, f"FROM {table.upper()}_AT_{number} ORDER BY ALL").equals(by_number)


def test_releases_are_compared_in_one_query(home: Installation) -> None:
    assert query(home, CHANGED).equals(query(home, LISTED))
    added = "SELECT count(*) FROM observations ANTI JOIN observations_at_1 USING (item_id)"
    assert query(home, added).item() == 6


def test_only_what_is_named_is_opened(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = count_openings(monkeypatch)
    query(home, "SELECT count(*) FROM conflicts_at_1, conflicts_at_2")
    of_withheld = {"concepts", "observations", "sources"}  # what says which values are withheld
    assert opened.keys() <= {"conflicts", "retired", *of_withheld}
    assert opened["conflicts"] == 2, "once a release"


@pytest.mark.parametrize("number", [3, 999_999_999])
def test_a_release_that_is_not_there_is_an_error(home: Installation, number: int) -> None:
    with pytest.raises(UsageError, match=f"there is no release {number}"):
        query(home, f"FROM observations_at_{number}")


def test_a_name_that_only_looks_like_one_is_the_querys_own(home: Installation) -> None:
    assert query(home, "WITH seen_at_9 AS (SELECT 7 AS n) SELECT n FROM seen_at_9").item() == 7
