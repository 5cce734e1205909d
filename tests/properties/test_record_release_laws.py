"""The design's six laws for records, on whole installations: deliveries, decisions, models, nights.

`Incidents` does to one installation what comes to it over the years, and compares every release with one that is
rebuilt of the same, and with the rule of `reference_clustering`, slowly over all pairs. Great Expectations takes a
second a night, so it is left out, except in `test_the_real_checks_pass`.
"""

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from flows.release import build as nights
from flows.release.verify import verify
from infra.ledger import decisions as ledger_decisions
from infra.ledger import records as ledger_records
from infra.ledger import submissions as ledger_submissions
from schemas.errors import UsageError
from tests.support.incident_deliveries import (
    Home,
    Row,
    Sent,
    Wrapping,
    made_from_scratch,
    many,
    new_home,
    report_id,
    sendings,
    wrappings,
)
from tests.support.reference_incidents import published, resolved_slowly
from tests.support.seed import LAW_EXAMPLES, LIVES
from tests.support.temporary_installation import compacting, in_batches, unchecked

MANY = settings(max_examples=80, suppress_health_check=list(HealthCheck))
FEW = settings(MANY, max_examples=LAW_EXAMPLES, phases=(Phase.explicit, Phase.generate))
"""A failure is shown unshrunk: shrinking takes minutes, and `pytest -m slow` does it."""
REAL_CHECK = nights.check_staged
COMPACTING = {"always": (10**9, 0.0), "never": (0, 2.0)}
"""What a night finds too small to keep, what too much retired."""
several = st.lists(sendings(), min_size=3, max_size=8)
three_or_four = st.lists(sendings(), min_size=3, max_size=4)
"""What an example of every run delivers: little, so that there can be many examples."""


@pytest.fixture(autouse=True, scope="module")
def _swift() -> Iterator[None]:
    with unchecked():
        yield


# What comes to an installation over the years


