"""What is published after a release: a fault there costs the night nothing, and is reported until it is mended."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows.installation import Installation
from flows.monitoring.publications import MART, PACKAGE, SITE, publication_problems, publish_after_release
from infra.ledger import monitoring as ledger_monitoring
from schemas.errors import StoreError
from tests.support.monitored_installation import open_watched


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    home = open_watched(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}")
    yield home
    home.engine.dispose()


def failing(error: Exception) -> Callable[[], str]:
    def publish() -> str:
        raise error

    return publish


def publish(home: Installation, kind: str, how: Callable[[], str]) -> tuple[str | None, list[str]]:
    """Return what was published, and what was reported meanwhile."""
    messages: list[str] = []
    return publish_after_release(home, kind, how, messages.append), messages


def test_what_is_published_is_returned_and_needs_no_record(home: Installation) -> None:
    assert publish(home, SITE, lambda: "pages") == ("pages", [])
    assert ledger_monitoring.read_last_runs(home.engine, SITE).is_empty()
    assert publication_problems(home) == []


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (StoreError("the bucket is away"), "the bucket is away"),
        (OSError("the disk is full"), "the disk is full"),
        (ValueError("01010112345"), "ValueError"),
    ],
)
def test_a_fault_is_reported_without_the_text_of_one_that_nobody_foresaw(
    home: Installation, error: Exception, problem: str
) -> None:
    assert publish(home, PACKAGE, failing(error)) == (None, [f"the package is published another night: {problem}"])
    assert publication_problems(home) == [f"the package of the last release could not be published: {problem}"]


def test_a_fault_is_reported_until_the_next_publication_of_its_kind(home: Installation) -> None:
    for kind in (MART, PACKAGE, SITE):
        publish(home, kind, failing(OSError("an older fault")))
        publish(home, kind, failing(OSError(f"no {kind}")))
    publish(home, PACKAGE, lambda: "files")
    assert publication_problems(home) == [
        f"the {kind} of the last release could not be published: no {kind}" for kind in (SITE, MART)
    ]
    publish(home, PACKAGE, lambda: "files")
    assert ledger_monitoring.read_last_runs(home.engine, PACKAGE)["status"].to_list() == ["done", "failed", "failed"]
