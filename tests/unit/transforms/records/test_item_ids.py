"""What id an item bears and what becomes of it, case by case."""

import polars as pl
import pytest

from transforms.records.item_ids import (
    FIRST_RELEASE,
    ITEM_ASSIGNMENT,
    AssignedIds,
    assign_item_ids,
    current_assignments,
    successor_item,
)

ITEMS = {"report_id": pl.String, "item_id": pl.String}


class Releases:
    """Releases one after another, each written as its clusters: `ab c` is a and b together, and c."""

    def __init__(self) -> None:
        self.release = 0
        self.assignments = pl.DataFrame(schema=ITEM_ASSIGNMENT)
        self.first = pl.DataFrame(schema=FIRST_RELEASE)
        self.items = pl.DataFrame(schema=ITEMS)

    def find(self, groups: str) -> AssignedIds:
        """Return what a night would find."""
        rows = [(report, min(cluster)) for cluster in groups.split() for report in cluster]
        clusters = pl.DataFrame(rows, schema={"report_id": pl.String, "cluster": pl.String}, orient="row")
        return assign_item_ids(clusters, self.assignments, self.first, self.items)

    def publish(self, clusters: str) -> list[tuple]:
        """Publish a release and return its events."""
        assigned = self.find(clusters)
        self.release += 1
        number = pl.lit(self.release, dtype=pl.Int32)
        self.assignments = pl.concat([self.assignments, assigned.assignments.with_columns(release=number)])
        new = assigned.items.join(self.first, on="report_id", how="anti").select("report_id", first=number)
        self.first, self.items = pl.concat([self.first, new]), assigned.items
        return assigned.events.rows()

    def ids(self) -> str:
        """Return each item as its id and its reports."""
        members = self.items.group_by("item_id").agg(pl.col("report_id").sort().str.join("")).sort("item_id")
        return " ".join(f"{item}:{reports}" for item, reports in members.iter_rows())


@pytest.fixture
def releases() -> Releases:
    return Releases()


def test_an_item_bears_the_id_of_its_least_report_and_keeps_it(releases: Releases) -> None:
    assert releases.publish("bc d") == []
    assert releases.assignments.rows() == [("c", "b", 1)]  # b and d are at home in themselves: nothing need be written
    assert releases.publish("abc de") == []
    assert releases.ids() == "b:abc d:de"
    assert releases.publish("ac e") == []
    assert releases.ids() == "b:ac d:e"


def test_the_item_published_first_survives_a_merge_and_undoing_it_gives_both_back(releases: Releases) -> None:
    releases.publish("bc")
    releases.publish("bc a")
    assert releases.publish("abc") == [("merged", "a", "b", 1)]
    assert releases.ids() == "b:abc"
    assert successor_item("a", releases.assignments, releases.items) == "b"
    assert releases.publish("bc a") == [("split", "b", "a", 1)]
    assert releases.ids() == "a:a b:bc"


def test_a_part_without_the_founder_takes_its_oldest_reports_id(releases: Releases) -> None:
    releases.publish("bcd")
    assert releases.publish("ab cd") == [("split", "b", "c", 2)]
    assert releases.ids() == "b:ab c:cd"
    assert releases.publish("abd c") == [("moved", "c", "b", 1)]
    assert releases.publish("acbd") == [("merged", "c", "b", 1)]


def test_a_founder_that_leaves_for_another_item_takes_its_id_along(releases: Releases) -> None:
    releases.publish("ac b")
    assert releases.publish("ab c") == [("merged", "b", "a", 1), ("split", "a", "c", 1)]


def test_an_id_is_retired_with_its_last_report_and_renewed_with_the_first_that_is_back(releases: Releases) -> None:
    releases.publish("ab c")
    assert releases.publish("c") == [("retired", "a", None, 2)]
    assert successor_item("a", releases.assignments, releases.items) is None
    assert releases.publish("b c") == [("renewed", "a", None, 1)]
    assert releases.ids() == "a:b c:c"


def test_a_founder_that_comes_back_elsewhere_leaves_its_id_where_it_lives_on(releases: Releases) -> None:
    releases.publish("ab")
    releases.publish("b")
    assert releases.publish("a b") == []
    again = releases.items.filter(pl.col("report_id") == "a")["item_id"].item()
    assert releases.ids() == f"a:b {again}:a"
    assert len(again) == 24
    releases.publish("ac b")
    releases.publish("c b")
    releases.publish("a c b")  # founding once more, it cannot take the id it founded before
    assert releases.items["item_id"].n_unique() == 3
    assert releases.items.filter(pl.col("report_id") == "c")["item_id"].item() == again


def test_who_comes_back_to_find_its_id_taken_joins_what_another_founds(releases: Releases) -> None:
    for night in ("ab", "b", "ac b"):
        releases.publish(night)
    assert releases.ids() == "a:b c:ac"


def test_of_a_founders_followers_the_one_at_home_longest_keeps_the_id(releases: Releases) -> None:
    for night in ("ac", "abc", "bc"):
        releases.publish(night)
    assert releases.publish("b c") == [("split", "a", "b", 1)]
    assert releases.ids() == "a:c b:b"


def test_a_founder_keeps_the_id_before_a_younger_report_that_came_with_it(releases: Releases) -> None:
    for night in ("bc", "b ac"):
        releases.publish(night)
    assert releases.ids() == "b:b c:ac"
    assert releases.publish("a b c") == [("split", "c", "a", 1)]


def test_a_founder_that_left_its_id_behind_and_joins_it_again_leaves_it_behind_again(releases: Releases) -> None:
    for night in ("abcd f", "be c d", "ac def", "ac df e"):
        releases.publish(night)
    assert releases.ids() == "a:e c:ac f:df"
    releases.publish("adef c")
    releases.publish("ac df e")
    assert releases.ids() == "a:e c:ac f:df"


def test_a_report_that_was_counted_but_did_not_stand_is_at_home_nowhere(releases: Releases) -> None:
    releases.publish("b")
    releases.first = pl.concat([releases.first, pl.DataFrame([("a", 0)], schema=FIRST_RELEASE, orient="row")])
    releases.assignments = pl.concat(
        [releases.assignments, pl.DataFrame([("a", "", 0)], schema=ITEM_ASSIGNMENT, orient="row")]
    )
    assert current_assignments(releases.first, releases.assignments, releases.first).rows() == [("b", "b", 1)]
    assert releases.publish("ab") == []
    assert releases.ids() == "b:ab"
    assert releases.publish("a b") == [("split", "b", "a", 1)]
    assert releases.publish("ab") == [("merged", "a", "b", 1)]  # the id of a is the younger, though a was counted first


def test_nothing_there_has_no_ids(releases: Releases) -> None:
    assert releases.publish("") == []
    assert releases.items.height == 0
