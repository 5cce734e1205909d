"""The law of the mart: brought from release to release it is the release, row for row, and equals one loaded anew."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support import incident_deliveries, observation_deliveries
from tests.support.marts import everything, synced
from tests.support.seed import LAW_EXAMPLES
from tests.support.temporary_installation import Life, compacting, unchecked

FEW = settings(
    max_examples=max(2, LAW_EXAMPLES // 12),
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
MANY = settings(FEW, max_examples=60)
NIGHTS = 3


@pytest.fixture(autouse=True, scope="module")
def _swift() -> Iterator[None]:
    with unchecked():
        yield


def lives(home: Life, nights: list[list[Any]], chance: random.Random, new_mart: Callable[[], str]) -> None:
    """Deliver and withdraw, night after night; the mart follows each release, or misses one now and then."""
    mart, submissions = new_mart(), set[str]()
    for number, sent in enumerate(nights):
        receipts = home.deliver(sent)
        submissions |= {receipt.submission_id for receipt in receipts if receipt.status == "registered"}
        if number and submissions and chance.random() < 0.4:
            home.withdraw(chance.choice(sorted(submissions)))
        published = home.publish().release
        if published and (number == 0 or chance.random() < 0.7):
            synced(home.installation, mart)
    if not published:
        return
    assert synced(home.installation, mart).outcome != "loaded" or published == 1
    fresh = new_mart()
    synced(home.installation, fresh)
    assert everything(mart) == everything(fresh)


def nights_of(sendings: Callable[[], st.SearchStrategy[Any]]) -> st.SearchStrategy[list[list[Any]]]:
    night = st.lists(sendings(), min_size=1, max_size=3)
    return st.lists(night, min_size=NIGHTS, max_size=NIGHTS)


def of_observations(nights: list[list[Any]], chance: random.Random, new_mart: Callable[[], str]) -> None:
    with observation_deliveries.new_home() as home, compacting(0, chance.choice([0.0, 2.0])):
        lives(home, nights, chance, new_mart)


def of_records(nights: list[list[Any]], chance: random.Random, new_mart: Callable[[], str]) -> None:
    with incident_deliveries.new_home() as home, compacting(0, chance.choice([0.0, 2.0])):
        lives(home, nights, chance, new_mart)


@FEW
@given(nights=nights_of(observation_deliveries.sendings), chance=st.randoms(use_true_random=False))
def test_of_observations(new_postgresql: Callable[[], str], nights: list[list[Any]], chance: random.Random) -> None:
    of_observations(nights, chance, new_postgresql)


@FEW
@given(nights=nights_of(incident_deliveries.sendings), chance=st.randoms(use_true_random=False))
def test_of_records(new_postgresql: Callable[[], str], nights: list[list[Any]], chance: random.Random) -> None:
    of_records(nights, chance, new_postgresql)


@pytest.mark.slow
@MANY
@given(nights=nights_of(observation_deliveries.sendings), chance=st.randoms(use_true_random=False))
def test_of_many_observations(
    new_postgresql: Callable[[], str], nights: list[list[Any]], chance: random.Random
) -> None:
    of_observations(nights, chance, new_postgresql)


@pytest.mark.slow
@MANY
@given(nights=nights_of(incident_deliveries.sendings), chance=st.randoms(use_true_random=False))
def test_of_many_records(new_postgresql: Callable[[], str], nights: list[list[Any]], chance: random.Random) -> None:
    of_records(nights, chance, new_postgresql)
