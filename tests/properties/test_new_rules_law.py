"""An upgrade with other rules: the next night publishes what a rebuild by the new rules gives, and what that changes.

The older rules are invented: of two statements of one sender the oldest counts, and no contract has precedence.
"""

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from flows.release import build as nights
from infra.ledger import releases as ledger_releases
from tests.properties.test_record_release_laws import FEW
from tests.support import incident_deliveries as incidents
from tests.support import observation_deliveries as observations
from tests.support.measured_tables import assert_from_scratch
from tests.support.temporary_installation import Life, compacting, receipt_of, unchecked
from transforms import rules_version
from transforms.records import resolution

FACT_TABLES = ("observations", "sources", "conflicts")
KIND_TABLES = ("incident_sources", "incident_conflicts", "incident_reports", "incident_edges")
LATEST = 2**31
COMPACTING = {"compacting": (10**9, 0.0), "never": (0, 2.0), "month by month": (0, 0.5, 1)}
"""What a night finds too small to keep, what too much retired, and how much it takes at once, at least a month."""


@pytest.fixture(autouse=True, scope="module")
def _swift() -> Iterator[None]:
    with unchecked():
        yield


def oldest_first(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Return a rule that takes the order of receipt for its reverse; of facts, it knows no precedence either."""

    def _by_older_rules(rows: pl.DataFrame, *rest: Any) -> Any:
        reverse = (LATEST - pl.col("arrival").cast(pl.Int64)).cast(pl.UInt32).alias("arrival")
        rank = pl.when(pl.lit("report_id" in rows.columns)).then("precedence").alias("precedence")
        return rule(rows.with_columns(reverse, rank), *rest)

    return _by_older_rules


@contextlib.contextmanager
def older_rules() -> Iterator[None]:
    """Publish by the rules of an older version of the product."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules_version, "RULES_DIGEST", "1")
        patch.setattr(nights, "consolidate", oldest_first(nights.consolidate))
        patch.setattr(resolution, "mark_standing", oldest_first(resolution.mark_standing))
        yield


def upgraded(home: Life, parts: list[list[Any]], last: list[Any]) -> nights.Night | None:
    """Publish by older rules, deliver the last and publish by the new ones; None if there is nothing to publish."""
    with older_rules():
        for part in parts:
            home.deliver(part)
            home.publish()  # its leaves state nothing: they look for rows in the order in which they were received
        old = ledger_releases.current_release(home.installation.engine)
    home.deliver(last)
    reasons: list[str] = []
    done = nights.night(home.installation, reasons.append)
    if old is None:
        return done if done.published else None
    assert done.published, "another release follows, new deliveries or not"
    assert f"release {old['release']} follows version '1' of the rules" in reasons[0]
    assert_from_scratch(home.installation)
    assert not home.night().published, "once"
    return done


def received_at(sent: Any) -> datetime:
    """Return when a delivery is received."""
    file_of = incidents.file_of if isinstance(sent, incidents.Sent) else observations.file_of
    return receipt_of(file_of(sent), sent.contract, sent.sender)


def test_what_the_new_rules_change_is_published_as_changes() -> None:
    def _figure(group: str, figure: str) -> observations.Sent:
        return observations.Sent("samlet", "anna", (observations.Row("0301", "2024-01", group, figure, figure),))

    first, second = sorted((_figure("a", "5"), _figure("a", "6")), key=received_at)
    values = [int(sent.rows[0].figure) * 10 for sent in (first, second)]
    with observations.new_home() as home:
        done = upgraded(home, [[first, second, _figure("b", "7")]], [])
        assert done is not None
        changes = home.table("changes").select("change", "value_before", "value_after")
        assert changes.rows() == [("changed", *values)]
        releases = dict(home.table("observations").select("value", "release").iter_rows())
        assert releases == {values[1]: 2, 70: 1}, "what the rules leave as it is keeps its rows"


def test_an_item_of_a_report_that_does_not_stand_any_more_is_retired() -> None:
    rows = (incidents.Row(str(number), place="Vik") for number in range(100))
    both = ((incidents.Sent((row,)), incidents.Sent((row._replace(action="trekk"),))) for row in rows)
    first, second = next(pair for pair in both if received_at(pair[0]) < received_at(pair[1]))
    with incidents.new_home() as home:
        assert upgraded(home, [[first, second], [incidents.Sent((incidents.Row("9", place="Bø"),))]], []) is not None
        changes = home.table("incident_changes").filter(release=3)
        assert changes["change"].to_list() == ["removed"]
        history = home.table("incident_history").filter(release=3).select("event", "cause", "cause_id")
        assert history.rows() == [("retired", "rules", rules_version.RULES_DIGEST)]


@settings(FEW, max_examples=6)
@given(sent=st.lists(observations.sendings(), min_size=3, max_size=7))
def test_facts_of_an_older_version_are_those_of_a_rebuild(sent: list[Any]) -> None:
    with observations.new_home() as fresh:
        fresh.deliver(sent)
        fresh.night()
        for name, how in COMPACTING.items():
            note(name)
            with compacting(*how):
                as_rebuilt(sent, fresh)


def as_rebuilt(sent: list[Any], fresh: observations.Home) -> None:
    """See that an upgrade gives the facts that an installation has which knows the new rules alone."""
    with observations.new_home() as home:
        done = upgraded(home, [sent[:2], sent[2:-1]], sent[-1:])
        if done is None:
            return
        for name in FACT_TABLES:
            assert_frame_equal(home.table(name).drop("release"), fresh.table(name).drop("release"))
        assert home.buckets() == fresh.buckets()
        assert done.counts["items"] == home.table("observations").height


@settings(FEW, max_examples=6)
@given(sent=st.lists(incidents.sendings(), min_size=3, max_size=7), some=st.booleans())
def test_items_of_an_older_version_are_those_of_a_rebuild(sent: list[Any], some: bool) -> None:
    last = sent[-1:] if some else []
    with incidents.new_home() as home, incidents.new_home() as fresh:
        fresh.deliver(sent[: len(sent) - 1 + len(last)])
        fresh.night()
        done = upgraded(home, [sent[:2], sent[2:-1]], last)
        if done is None:
            return
        assert home.together() == fresh.together()
        for name in KIND_TABLES:
            mine, theirs = (each.table(name).drop("item_id", "release", strict=False) for each in (home, fresh))
            by = [c for c in ("a", "b", "report_id", "claim_id", "field", "submission_id", "row") if c in mine.columns]
            assert_frame_equal(mine.sort(by), theirs.sort(by))
        assert done.counts.get("incident", 0) == home.table("incident").height
