"""The mart of the setting: a night goes on without it, and the status shows why until a sync succeeds."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flows.installation import Installation
from flows.mart.nights import MART_SYNC, mart_problems, sync_after_night, sync_configured
from infra.ledger import runs as ledger_runs
from schemas.errors import UsageError
from tests.support.small_installation import open_small

HIDDEN = "S3cret"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    home = open_small(tmp_path / "home")
    yield home
    home.engine.dispose()


def with_mart(home: Installation, url: str | None) -> Installation:
    return replace(home, settings=replace(home.settings, mart=url))


def test_without_a_setting_there_is_no_mart_and_no_problem(home: Installation) -> None:
    messages: list[str] = []
    sync_after_night(home, messages.append)
    assert (messages, mart_problems(home)) == ([], [])
    with pytest.raises(UsageError, match="no mart is set: give its URL without a password, or set ENGANG_MART="):
        sync_configured(home)
    assert mart_problems(with_mart(home, "postgresql://host/d")) == [], "that is no failed sync of the one set later"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"mysql://ola:{HIDDEN}@host/d", "ENGANG_MART: found mysql://, expected postgresql://"),
        (f"postgresql://ola:{HIDDEN}@@host/d", "ENGANG_MART: found several @, expected one"),
        (f"postgresql://ola:{HIDDEN}@127.0.0.1:1/d", "nothing is released yet"),
    ],
)
def test_a_mart_that_cannot_be_brought_along_ends_no_night_and_is_a_problem(
    home: Installation, url: str, problem: str
) -> None:
    failing, messages = with_mart(home, url), []
    sync_after_night(failing, messages.append)
    (message,) = messages
    assert message.startswith(f"the mart is not brought to the release: {problem}")
    (shown,) = mart_problems(failing)
    assert shown.startswith(f"the mart is behind: {problem}")
    assert HIDDEN not in message + shown
    with pytest.raises(UsageError, match=problem.split(",", maxsplit=1)[0]):
        sync_configured(failing)


def test_the_last_sync_decides(home: Installation) -> None:
    failing = with_mart(home, "mysql://host/d")
    sync_after_night(failing)
    assert mart_problems(failing)
    assert mart_problems(home) == [], "without a mart nothing is behind"
    ledger_runs.record_check(home.engine, MART_SYNC, None)
    assert mart_problems(failing) == []
