"""The design's six laws, on whole installations: a landing zone, a ledger, a lake, nights.

`Installations` does to one installation what comes to it over the years, in any order, and holds every release against
`second_account`; the tests below it say the laws one by one. These nights are checked by what the tests know, which is
more than the release's own checks do: Great Expectations takes a second a night, so it is left out here, except in
`test_the_real_checks_pass_every_kind_of_night`.
"""

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from polars.testing import assert_frame_equal

from flows.queries import sql as asking
from flows.queries.observation_story import explain_observation
from flows.release import build as nights
from flows.release.verify import verify
from schemas.claims import BUCKETS
from schemas.errors import StoreError
from tests.support.measured_tables import assert_measured, measured
from tests.support.observation_deliveries import Home, Row, Sent, Wrapping, file_of, new_home, sendings, wrappings
from tests.support.reference_release import Account, ExpectedRelease, Item, read, release
from tests.support.seed import LAW_EXAMPLES, LIVES
from tests.support.temporary_installation import compacting, in_batches, unchecked
from transforms import identity

MANY = settings(max_examples=40, suppress_health_check=list(HealthCheck))
FEW = settings(MANY, max_examples=LAW_EXAMPLES, phases=(Phase.explicit, Phase.generate))
"""A failure is shown unshrunk: shrinking takes minutes, and `pytest -m slow` does it."""
REAL_CHECK = nights.check_staged
COMPACTING = {"always": (10**9, 0.0), "never": (0, 2.0), "by share": (0, 0.5, 1)}
"""What a night finds too small to keep, what too much retired, and how much it takes at once, at least a month."""
TABLES = ("observations", "sources", "conflicts")
several = st.lists(sendings(), min_size=1, max_size=7)
two_or_three = st.lists(sendings(), min_size=1, max_size=3)
"""What an example of every run delivers: little, so that there can be many examples."""


@pytest.fixture(autouse=True, scope="module")
def _swift() -> Iterator[None]:
    with unchecked():
        yield


NOTHING = identity.digest((0, 0, 0, 0))
"""The digest of a release that holds nothing."""
IDENTITIES: dict[str, tuple[object, ...]] = {}
"""What each id ever meant, in every installation of this run."""


def facts(home: Home) -> tuple[dict[Item, str], dict[Item, tuple[Any, ...]]]:
    """Return the ids and the facts of the current release by item; an id that means something else is a failure."""
    ids, values = {}, {}
    for row in home.table("observations").iter_rows(named=True):
        identity = tuple(
            row[c] for c in ("concept", "unit_id", "period_start", "period_end", "breakdown", "unit_measure")
        )
        assert IDENTITIES.setdefault(row["item_id"], identity) == identity
        unit = row["unit_code"] or row["unit_id"].rsplit(":", 1)[1]
        item = unit, row["period_start"].strftime("%Y-%m"), row["breakdown"].removeprefix('{"group":"')[:1]
        assert item not in ids, "an item stands twice"
        ids[item] = row["item_id"]
        value = None if row["value"] is None else Fraction(row["value"])
        values[item] = (
            row["unit_name"], value, row["decimals"], row["obs_status"], row["agreement"], row["reports"],
            row["reporters"],
        )  # fmt: skip
    assert len(set(ids.values())) == len(ids)
    return ids, values


def behind(home: Home, table: str, names: tuple[str, ...], ids: dict[Item, str]) -> dict[Any, tuple[Any, ...]]:
    """Return `sources` or `conflicts` by (submission, row, column), each with its item and these columns."""
    items = {item_id: item for item, item_id in ids.items()}
    columns = {(r["claim_id"]): r["column"] for r in home.table("sources").iter_rows(named=True)}
    statements = {}
    for row in home.table(table).iter_rows(named=True):
        submission, number, _ = row["claim_id"].rsplit("-", 2)
        statement = tuple(Fraction(row[n]) if n in {"value", "lower", "upper"} else row[n] for n in names)
        statements[submission, int(number), columns[row["claim_id"]]] = items[row["item_id"]], *statement
    assert len(statements) == home.table(table).height
    return statements


