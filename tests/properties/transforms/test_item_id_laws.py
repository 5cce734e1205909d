"""The ids of records keep their word: any joins, leaves, merges and splits, and what is undone of them."""

from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from transforms.records.item_ids import (
    FIRST_RELEASE,
    ITEM_ASSIGNMENT,
    AssignedIds,
    assign_item_ids,
    current_assignments,
    successor_item,
)

lawful = settings(max_examples=25)
REPORTS = tuple("abcde")
CLUSTERS = {"report_id": pl.String, "cluster": pl.String}
ITEMS = {"report_id": pl.String, "item_id": pl.String}

Clusters = dict[str, int]
"""Report -> what it is together with; a report that does not stand is not there."""
clusterings = st.dictionaries(st.sampled_from(REPORTS), st.integers(0, 2))
counted = st.sets(st.sampled_from(REPORTS), max_size=2)
"""Reports that a release counts; those of them that do not stand in it are withdrawn as soon as they came."""


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Clusters, set[str]]]:
    """Draw nights: each all new, or the one before with a report or two elsewhere, gone or back; and who is counted."""
    nights = [draw(clusterings)]
    for _ in range(draw(st.integers(0, 6))):
        edits = st.dictionaries(st.sampled_from(REPORTS), st.none() | st.integers(0, 2), min_size=1, max_size=2)
        changed: dict[str, int | None] = {**nights[-1], **draw(edits)}
        present = {r: c for r, c in changed.items() if c is not None}
        nights.append(present if draw(st.booleans()) else draw(clusterings))
    return [(night, draw(counted)) for night in nights]


def sets(together: dict[str, int] | dict[str, str]) -> set[frozenset[str]]:
    """Return what is together as sets."""
    return {frozenset(r for r, c in together.items() if c == cluster) for cluster in together.values()}


@dataclass
class Ledger:
    """What the releases so far have written, and the items of the last."""

    release: int = 0
    rows: list[tuple[str, str, int]] = field(default_factory=list)
    first: dict[str, int] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def assignments(self, some: set[str] | None = None) -> pl.DataFrame:
        """Return all rows, or those that name one of some reports or items."""
        rows = [r for r in self.rows if some is None or some & set(r[:2])]
        return pl.DataFrame(rows, schema=ITEM_ASSIGNMENT, orient="row")

    def firsts(self, some: set[str] | None = None) -> pl.DataFrame:
        """Return when all or some reports were first published."""
        rows = [(r, f) for r, f in self.first.items() if some is None or r in some]
        return pl.DataFrame(rows, schema=FIRST_RELEASE, orient="row")

    def home(self) -> dict[str, str]:
        """Return where each report that was ever published is at home."""
        every = pl.DataFrame({"report_id": sorted(self.first)}, schema={"report_id": pl.String})
        return dict(
            current_assignments(every, self.assignments(), self.firsts())
            .select("report_id", "assigned_item")
            .iter_rows()
        )

    def touched(self, now: Clusters) -> set[str]:
        """Return the reports that a night touches: whose company changed, who shares a home with one that is back."""
        same = sets(now) & sets(self.items)
        changed = {r for r in {*now, *self.items} if not any(r in s for s in same)}
        home = self.home()
        back = {home[r] for r in now if r not in self.items and r in home}
        kin = {r for r in now if home.get(r) in back}
        return changed | {r for s in same for r in s if s & kin}

    def assign(self, now: Clusters, some: set[str] | None = None) -> AssignedIds:
        """Return the ids of all clusters, or of those of some reports and with no more than must be known for them."""
        least = {c: min(r for r in now if now[r] == c) for c in now.values()}
        rows = [(r, least[c]) for r, c in now.items() if some is None or r in some]
        before = [(r, i) for r, i in self.items.items() if some is None or r in some]
        concerned = None if some is None else some | {h for r, h in self.home().items() if r in some}
        return assign_item_ids(
            pl.DataFrame(rows, schema=CLUSTERS, orient="row"),
            self.assignments(concerned),
            self.firsts(concerned),
            pl.DataFrame(before, schema=ITEMS, orient="row"),
        )

    def publish(self, now: Clusters, assigned: AssignedIds, reported: set[str]) -> None:
        """Write a release, and the reports that appear in it for the first time and are not standing."""
        self.release += 1
        self.rows += [(r, i, self.release) for r, i in assigned.assignments.iter_rows()]
        self.rows += [(r, "", self.release) for r in reported - now.keys() - self.first.keys()]
        self.first |= {r: self.release for r in {*now, *reported} if r not in self.first}
        self.items = dict(assigned.items.iter_rows())
        self.used |= set(self.items.values())


