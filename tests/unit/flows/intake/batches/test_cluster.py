"""Which cluster reads a night's deliveries, that its workers read alike, and answers that nobody took."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from flows.installation import Installation
from flows.intake.batches import cluster as clusters
from flows.intake.batches.answers import ANSWER_PREFIX
from flows.intake.batches.cluster import reading_cluster
from flows.intake.batches.cluster_reading import ABANDONED, check_workers, remove_abandoned_answers
from infra.cluster.cluster import Cluster
from infra.storage import landing
from schemas.errors import UsageError


class Workers:
    """Workers that answer what they are given."""

    def __init__(self, setups: dict[str, dict[str, str]]) -> None:
        self.setups = setups

    def ask_all(self, _: Callable[[], Any]) -> dict[str, dict[str, str]]:
        return self.setups


def workers(*setups: dict[str, str]) -> Cluster:
    return cast("Cluster", Workers({f"w{number}": setup for number, setup in enumerate(setups)}))


def test_workers_that_read_alike_are_accepted_and_others_refused_with_what_differs(home: Installation) -> None:
    check_workers(home, workers())
    check_workers(home, workers(home.setup, home.setup))
    name = min(home.setup)
    with pytest.raises(UsageError, match=f"the worker at w1 has other {name} than this process"):
        check_workers(home, workers(home.setup, {**home.setup, name: "another"}))


def test_answers_of_killed_nights_are_deleted_after_a_day(home: Installation) -> None:
    store = landing.open_store(home.lake)
    for name in ("old", "new"):
        store.put_once(f"{ANSWER_PREFIX}{name}.json", b"{}")
    store.put_once("elsewhere/old.json", b"{}")
    day = ABANDONED + timedelta(hours=1)
    for path in (f"{ANSWER_PREFIX}old.json", "elsewhere/old.json"):
        file = Path(str(home.settings.lake)) / path
        seconds = file.stat().st_mtime - day.total_seconds()
        os.utime(file, (seconds, seconds))
    assert remove_abandoned_answers(home) == 1
    assert [each.key for each in store.listing(ANSWER_PREFIX)] == [f"{ANSWER_PREFIX}new.json"]
    assert store.get("elsewhere/old.json") == b"{}"


@pytest.mark.parametrize(
    ("address", "count", "opened"),
    [
        (None, None, []), (None, 2, ["2 here"]), ("tcp://there", None, ["tcp://there"]), ("tcp://there", 2, ["2 here"]),
        ("tcp://there", 0, ["tcp://there"]),
    ],
)  # fmt: skip
def test_workers_of_this_machine_come_before_those_of_the_setting(
    home: Installation, monkeypatch: pytest.MonkeyPatch, address: str | None, count: int | None, opened: list[str]
) -> None:
    found: list[str] = []

    @contextmanager
    def giving(what: str) -> Iterator[Cluster]:
        found.append(what)
        yield workers(home.setup)

    monkeypatch.setattr(clusters, "local_cluster", lambda _, number: giving(f"{number} here"))
    monkeypatch.setattr(clusters, "connected_cluster", giving)
    installation = replace_setting(home, address)
    with reading_cluster(installation, count) as reading:
        assert (reading is installation) is (not opened)
    assert found == opened


def replace_setting(home: Installation, address: str | None) -> Installation:
    """Return the installation with another setting `cluster`."""
    return Installation(replace(home.settings, cluster=address), home.engine)