def assert_holds(home: Home, expected: ExpectedRelease) -> None:
    """Assert that the current release is what the second account says, row by row; nothing is lost."""
    ids, found = facts(home)
    assert found == expected.facts
    sources = ("reported_by", "original", "value", "decimals", "version", "relation", "chosen")
    assert behind(home, "sources", sources, ids) == expected.sources
    conflicts = ("reported_by", "value", "decimals", "lower", "upper", "outcome")
    assert behind(home, "conflicts", conflicts, ids) == expected.conflicts
    assert home.buckets() == expected.buckets
    for item in sorted(ids)[:1]:
        story = explain_observation(home.installation, ids[item]).claims
        became = {(c["submission_id"], c["row"], c["column"]): (item, c["relation"]) for c in story}
        assert became == {cell: fate for cell, fate in expected.fates.items() if fate[0] == item}


def published(home: Home) -> list[pl.DataFrame]:
    """Return what the current release publishes, apart from the number of the release in which each row changed."""
    return [*(home.table(name).drop("release") for name in TABLES), *measured(home.installation).values()]


def assert_same(one: Home, other: Home) -> None:
    assert (one.night().digest or NOTHING) == (other.night().digest or NOTHING)
    for mine, theirs in zip(published(one), published(other), strict=True):
        assert_frame_equal(mine, theirs)


def rows_of(tables: dict[str, pl.DataFrame]) -> dict[str, list[dict[str, Any]]]:
    """Return, of each item, its own row and the rows behind it."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for name in TABLES:
        for row in tables[name].iter_rows(named=True):
            rows.setdefault(row["item_id"], []).append(row)
    return rows


class Installations(RuleBasedStateMachine):
    """One installation, to which everything comes: deliveries, the same again, rewrapped, withdrawals, nights."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = contextlib.ExitStack()
        self.home = self.closing.enter_context(new_home())
        self.accounts: dict[str, Account] = {}
        self.withdrawn: set[str] = set()
        self.releases: list[tuple[dict[str, pl.DataFrame], str | None, dict[str, dict[str, int]]]] = []

    @initialize(how=st.sampled_from(sorted(COMPACTING)))
    def compacts(self, how: str) -> None:
        self.closing.enter_context(compacting(*COMPACTING[how]))

    @rule(some=st.lists(sendings(), min_size=2, max_size=6), twice=st.integers(0, 5), late=st.booleans())
    def deliver(self, some: list[Sent], twice: int, late: bool) -> None:
        self.bring(sorted([*some, some[twice % len(some)]]))  # a receive's batch is of one contract
        if late:
            self.night()

    @precondition(lambda self: self.accounts)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        self.bring([self.accounts[self._one_of(data)].sent])

    @precondition(lambda self: self.accounts)
    @rule(data=st.data(), wrapping=wrappings)
    def deliver_rewrapped(self, data: st.DataObject, wrapping: Wrapping) -> None:
        self.bring([self.accounts[self._one_of(data)].sent._replace(wrapping=wrapping)])

    @precondition(lambda self: self.accounts)
    @rule(data=st.data(), figure=st.sampled_from(("4", "61")))
    def deliver_what_replaces(self, data: st.DataObject, figure: str) -> None:
        replaced = self._one_of(data)
        sent = self.accounts[replaced].sent
        rows = tuple(row._replace(figure=figure) for row in sent.rows)
        self.bring([sent._replace(rows=rows, replaces=replaced, as_of=None)])

    @precondition(lambda self: self.accounts)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        submission = self._one_of(data)
        if self._status(submission) == "rejected":
            with pytest.raises(StoreError, match="expected one that was accepted"):
                self.home.withdraw(submission)
            return
        assert self.home.withdraw(submission) == (submission not in self.withdrawn)
        self.withdrawn.add(submission)

    def _one_of(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.accounts)))

    def bring(self, some: list[Sent]) -> None:
        before = {s: self._status(s) for s in self.accounts}
        for receipt, one in zip(self.home.deliver(some), some, strict=True):
            account = self.accounts.setdefault(receipt.submission_id, read(one, receipt.submission_id))
            assert receipt.status == before.get(receipt.submission_id, self._status(receipt.submission_id, new=True))
            counts = receipt.delivered, receipt.rejected, receipt.ignored, receipt.claims
            assert counts == (account.delivered, account.rejected, account.ignored, len(account.claims))
            self.withdrawn.discard(receipt.submission_id)
            before[receipt.submission_id] = self._status(receipt.submission_id)

    def _status(self, submission: str, *, new: bool = False) -> str:
        account = self.accounts[submission]
        if account.rejected and not account.claims:
            return "rejected"
        if submission in self.withdrawn:
            return "restored"
        return "registered" if new else "redelivered"

    @rule()
    def night(self) -> None:
        done = self.home.night()
        expected = release(self.accounts, self.withdrawn)
        if done.release is None or not done.published:
            current = self.releases[-1][1] if self.releases else None
            assert (done.release or 0, done.digest) == (len(self.releases), current)
            assert facts(self.home)[1] == expected.facts
            return
        self.releases.append(({name: self.home.table(name) for name in TABLES}, done.digest, expected.buckets))
        assert_holds(self.home, expected)
        assert_measured(self.home.installation)
        assert done.release == len(self.releases)
        assert done.counts["items"] == len(expected.facts)
        for bucket in BUCKETS:
            assert done.counts.get(f"rows_{bucket}", 0) == sum(b.get(bucket, 0) for b in expected.buckets.values())
        self._assert_untouched(done.release)

    def _assert_untouched(self, number: int) -> None:
        """Assert that `changes` tells what changed since the release before, and that all else keeps its very rows.

        The first release has none before it and changes nothing.
        """
        before, after = ({} if n < 0 else rows_of(self.releases[n][0]) for n in (number - 2, number - 1))
        own = self.home.table("changes").filter(pl.col("release") == number)
        changes = dict(own.select("item_id", "change").iter_rows())
        assert len(changes) == own.height
        if number == 1:
            assert not changes
            before = after
        for item in {*before, *after, *changes}:
            if item in changes:
                assert changes[item] == ("added" if item not in before else "changed" if item in after else "removed")
                assert before.get(item) != after.get(item), "an item that is reported as changed differs"
                assert all(row["release"] == number for row in after.get(item, ()))
            else:
                assert after[item] == before[item]

    @precondition(lambda self: len(self.releases) > 1)
    @rule(data=st.data())
    def read_an_old_release(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, len(self.releases)))
        for name, table in self.releases[number - 1][0].items():
            assert_frame_equal(self.home.table(name, number), table)
            counted = asking.query(self.home.installation, f"SELECT count(*) AS n FROM {name}", number)  # noqa: S608
            assert counted["n"].item() == table.height

    def teardown(self) -> None:
        with self.closing:
            self.night()
            for number, (tables, _, buckets) in enumerate(self.releases, 1):
                for name, table in tables.items():
                    assert_frame_equal(self.home.table(name, number), table)
                assert self.home.buckets(number) == buckets
            assert not self.releases or verify(self.home.installation).same


