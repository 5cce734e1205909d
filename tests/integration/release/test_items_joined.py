"""A report that joins two items into one makes the release smaller, and is published: the checks are the real ones."""

import pytest

from schemas.errors import ReleaseRefused
from tests.support.incident_deliveries import Row, Sent, new_home


def test_a_night_whose_new_report_joins_two_items_is_published() -> None:
    with new_home() as home:
        home.deliver([Sent((Row("1", "a", day="2024-01-01", speed="12"), Row("2", "b", day="2024-01-02", speed="20")))])
        assert home.night().counts["incident"] == 2
        home.deliver([Sent(tuple(Row("3", body, day="2024-01-02", speed="17") for body in "cde"))])
        night = home.night()
        assert (night.published, night.counts["incident"]) == (True, 1)


def test_a_night_in_which_reports_are_lost_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with new_home() as home:
        home.deliver([Sent((Row("1", "a", place="Vik"), Row("2", "b", place="Bø", day="2024-09-09")))])
        assert home.night().counts["incident"] == 2
        home.deliver([Sent((Row("3", "c", place="Vik"),))])
        monkeypatch.setattr("flows.release.records.staging._count", _lose_items)
        with pytest.raises(ReleaseRefused, match="at least"):
            home.night()


def _lose_items(staged: object, name: str, _: object) -> None:
    """Count as a night does that loses both items."""
    staged.items[name] -= 2  # type: ignore[attr-defined]
