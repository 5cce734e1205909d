"""The table `suspected` of a release: found within the night's budget, as a rebuild finds it, with its verdicts."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from flows.overlap.tables import list_suspected
from flows.overlap.verdicts import verdict_on
from flows.queries.sql import query
from flows.release.overlap import suspected as written
from flows.release.verify import verify
from flows.releases import find_release
from tests.support.observation_deliveries import Home, Row, Sent, new_home

pytestmark = pytest.mark.usefixtures("unchecked")
SQL = "SELECT kind, obligation_a, obligation_b, common, agreeing, scale, verdict FROM suspected"
FOUND = ("same", "omsorg", "tilsyn", 24, 24, 1.0)
COMPARED = ("figures", "figures_compared", "figures_compared_at_most")


def figures(contract: str, group: str, year: int, scale: int = 1) -> Sent:
    """Return a year's figures of a group, the same ones under any contract: those of `samlet` are in tens."""
    rows = tuple(
        Row(unit, f"{year}-{month:02}", group, str((7919 * month * (at + 1) % 9973 + 1000) * 10 // scale))
        for at, unit in enumerate(("0301", "1120"))
        for month in range(1, 13)
    )
    return Sent(contract, "anna", rows)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """Give a home in which two obligations report the same figures under different codes."""
    with new_home() as home:
        home.deliver([figures("rettelse", "a", 2024), figures("samlet", "b", 2024, scale=10)])
        home.night()
        yield home


def compared(home: Home) -> tuple[int, ...]:
    """Return how many figures the release has, how many of them were compared, and the budget."""
    counts = find_release(home.installation)["counts"]
    return tuple(counts[name] for name in COMPARED)


def judge(home: Home) -> None:
    """Say of the one pair that is suspected that it is different."""
    (row,) = list_suspected(home.installation)
    verdict_on(home.installation, (row["series_a"], row["series_b"]), "different", why="a test", who="kari")


def test_the_night_finds_what_a_rebuild_finds_and_a_query_sees_todays_verdict(home: Home) -> None:
    assert query(home.installation, SQL).rows() == [(*FOUND, None)]
    assert compared(home) == (48, 48, 200_000)
    assert verify(home.installation).same
    judge(home)
    assert query(home.installation, SQL).rows() == [(*FOUND, "different")]


def test_older_figures_than_the_budget_has_room_for_are_compared_when_asked_for(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.installation = replace(home.installation, settings=replace(home.installation.settings, discovery_figures=8))
    home.deliver([figures("rettelse", "a", 2025), figures("samlet", "b", 2025, scale=10)])
    home.night()
    assert compared(home) == (96, 8, 8)
    assert query(home.installation, SQL).is_empty()
    judge(home)
    (row,) = list_suspected(home.installation)
    assert (row["common"], row["verdict"]) == (48, "different")
    larger = replace(home.installation.settings, discovery_figures=1_000)
    assert verify(replace(home.installation, settings=larger)).same, "by the budget of the release"
    monkeypatch.setattr(written, "suspected_of", lambda _: pytest.fail("no month of the window was reached"))
    home.deliver([figures("samlet", "c", 2023)])
    home.night()
    assert compared(home) == (120, 8, 8)