class Incidents(RuleBasedStateMachine):
    """One installation: deliveries, corrections, withdrawals, decisions, models, nights.

    Every release is compared with the reference and with the release before; the last one also with one that is
    rebuilt, in another installation or, by `verify`, in this one.
    """

    always_rebuilt = False
    """Whether every release is compared with one that is rebuilt in another installation, and the last one twice."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = contextlib.ExitStack()
        self.home = self.closing.enter_context(new_home())
        self.sent: list[Sent] = []
        self.submissions: set[str] = set()
        self.decisions: set[int] = set()
        self.other = False
        self.ids: dict[frozenset[str], str] = {}
        self.rows: dict[str, Any] = {}
        self.ever: dict[str, set[str]] = {}
        self.release = 0
        self.digest: str | None = None
        self.verified = True

    @initialize(
        how=st.sampled_from(sorted(COMPACTING)),
        verified=st.booleans(),
        some=st.lists(sendings(), min_size=4, max_size=6),
    )
    def begin(self, how: str, verified: bool, some: list[Sent]) -> None:
        self.verified = verified
        self.closing.enter_context(compacting(*COMPACTING[how]))
        self.bring(some)
        self.night()

    @rule(some=st.lists(sendings(), min_size=1, max_size=4), late=st.booleans())
    def deliver(self, some: list[Sent], late: bool) -> None:
        self.bring(sorted(some, key=lambda s: s.contract))
        if late:
            self.night()

    @rule(data=st.data(), wrapping=wrappings)
    def deliver_rewrapped(self, data: st.DataObject, wrapping: Wrapping) -> None:
        self.bring([data.draw(st.sampled_from(self.sent))._replace(wrapping=wrapping)])

    @precondition(lambda self: self.submissions)
    @rule(data=st.data(), late=st.booleans())
    def withdraw(self, data: st.DataObject, late: bool) -> None:
        self.home.withdraw(data.draw(st.sampled_from(sorted(self.submissions))))
        if late:
            self.night()

    @rule(data=st.data(), verdict=st.sampled_from(("same", "same", "different", "unsure")))
    def decide(self, data: st.DataObject, verdict: str) -> None:
        known = self.home.known_reports()
        with contextlib.suppress(UsageError):  # of one reporter: they are two items, always
            self.decisions.add(self.home.decide(*(data.draw(st.sampled_from(known)) for _ in range(2)), verdict))

    @precondition(lambda self: self.decisions)
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        decision = data.draw(st.sampled_from(sorted(self.decisions)))
        self.home.take_back(decision)
        self.decisions.remove(decision)

    @rule()
    def another_model(self) -> None:
        self.other = not self.other
        self.home.pin(other=self.other)

    def bring(self, some: list[Sent]) -> None:
        receipts = self.home.deliver(some)
        self.sent += some
        self.submissions |= {r.submission_id for r in receipts if r.status != "rejected"}

    @rule()
    def night(self) -> None:
        done = self.home.night()
        if not done.published:
            return
        self.release += 1
        assert done.release == self.release
        ids = self.home.ids()
        assert set(ids) == resolved_slowly(self.home, other=self.other)
        self._assert_ids(ids)
        self._assert_untouched()
        self.digest = done.digest
        if self.always_rebuilt:
            self._assert_as_rebuilt()

    def _assert_as_rebuilt(self) -> None:
        with made_from_scratch(self.home, self.sent, other=self.other) as (rebuilt, done):
            assert published(self.home) == published(rebuilt)
            assert self.digest == done.digest

    def _assert_ids(self, ids: dict[frozenset[str], str]) -> None:
        """See that an item whose reports are the same keeps its id, and that no id names another's item."""
        assert {r: i for r, i in ids.items() if r in self.ids} == {r: i for r, i in self.ids.items() if r in ids}
        for reports, item in ids.items():
            assert item not in self.ever or self.ever[item] & reports
            self.ever.setdefault(item, set()).update(reports)
        self.ids = ids

    def _assert_untouched(self) -> None:
        """See that `changes` names what changed since the release before, and that all else keeps its very rows."""
        rows: dict[str, list[Any]] = {}
        for name in ("incident", "incident_sources", "incident_conflicts"):
            for row in self.home.table(name).iter_rows(named=True):
                rows.setdefault(row["item_id"], []).append(row)
        own = self.home.table("incident_changes").filter(pl.col("release") == self.release)
        changes = dict(own.select("item_id", "change").iter_rows())
        if self.release > 1:
            for item in {*rows, *self.rows, *changes}:
                if item not in changes:
                    assert rows[item] == self.rows[item]
                    continue
                change = "removed" if item not in rows else "changed" if item in self.rows else "added"
                assert changes[item] == change
                assert {row["release"] for row in rows.get(item, ())} <= {self.release}
        self.rows = rows

    def teardown(self) -> None:
        with self.closing:
            self.night()
            if self.release and not (self.always_rebuilt or self.verified):
                self._assert_as_rebuilt()
            if self.release and (self.always_rebuilt or self.verified):
                assert verify(self.home.installation).same


class IncidentsRebuiltEveryNight(Incidents):
    """The same, slower."""

    always_rebuilt = True


@pytest.mark.parametrize(("lives", "steps"), [(LIVES, 1), pytest.param(LAW_EXAMPLES, 3, marks=pytest.mark.thorough)])
def test_whatever_comes_is_as_rebuilt_and_as_the_reference(lives: int, steps: int) -> None:
    run_state_machine_as_test(Incidents, settings=settings(FEW, max_examples=lives, stateful_step_count=steps))


@pytest.mark.slow
def test_much_that_comes_is_as_rebuilt_and_as_the_reference() -> None:
    run_state_machine_as_test(
        IncidentsRebuiltEveryNight, settings=settings(MANY, max_examples=40, stateful_step_count=14)
    )


def near(numbers: str, day: str = "2024-01-01", place: str = "Vik", speed: str = "10") -> tuple[Row, ...]:
    """Return reports that are alike, one of each reporter a, b, c, ... in the order of the numbers."""
    return tuple(Row(n, body, place, day, speed) for n, body in zip(numbers, "abcdefgh", strict=False))


def test_a_block_grows_over_the_limit_and_shrinks_again() -> None:
    """Three pairs in one block of six: none is found by it; one report less, and those that are left are."""
    machine = Incidents()
    with compacting(*COMPACTING["never"]):
        machine.bring([Sent(near("12", speed="10")), Sent(near("34", speed="20"))])
        machine.night()
        assert sorted(map(len, machine.ids)) == [2, 2]
        crowd = Sent((Row("5", "e"), Row("6", "f")))
        machine.bring([crowd])
        machine.night()
        assert sorted(map(len, machine.ids)) == [1] * 6
        warnings = ledger_records.read_record_warnings(machine.home.installation.engine, machine.release)
        assert sorted(warnings.select("detail", "count").rows()) == [
            ("day = 2024-01-01", 6), ("place + month of day = vik, 2024-01", 6),
        ]  # fmt: skip
        machine.bring([Sent((Row("6", "f", version="1", action="trekk"),))])
        machine.night()
        assert max(map(len, machine.ids)) > 1
        machine.teardown()