@pytest.mark.parametrize(("lives", "steps"), [(LIVES, 2), pytest.param(LAW_EXAMPLES, 6, marks=pytest.mark.thorough)])
def test_all_that_comes_to_an_installation_is_as_the_reference_has_it(lives: int, steps: int) -> None:
    run_state_machine_as_test(Installations, settings=settings(FEW, max_examples=lives, stateful_step_count=steps))


@pytest.mark.slow
def test_much_that_comes_to_an_installation_is_as_the_reference_has_it() -> None:
    run_state_machine_as_test(Installations, settings=settings(MANY, max_examples=100, stateful_step_count=20))


def report(contract: str, sender: str, *rows: tuple[str, str], version: str = "", action: str = "") -> Sent:
    """Return a delivery about Oslo in January: (group, figure) a row."""
    rows_of_report = [Row("0301", "2024-01", group, figure, figure, "", version, action) for group, figure in rows]
    return Sent(contract, sender, tuple(rows_of_report))


KNOWN = {
    "the later of two deliveries without a version corrects the earlier, item by item": (
        [report("samlet", "anna", ("a", "5"), ("b", "5"))],
        [report("samlet", "anna", ("a", "6"))],
        [report("samlet", "berit", ("a", "6"))],
    ),
    "a withdrawal needs no figure": (
        [report("linjer", "anna", ("a", "5")), report("melding", "berit", ("a", "5"), ("b", "6"))],
        [report("linjer", "anna", ("a", ""), action="trekk"), report("melding", "berit", ("b", ""), action="trekk")],
        [Sent("skjema", "anna", (Row("0301", "2024-01", "", "", "4", action="trekk"),))],
    ),
    "what is stated after a withdrawal counts": (
        [report("linjer", "anna", ("a", "5"))],
        [report("linjer", "anna", ("a", "5"), action="trekk")],
        [report("linjer", "anna", ("a", "4"))],
        [report("linjer", "anna", ("a", "9"), action="erstatt")],
    ),
    "a file that replaces and withdraws in one version withdraws": (
        [report("linjer", "anna", ("a", "5"), version="1")],
        [Sent("linjer", "anna", (
            Row("0301", "2024-01", "a", "6", version="2", action="erstatt"),
            Row("0301", "2024-01", "a", "6", version="2", action="trekk"),
        ))],
    ),
    "nobody withdraws or corrects what another has stated": (
        [report("linjer", "anna", ("a", "5"), version="1"), report("melding", "anna", ("b", "5"), version="1")],
        [report("linjer", "berit", ("a", "5"), version="2", action="trekk")],
        [report("melding", "berit", ("b", "5"), version="2", action="trekk")],
    ),
    "a claim that a claim of another item superseded stays so when its own item is touched": (
        [report("melding", "berit", ("a", "5"), version="1")],
        [report("melding", "berit", ("b", "6"), version="2")],
        [report("melding", "anna", ("a", "7"), version="1")],
    ),
    "an item that a correction no longer names keeps the claims of others": (
        [report("melding", "anna", ("a", "5"), ("b", "5"), version="1"), report("rettelse", "berit", ("b", "5"))],
        [report("melding", "anna", ("a", "6"), version="2")],
    ),
    "what was withdrawn by the report comes back with a later version": (
        [report("melding", "anna", ("a", "5"), version="1")],
        [report("melding", "anna", ("a", "5"), version="1", action="trekk")],
        [report("melding", "anna", ("a", "4"), version="2")],
        [report("melding", "anna", ("a", "9"), version="1", action="erstatt")],
    ),
    "a withdrawal takes out a replacement of the same version": (
        [report("melding", "anna", ("a", "5"), version="1")],
        [report("melding", "anna", ("a", "6"), version="1", action="erstatt")],
        [report("melding", "anna", ("a", "6"), version="1", action="trekk")],
    ),
    "a sum of lines of two accuracies is as exact as the least exact of them, and is in conflict under its first": (
        [
            Sent(
                "melding",
                "anna",
                (Row("0301", "2024-01", "a", "5", accuracy="-1"), Row("0301", "2024-01", "a", "6", accuracy="1")),
                Wrapping(quoted=True),
            )
        ],
        [report("samlet", "berit", ("a", "1"))],
        [report("rettelse", "berit", ("a", "30"))],
    ),
    "of two reporters in one row the one that is ranked first stands": (
        [report("samlet", "anna", ("a", "4"))],
        [Sent("samlet", "berit", (Row("0301", "2024-01", "a", "5", "6"), Row("0301", "2024-01", "b", "", "6")))],
        [report("melding", "anna", ("b", "61"))],
    ),
    "a cell of a table that is rejected costs its own figure, and the row of it counts as rejected": (
        [Sent("tabell", "anna", (Row("0301", "2024-01", "", "5", "many"), Row("1120", "2024-01", "", "", "6")))],
        [Sent("tabell", "anna", (Row("0301", "2024-01", "", "4", ""), Row("1120", "2024-01", "", "", "")))],
    ),
    "a sum of cells that lacks a rejected one is withheld, and the sums of the other column stand": (
        [Sent("skjema", "anna", (Row("0301", "2024-01", "", "5", "6"), Row("0301", "2024-01", "", "4", "many")))],
        [Sent("linjer", "berit", (Row("0301", "2024-01", "b", "9"), Row("0301", "2024-01", "c", "6")))],
        [Sent("skjema", "anna", (Row("0301", "2024-01", "", "1", "2", version="2", action="trekk"),))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("nightly", KNOWN.values(), ids=KNOWN)
def test_known_cases(nightly: tuple[list[Sent], ...]) -> None:
    with compacting(*COMPACTING["never"]):
        installation = Installations()
        for sent in nightly:
            installation.bring(sent)
            installation.night()
        installation.teardown()


def test_the_real_checks_pass_every_kind_of_night(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    monkeypatch.setattr(nights, "check_staged", lambda *arguments: ran.append(REAL_CHECK(*arguments)) or ran[-1])
    every = [sent for nightly in KNOWN.values() for few in nightly for sent in few]
    with new_home() as home:
        for few in (every[:5], every[5:]):
            home.deliver(few)
            assert home.night().counts["items"]
        ids = {r.submission_id for r in home.deliver(every)}
        for submission in ids:
            home.withdraw(submission)
        assert home.night().counts["items"] == 0
        home.deliver(every)
        assert home.night().release == 4
    tables = [{finding.table for finding in findings} for findings in ran]
    assert all({*TABLES, "changes"} <= found for found in tables[1:2])
    assert all(finding.success for findings in ran for finding in findings)


class Once(NamedTuple):
    """An installation to which all was delivered at once, and that has published it."""

    home: Home
    submissions: set[str]
    night: nights.Night


def incremental_is_full_in_any_order(once: Once, sent: list[Sent], rng: random.Random) -> None:
    """Bring all in any order and any batches, with nights in between, compacting or not: as at once, and as rebuilt."""
    with compacting(*COMPACTING[rng.choice(sorted(COMPACTING))]), new_home() as other:
        for few in in_batches(sent, rng):
            other.deliver(few)
            if rng.random() < 0.6:
                other.night()
        assert_same(once.home, other)
        assert other.night().release is None or verify(other.installation).same


def twice_is_once(once: Once, sent: list[Sent], rng: random.Random) -> None:
    """Deliver all again, in another order, and let the night come again: nothing is new."""
    home, before = once.home, once.night
    tables = published(home)
    again = home.deliver(rng.sample(sent, len(sent)))
    assert {r.submission_id for r in again} == once.submissions
    assert {r.status for r in again} <= {"redelivered", "rejected"}
    after = home.night()
    assert (after.published, after.release, after.digest) == (False, before.release, before.digest)
    for mine, theirs in zip(published(home), tables, strict=True):
        assert_frame_equal(mine, theirs)


def undo_is_exact(once: Once, sent: list[Sent], rng: random.Random) -> None:
    """Withdraw some: as if they had never come. Deliver them again: as if they had never left."""
    undone = rng.sample(sent, rng.randint(1, len(sent)))
    home = once.home
    with new_home() as never:
        whole, tables = once.night.digest, published(home)
        withdrawn = {r.submission_id for r in home.deliver(undone) if r.status != "rejected"}
        for submission in withdrawn:
            assert home.withdraw(submission)
        never.deliver(one for one in sent if file_of(one) not in map(file_of, undone))
        assert_same(home, never)
        assert {r.submission_id for r in home.deliver(undone) if r.status == "restored"} == withdrawn
        assert home.night().digest == whole
        for mine, theirs in zip(published(home), tables, strict=True):
            assert_frame_equal(mine, theirs)


def ids_keep_their_word(once: Once, sent: list[Sent], rng: random.Random) -> None:
    """Who says it, in which form, scale and file, is no part of an id; a row that nothing touched stays as it is."""
    others = {"anna": "berit", "berit": "anna"}
    one = once.home
    with new_home() as other:
        other.deliver(s._replace(sender=others[s.sender], wrapping=Wrapping(rng.randint(0, 9), bom=True)) for s in sent)
        other.night()
        assert facts(one)[0] == facts(other)[0]
        before = rows_of({name: one.table(name) for name in TABLES})
        far = Row("1120", "2031-05", "b", "7")
        one.deliver([Sent("rettelse", "anna", (far,))])
        one.night()
        after = rows_of({name: one.table(name) for name in TABLES})
        assert {item: after[item] for item in before} == before
        assert len(after) == len(before) + 1


Law = Callable[[Once, list[Sent], random.Random], None]
LAWS: tuple[Law, ...] = (incremental_is_full_in_any_order, twice_is_once, undo_is_exact, ids_keep_their_word)
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
@given(sent=two_or_three, law=st.sampled_from(LAWS), rng=st.randoms(use_true_random=False))
def test_a_law(sent: list[Sent], law: Law, rng: random.Random) -> None:
    hold([law], sent, rng)


@pytest.mark.thorough
@FEW
@given(sent=two_or_three, rng=st.randoms(use_true_random=False))
def test_laws(sent: list[Sent], rng: random.Random) -> None:
    hold(LAWS, sent, rng)


@pytest.mark.slow
@MANY
@given(sent=several, rng=st.randoms(use_true_random=False))
def test_laws_often(sent: list[Sent], rng: random.Random) -> None:
    hold(LAWS, sent, rng)
