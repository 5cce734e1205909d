"""The storm: night after night in which something goes wrong, each release held against the second account."""

import random
import threading
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from polars.exceptions import PanicException

from flows import pipeline as steps
from flows.installation import Installation
from flows.intake import arrivals as intake
from flows.intake import worker
from flows.intake.registration import withdraw
from infra.inbox import work_queue as inbox
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.ledger.releases import Release
from schemas.errors import EngangError
from tests.proof import draws, faults, oracle
from tests.proof.draws import sending
from tests.proof.faults import Disk, Fate
from tests.proof.servers import FaultyS3, Postgres
from tests.proof.worlds import World, new_world, register, submission_of
from tests.support import reference_release
from tests.support.observation_deliveries import Sent
from transforms.register.lookup import Register

CLEAN = (EngangError, OSError)
"""How a night may fail: with one of our errors, or an error of the system about a file."""
REPORT_EVERY = 4
"""A storm takes long: after so many installations it tells how it goes."""
ROUNDS = 8
"""How often a quiet worker goes on until nothing waits: what failed before is claimed in small parts."""


@dataclass
class Figures:
    """What the storm did, and what came of it."""

    nights: int = 0
    published: int = 0
    nothing_new: int = 0
    failed: int = 0
    unclean: Counter[str] = field(default_factory=Counter)
    drawn: Counter[str] = field(default_factory=Counter)
    http: Counter[str] = field(default_factory=Counter)
    installations: int = 0
    rebuilt: int = 0
    deliveries: int = 0
    withdrawn: int = 0
    parked: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    wrong: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)

    def report(self, name: str) -> None:
        """Print them."""
        print(
            f"\nstorm on {name}: {self.nights} nights in {self.installations} installations, {self.seconds:.0f} s "
            f"({self.cpu:.0f} s of this process's own): "
            f"{self.published} published, {self.nothing_new} with nothing new, {self.failed} failed cleanly, "
            f"{self.unclean.total()} otherwise {dict(self.unclean)}; {len(self.wrong)} wrong releases\n"
            f"  {self.deliveries} deliveries, {self.withdrawn} withdrawals, {self.parked} parked meanwhile; "
            f"{self.rebuilt} rebuilt from their deliveries and the same\n"
            f"  drawn: {dict(self.drawn.most_common())}\n  requests: {dict(self.http)}",
            flush=True,
        )
        for line in [*self.wrong[:5], *self.traces[:3]]:
            print(line, flush=True)


@dataclass
class Storm:
    """Nights in which something goes wrong, in installations that live a few nights each."""

    folder: Path
    kind: str
    seed: int
    s3: FaultyS3 | None = None
    server: Postgres | None = None
    disk: Disk | None = None
    lake: Path | None = None
    """The folder of lakes, if they are not where the rest is."""
    figures: Figures = field(default_factory=Figures)
    register: Register = field(default_factory=register)

    def run(self, nights: int, each: int = 16) -> Figures:
        """Let so many nights pass."""
        began, spent = time.monotonic(), time.process_time()
        with faults.hurried():
            while self.figures.nights < nights:
                number = self.figures.installations
                self.figures.installations += 1
                life = Life(self, f"storm-{self.seed}-{number}", random.Random(f"{self.seed} {self.kind} {number}"))
                life.live(min(each, nights - self.figures.nights))
                self.figures.seconds, self.figures.cpu = time.monotonic() - began, time.process_time() - spent
                if number % REPORT_EVERY == REPORT_EVERY - 1:
                    self.figures.report(f"{self.kind}, so far")
        return self.figures