def test_a_report_that_was_withdrawn_as_it_came_renames_no_item_that_it_joins_later() -> None:
    """It was counted first, and its id is the least; but the item was published before it ever stood."""
    one, other = sorted(near("12"), key=report_id)
    with new_home() as home:
        home.deliver([Sent((one, one._replace(version="1", action="trekk"))), Sent((Row("9", place="Bø"),))])
        home.night()
        assignments = ledger_records.read_item_assignments(home.installation.engine, "incident")
        assert assignments.rows() == [(report_id(one), "", 1)]  # who stands as it comes is at home without a row
        home.deliver([Sent((other,))])
        home.night()
        home.deliver([Sent((one._replace(version="2"),))])
        home.night()
        assert home.ids()[frozenset(map(report_id, (one, other)))] == report_id(other)
        assert home.table("incident_history").is_empty()


def test_a_founder_that_a_correction_brings_back_elsewhere_leaves_its_id_to_the_item_it_founded() -> None:
    founder, other = sorted(near("12"), key=report_id)
    with new_home() as home:
        home.deliver([Sent((founder, other))])
        home.night()
        home.deliver([Sent((founder._replace(version="1", action="trekk"),))])
        home.night()
        home.deliver([Sent((founder._replace(version="2", place="Bø", day="2024-06-01"),))])
        home.night()
        ids = home.ids()
        assert ids.pop(frozenset({report_id(other)})) == report_id(founder)
        ((alone, item),) = ids.items()
        assert alone == {report_id(founder)}
        assert item not in alone
        decision = home.decide(item, report_id(other), "different")  # the item's id is no report's: it stands for one
        events = ledger_decisions.read_decisions(home.installation.engine).filter(id=decision)
        assert set(events.select("a", "b").row(0)) == {report_id(founder), report_id(other)}


# The laws, one by one


class Once(NamedTuple):
    """An installation to which all was delivered at once, and that has published it."""

    home: Home
    submissions: set[str]
    night: nights.Night


def the_same(one: Home, other: Home) -> None:
    assert one.night().digest == other.night().digest
    assert published(one) == published(other)


def in_any_order(sent: list[Sent], once: Home, chance: random.Random, share: float = 0.5) -> None:
    """Bring all in another order and other batches, with nights in between: as all at once."""
    with new_home() as other:
        for few in in_batches(sent, chance):
            other.deliver(few)
            if chance.random() < share:
                other.night()
        the_same(once, other)


def assert_orders(number: int, reports: int) -> None:
    chance = random.Random(20261122)
    sent = many(reports, chance)
    with new_home() as once:
        once.deliver(sent)
        assert once.night().counts["incident"] > reports / 4
        assert max(map(len, once.together())) > 2
        for seen in range(1, number + 1):
            in_any_order(sent, once, chance, share=0.3)
            print(f"{seen} orders of {reports} reports: one digest")  # shown by `pytest -s`


def test_a_few_orders_of_some_hundred_reports_are_one_digest() -> None:
    assert_orders(2, 60)


@pytest.mark.slow
def test_two_hundred_orders_of_some_hundred_reports_are_one_digest() -> None:
    assert_orders(200, 300)


def twice_is_once(once: Once, sent: list[Sent], rng: random.Random) -> None:
    """Deliver all again, in another order, and let the night come again: nothing is new."""
    home, before = once.home, once.night
    rows, ids = published(home), home.ids()
    again = home.deliver(rng.sample(sent, len(sent)))
    assert {r.submission_id for r in again} == once.submissions
    after = home.night()
    assert (after.published, after.release, after.digest) == (False, before.release, before.digest)
    assert (published(home), home.ids()) == (rows, ids)


def undo_is_exact(_: Once, sent: list[Sent], rng: random.Random) -> None:
    """Do one thing and undo it, nights between: the digest, the rows and the ids are those from before."""
    with compacting(*COMPACTING[rng.choice(sorted(COMPACTING))]), new_home() as home:
        home.deliver(sent[:-2])
        home.night()
        home.deliver(sent[-2:-1])
        digest, rows, ids = home.night().digest, published(home), home.ids()
        do = rng.choice((_some_leave, _one_comes, _same, _different))
        undo = do(home, sent, rng)
        home.night()
        undo()
        assert home.night().digest == digest
        assert (published(home), home.ids()) == (rows, ids)