def ids(items: dict[str, str]) -> dict[frozenset[str], str]:
    return {frozenset(r for r in items if items[r] == i): i for i in items.values()}


def check(ledger: Ledger, now: Clusters, assigned: AssignedIds) -> None:
    """Hold what a night gave against the laws."""
    items, home = dict(assigned.items.iter_rows()), ledger.home()
    assert sets(items) == sets(now)  # every item has one id, no id names two
    for members, item in ids(items).items():
        id_before = ids(ledger.items).get(members)
        assert id_before in {None, item}  # an item whose reports are the same keeps its id
        # An id is that of a report which was at home in it, or of one that never founded any.
        assert any(home.get(r) == item for r in members) or item not in ledger.used
        if not members & home.keys():  # what is new bears the id of its oldest report: of the one that appeared first
            assert item == min(members, key=lambda r: (ledger.first.get(r, ledger.release + 1), r))


def check_events(ledger: Ledger, assigned: AssignedIds) -> None:
    """Hold the events against the ids that came and went, and the reports that changed their item."""
    items, events = dict(assigned.items.iter_rows()), assigned.events.rows()
    before, after = set(ledger.items.values()), set(items.values())
    assert {e[1] for e in events if e[0] in {"merged", "retired"}} == before - after
    assert len([e for e in events if e[0] in {"merged", "retired"}]) == len(before - after)
    redirects = {(e[1], e[2]): e[3] for e in events if e[0] in {"merged", "split", "moved"} and e[3]}
    went = [(i, items[r]) for r, i in ledger.items.items() if r in items and items[r] != i]
    assert redirects == {pair: went.count(pair) for pair in went}
    assert all(e[2] in after - before for e in events if e[0] == "split")
    assert all(e[1] in before and e[2] in before for e in events if e[0] == "moved")
    assert all(e[1] in (after - before) & ledger.used for e in events if e[0] == "renewed")
    fresh = after - before - {e[2] for e in events} - {e[1] for e in events if e[0] == "renewed"}
    assert not fresh & ledger.used


@lawful
@given(histories())
def test_ids_keep_their_word(nights: list[tuple[Clusters, set[str]]]) -> None:
    ledger = Ledger()
    for now, reported in nights:
        whole = ledger.assign(now)
        check(ledger, now, whole)
        check_events(ledger, whole)
        some = ledger.touched(now)
        part = ledger.assign(now, some)
        rest = whole.items.filter(~pl.col("report_id").is_in(some))
        assert dict(rest.iter_rows()) == {r: i for r, i in ledger.items.items() if r in now and r not in some}
        assert_frame_equal(part.items, whole.items.join(part.items, on="report_id", how="semi"), check_row_order=False)
        assert_frame_equal(part.assignments, whole.assignments, check_row_order=False)
        assert_frame_equal(part.events, whole.events)
        ledger.publish(now, whole, reported)
        again = ledger.assign(now)
        assert dict(again.items.iter_rows()) == ledger.items
        assert not again.assignments.height
        assert not again.events.height


@lawful
@given(histories())
def test_undoing_a_merge_gives_the_ids_from_before(nights: list[tuple[Clusters, set[str]]]) -> None:
    """And so does undoing any night in which nobody came back."""
    ledger = Ledger()
    for now, reported in nights:
        before = dict(ledger.items)
        previous = {r: i for r, i in before.items() if r in now}
        merged = all(any(part <= whole for whole in sets(now)) for part in sets(previous))
        back = (now.keys() & ledger.home().keys()) - before.keys()
        ledger.publish(now, ledger.assign(now), reported)
        if merged or not back:
            numbers = {item: n for n, item in enumerate(sorted(set(before.values())))}
            assert dict(ledger.assign({r: numbers[i] for r, i in before.items()}).items.iter_rows()) == before


@lawful
@given(histories())
def test_every_id_there_ever_was_resolves_to_where_its_reports_are(nights: list[tuple[Clusters, set[str]]]) -> None:
    ledger = Ledger()
    for now, reported in nights:
        ledger.publish(now, ledger.assign(now), reported)
        items = pl.DataFrame(list(ledger.items.items()), schema=ITEMS, orient="row")
        at = {r: h for r, h in ledger.home().items() if r in now}
        for item in ledger.used:
            found = successor_item(item, ledger.assignments(), items)
            where = {ledger.items[r] for r, h in at.items() if h == item}
            assert {found} == (where or {None})
            if item in ledger.items.values():
                assert found == item


LAWS = (
    test_ids_keep_their_word,
    test_undoing_a_merge_gives_the_ids_from_before,
    test_every_id_there_ever_was_resolves_to_where_its_reports_are,
)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_often(law: Any) -> None:
    settings(lawful, max_examples=300)(given(histories())(law.hypothesis.inner_test))()