class Life:
    """One installation of the storm."""

    def __init__(self, storm: Storm, name: str, chance: random.Random) -> None:
        self.storm, self.figures, self.chance, self.name = storm, storm.figures, chance, name
        lake = storm.lake and storm.lake / name
        name = f"{name}-{uuid.uuid4().hex[:6]}"  # a bucket of its own, separate from earlier storms
        self.world: World = new_world(storm.folder / name, storm.register, storm.s3, storm.server, lake)
        self.reader = self.world.opened[0]
        self.hosts = [self.world.open(), self.world.open()]
        self.sent: dict[str, Sent] = {}
        self.puts: Counter[str] = Counter()
        self.withdrawn: set[str] = set()

    def live(self, nights: int) -> None:
        """Live through the nights, and a quiet one in the end."""
        for number in range(nights):
            self.senders()
            self.night(faults.draw(self.chance), number)
        self.quiet()
        self.world.close()

    def senders(self) -> None:
        """Deliver new and old things; withdraw some."""
        for _ in range(self.chance.randint(1, 3)):
            again = self.sent and self.chance.random() < 0.2
            sent = self.chance.choice(list(self.sent.values())) if again else sending(self.chance)
            if again and self.chance.random() < 0.5:
                sent = sent._replace(wrapping=draws.wrapping(self.chance))
            self.deliver(sent)
        if self.chance.random() < 0.25:
            self.withdraw()

    def deliver(self, sent: Sent) -> None:
        name = submission_of(sent)
        self.sent[name] = sent
        self.puts[name] += 1
        self.withdrawn.discard(name)
        self.world.put(sent)
        self.figures.deliveries += 1

    def withdraw(self) -> None:
        """Withdraw a submission all of whose deliveries are worked off: else the last one would bring it back."""
        done = Counter(submission for status, submission in self.world.inbox() if status == "done")
        live = ledger_submissions.read_submissions(self.reader.engine, columns=["submission_id"], status="live")[
            "submission_id"
        ]
        may = sorted(s for s in live if done[s] == self.puts[s])
        if may:
            name = self.chance.choice(may)
            withdraw(self.reader, name)
            self.withdrawn.add(name)
            self.figures.withdrawn += 1

    def night(self, fate: Fate, number: int) -> None:
        """Let one night pass under its fate, and look at the release it leaves."""
        if self.storm.disk is None:
            fate = faults.without_disk(fate)
        self.world.pass_time()
        before = ledger_releases.current_release(self.reader.engine)
        self.world.mangle(self.chance, fate.lost, fate.doubled, shuffled=fate.shuffled)
        errors: list[BaseException] = []
        with ExitStack() as stack:
            stack.enter_context(faults.clock(fate.clock))
            stack.enter_context(self.storm.disk.full(fate.disk) if self.storm.disk else ExitStack())
            http = stack.enter_context(faults.requests(self.storm.s3, fate, hash((self.storm.seed, number))))
            failed = stack.enter_context(faults.database(self.storm.server, self.world.database, fate))
            self.act(fate, errors)
        self.figures.http.update(http)
        self.figures.drawn.update(fate.names(s3=self.storm.s3 is not None, database=bool(failed)))
        for host in self.world.opened:
            host.engine.dispose()  # sessions that were ended are not asked again
        self.count(before, errors)
        self.look(f"{self.name}, night {number}, {fate}")

    def act(self, fate: Fate, errors: list[BaseException]) -> None:
        """Do a night's work on one host or on two."""
        first, second = self.hosts
        works = {None: [], "nightly": [lambda: self.work(second, "b")], "claim": [lambda: self.claim(second, "b")]}
        threads = [threading.Thread(target=_caught, args=(work, errors)) for work in works[fate.together]]
        for thread in threads:
            thread.start()
        _caught(lambda: self.work(first, "a"), errors)
        for thread in threads:
            thread.join()

    def claim(self, host: Installation, name: str) -> None:
        """Hear what the queue tells, or look into the folder, and work off what waits."""
        if host.settings.queue is not None:
            intake.receive_notifications(host)
        else:
            intake.reconcile_arrivals(host)
        worker.process_inbox(host, f"{name}-{self.figures.nights}", lambda _: None)

    def work(self, host: Installation, name: str) -> None:
        """Do what a host does in a night; what is heard and claimed before it may fail, the night goes on."""
        try:
            self.claim(host, name)
        finally:
            steps.nightly(host, export="never")

    def count(self, before: Release | None, errors: list[BaseException]) -> None:
        """Count how the night ended."""
        self.figures.nights += 1
        after = ledger_releases.current_release(self.reader.engine)
        if (after or {}).get("release") != (before or {}).get("release"):
            self.figures.published += 1
        elif errors:
            self.figures.failed += 1
        else:
            self.figures.nothing_new += 1
        for error in errors:
            if not isinstance(error, CLEAN):
                self.figures.unclean[type(error).__name__] += 1
                self.figures.traces.append("".join(traceback.format_exception(error))[-1500:])

    def look(self, where: str) -> None:
        """See that the current release is what it counts, and counts nothing that was withdrawn."""
        release = ledger_releases.current_release(self.reader.engine)
        if release is None:
            return
        mine = oracle.counted(self.reader)
        accounts = {name: reference_release.read(self.sent[name], name) for name in mine}
        problems = oracle.wrong(self.reader, accounts, release)
        if problems:
            self.figures.wrong.append(f"{where}: release {release['release']}: " + "; ".join(problems[:4]))

    def quiet(self) -> None:
        """Let a quiet night come: all that was delivered and not withdrawn is published."""
        name = f"{self.name}, the quiet night"
        self.figures.parked += len(inbox.requeue_parked(self.reader.engine))  # what an operator does in the morning
        for _ in range(ROUNDS):
            self.world.pass_time()
            intake.reconcile_arrivals(self.reader)
            worker.process_inbox(self.reader, "quiet", lambda _: None)
            if {status for status, _ in self.world.inbox()} == {"done"}:
                break
        done = Counter(submission for _, submission in self.world.inbox())
        if done != self.puts:
            self.figures.wrong.append(f"{name}: inbox {self.world.inbox()}, delivered {dict(self.puts)}")
        steps.nightly(self.reader, export="never")
        accounts = {name: reference_release.read(sent, name) for name, sent in self.sent.items()}
        live = {s for s, a in accounts.items() if s not in self.withdrawn and not (a.rejected and not a.claims)}
        if oracle.counted(self.reader) != reference_release.counting(accounts, live):
            self.figures.wrong.append(f"{name}: counts {oracle.counted(self.reader)}")
        self.look(name)
        self.rebuild(name, accounts, live)

    def rebuild(self, name: str, accounts: dict[str, reference_release.Account], live: set[str]) -> None:
        """See that a plain installation that is given what counts, once and quietly, publishes the same."""
        release = ledger_releases.current_release(self.reader.engine)
        plain = oracle.rebuilt([self.sent[s] for s in reference_release.counting(accounts, live)])
        if (release["digest"] if release else None) != plain and not (release is None and plain is None):
            self.figures.wrong.append(f"{name}: digest {release and release['digest']}, rebuilt {plain}")
        self.figures.rebuilt += 1


def _caught(work: Callable[[], None], errors: list[BaseException]) -> None:
    try:
        work()
    except (Exception, PanicException) as error:  # noqa: BLE001  how a night fails is what is counted
        errors.append(error)