def _some_leave(home: Home, _: list[Sent], rng: random.Random) -> Callable[[], object]:
    live = (
        ledger_submissions.read_submissions(home.installation.engine).filter(status="live")["submission_id"].to_list()
    )
    leaving = rng.sample(live, rng.randint(0, len(live)))
    for submission in leaving:
        home.withdraw(submission)
    return lambda: [ledger_submissions.set_status(home.installation.engine, s, "live") for s in leaving]


def _one_comes(home: Home, sent: list[Sent], _: random.Random) -> Callable[[], object]:
    new = [r.submission_id for r in home.deliver([sent[-1]]) if r.status == "registered"]
    return lambda: [home.withdraw(s) for s in new]


def _same(home: Home, _: list[Sent], rng: random.Random, verdict: str = "same") -> Callable[[], object]:
    known, made = home.known_reports(), set()
    for _try in range(3 if known else 0):
        with contextlib.suppress(UsageError):
            made.add(home.decide(rng.choice(known), rng.choice(known), verdict))
    return lambda: [home.take_back(d) for d in made]


def _different(home: Home, sent: list[Sent], rng: random.Random) -> Callable[[], object]:
    return _same(home, sent, rng, "different")


def decisions_commute(once: Once, sent: list[Sent], rng: random.Random) -> None:
    """Decide in one order or the other, before or after a night: one digest."""
    with new_home() as one:
        one.deliver(sent)
        known = one.known_reports()
        drawn = [(*rng.choices(known, k=2), rng.choice(("same", "different"))) for _ in range(3)] if known else []
        for home, decisions in ((one, drawn), (once.home, rng.sample(drawn, len(drawn)))):
            for decision in decisions:
                with contextlib.suppress(UsageError):
                    home.decide(*decision)
                if rng.random() < 0.3:
                    home.night()
        the_same(one, once.home)


def order_does_not_matter(once: Once, sent: list[Sent], rng: random.Random) -> None:
    """All at once, and a few a night in any order."""
    with compacting(*COMPACTING[rng.choice(sorted(COMPACTING))]):
        in_any_order(sent, once.home, rng, share=0.8)


Law = Callable[[Once, list[Sent], random.Random], None]
LAWS: tuple[Law, ...] = (twice_is_once, undo_is_exact, order_does_not_matter, decisions_commute)
"""The last one changes what was delivered once, for good."""


def hold(laws: Sequence[Law], sent: list[Sent], rng: random.Random) -> None:
    """See that laws hold for some deliveries; they are published once for all laws."""
    with new_home() as home:
        submissions = {r.submission_id for r in home.deliver(sent)}
        once = Once(home, submissions, home.night())
        for law in laws:
            note(law.__name__)
            law(once, sent, rng)


@FEW
@given(sent=three_or_four, law=st.sampled_from(LAWS), rng=st.randoms(use_true_random=False))
def test_a_law(sent: list[Sent], law: Law, rng: random.Random) -> None:
    hold([law], sent, rng)


@pytest.mark.thorough
@FEW
@given(sent=three_or_four, rng=st.randoms(use_true_random=False))
def test_laws(sent: list[Sent], rng: random.Random) -> None:
    hold(LAWS, sent, rng)


@pytest.mark.slow
@MANY
@given(sent=several, rng=st.randoms(use_true_random=False))
def test_laws_often(sent: list[Sent], rng: random.Random) -> None:
    hold(LAWS, sent, rng)


def test_the_real_checks_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    monkeypatch.setattr(nights, "check_staged", lambda *arguments: ran.append(REAL_CHECK(*arguments)) or ran[-1])
    sent = many(30, random.Random(5))
    with new_home() as home:
        for few in (sent[:6], sent[6:]):
            ids = {r.submission_id for r in home.deliver(few)}
            assert home.night().counts["incident"]
        for submission in ids:
            home.withdraw(submission)
        assert home.night().release == 3
    assert {"incident", "incident_sources", "incident_conflicts"} <= {finding.table for finding in ran[1]}
    assert all(finding.success for findings in ran for finding in findings)
