"""A matrix of kills: a step is killed at a boundary, started again, done twice and undone, each time looked at.

What an undisturbed installation shows at each point must be there to the last row. Another process reads the current
release all the while.
"""

import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from tests.proof.boundaries import READ
from tests.proof.stages import CONTRACTS, Message, Places, Stage, Talk

KILLED = {-signal.SIGKILL, -signal.SIGALRM}
"""How a killed process ends: at a boundary by -9; at any moment by an alarm, for which it has no handler."""
IDLE_STEP = 10
"""While it is idle, a reading process is killed at every so many boundaries."""
COMPARED = ("submissions", "landed", "inbox", "items", "sources", "conflicts", "records", "assignments", "buckets")
"""Lists of what is seen, of which nothing may be lost or doubled."""


@dataclass(frozen=True)
class Deliveries:
    """What arrives in an undisturbed life, first and then, by key; and the file that is withdrawn in the end."""

    first: Mapping[str, str]
    second: Mapping[str, str]
    withdrawn_file: str
    before: tuple[str, ...] = ()
    """Steps that are done before anything is received."""


class Case(NamedTuple):
    """A step that is killed, and the stage in which it starts."""

    stage: str
    step: str


@dataclass(frozen=True)
class Watched:
    """The boundaries of a step, by name, and the numbers (from 1) of those at which there is a reading process."""

    ticks: list[str]
    with_reader: list[int]

    def reader_deaths(self) -> list[int]:
        """Return the boundaries at which a death of the reading process may be another one than at those before.

        The step looks at that process when it makes a request of it, so of the boundaries from one request to the next
        the first, the last and every tenth are enough.
        """
        requests = [n for n in self.with_reader if self.ticks[n - 1] == READ]
        chosen = set(requests)
        for first, last in pairwise([0, *requests, len(self.ticks) + 1]):
            between = [n for n in self.with_reader if first < n < last]
            chosen |= {*between[::IDLE_STEP], *between[-1:]}
        return sorted(chosen)


@dataclass
class Tally:
    """What the deaths left behind."""

    kills: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    other: int = 0
    half: int = 0
    polls: int = 0
    unreadable: int = 0
    undone: int = 0
    verified: int = 0
    problems: list[str] = field(default_factory=list)

    def note(self, problem: str) -> None:
        """Keep a problem, and tell of it at once: a matrix takes long."""
        self.problems.append(problem)
        print(problem, flush=True)

    def compare(self, where: str, seen: Message, expected: Message) -> None:
        """Count what is not there and what is there too often."""
        for name in COMPARED:
            mine, theirs = ([repr(each) for each in side.get(name, [])] for side in (seen, expected))
            lost, doubled = Counter(theirs) - Counter(mine), Counter(mine) - Counter(theirs)
            self.lost, self.doubled = self.lost + lost.total(), self.doubled + doubled.total()
            if lost or doubled:
                self.note(f"{where}: {name}: lost {list(lost)[:3]}, too many {list(doubled)[:3]}")
        rest = {k: (seen.get(k), expected.get(k)) for k in ("digest", "counts", "unbalanced", "backfills", "tree")}
        wrong = {k: side for k, side in rest.items() if side[0] != side[1]}
        wrong |= {"lake": seen.get("lake")} if seen.get("lake") != seen.get("digest") else {}
        wrong |= {"runs": seen["runs"]} if "running" in seen["runs"] else {}
        self.other += len(wrong)
        if wrong:
            self.note(f"{where}: {wrong}")

    def read(self, where: str, seen: Message, legal: set[tuple[Any, ...]]) -> None:
        """Count what a reader met."""
        self.polls += seen["polls"]
        self.unreadable += len(seen["problems"])
        for problem in seen["problems"][:3]:
            self.note(f"{where}: a reader: {problem}")
        numbers = [release for release, *_ in seen["seen"]]
        wrong = [s for s in seen["seen"] if s[1] != s[2] or (s[1], s[3]) not in legal]
        self.half += len(wrong) + (numbers != sorted(numbers))
        if wrong or numbers != sorted(numbers):
            self.note(f"{where}: a reader saw {seen['seen']}")

    def report(self, name: str) -> None:
        """Print the figures; fail if they are not what they must be."""
        print(
            f"\n{name}: {self.kills.total()} kills {dict(self.kills)}: {self.lost} lost, {self.doubled} doubled, "
            f"{self.other} otherwise different, {self.half} half releases; {self.unreadable} unreadable of "
            f"{self.polls} polls; {self.undone} undone, {self.verified} rebuilt and the same",
            flush=True,
        )
        assert self.problems == [], "\n".join(self.problems[:20])
        assert (self.lost, self.doubled, self.other, self.half, self.unreadable) == (0, 0, 0, 0, 0)


@dataclass
class Matrix:
    """Kills, and looks what is left."""

    places: Places
    life: Talk
    reader: Talk
    deliveries: Deliveries
    tally: Tally = field(default_factory=Tally)
    stages: dict[str, Stage] = field(default_factory=dict)
    rules: Path = Path()
    """The new version of a contract that backfills read by."""

    def do(self, stage: Stage, *steps: Message | str, **fields: Any) -> Message:
        """Do steps in a child; return what they gave."""
        commands = [{"do": step, "rules": str(self.rules)} if isinstance(step, str) else step for step in steps]
        env = stage.env if fields else stage.direct(self.places.s3)
        return self.life.ask({"home": str(stage.home), "env": env, "steps": commands, **fields})

    def prepare(self) -> None:
        """Make the stages of an undisturbed life."""
        self.rules = self.places.root / "folketall.yml"
        text = (CONTRACTS / "folketall.yml").read_text().replace("version: 1", "version: 2")
        self.rules.write_text(text.replace("    column: antall\n", "    column: antall\n    scale: 10\n"))
        stage = self.places.new()
        for name, files, steps in (
            ("arrived", self.deliveries.first, self.deliveries.before),
            ("received", {}, ("receive",)),
            ("released", {}, ("nightly",)),
            ("arrived again", self.deliveries.second, ()),
            ("received again", {}, ("receive",)),
            ("end", {}, ("nightly",)),
        ):
            stage = self.places.copy(stage) if self.stages else stage
            self.places.put(stage, files)
            assert self.do(stage, *steps or ("look",))["ended"] == 0
            self.stages[name] = stage

    def undisturbed(self, case: Case) -> tuple[list[Message], Watched, set[tuple[Any, ...]]]:
        """Return what is to be seen after a step, its boundaries, and what a reader may see meanwhile."""
        stage = self.places.copy(self.stages[case.stage])
        before = self.do(stage, "look")["done"][0]
        given = self.do(stage, case.step, watched=True)
        looks = self.after(stage, case)
        self.places.drop(stage)
        releases = [(seen.get("digest"), len(seen.get("items", ()))) for seen in (before, *looks)]
        legal = {*releases, (None, 0)} if before["release"] is None else set(releases)
        return looks, Watched(given["ticks"], given["with_reader"]), legal

    def after(self, stage: Stage, case: Case, *, rebuilt: bool = False, undo: bool = True) -> list[Message]:
        """Start again: do the step, do it twice, undo a part; return what is seen each time."""
        again: list[Message | str] = [case.step, "nightly", "look"]
        undone: list[Message | str] = [
            {"do": "withdraw", "filename": self.deliveries.withdrawn_file},
            "nightly",
            "look",
        ]
        given = self.do(stage, "later", *again, *again, *(undone if undo else []), *(["verify"] if rebuilt else []))
        assert given["ended"] == 0, f"started again, {case} failed: see its error above"
        if rebuilt:
            assert given["done"][-1], "a rebuild from the landing zone gives another release"
            self.tally.verified += 1
        self.tally.undone += undo
        return [given["done"][n] for n in (3, 6, 9) if n < 9 or undo]

    def kill(self, case: Case, expected: list[Message], legal: set[tuple[Any, ...]], **how: Any) -> bool:
        """Kill a step once; tell whether it was killed."""
        stage = self.places.copy(self.stages[case.stage])
        pause = 0.1 if self.places.s3 is None else 0.2
        self.reader.ask({"home": str(stage.home), "env": stage.direct(self.places.s3), "pause": pause})
        where = f"{case.step} when {case.stage}, killed at {how}"
        given = self.do(stage, case.step, watched=True, **how)
        ended = given["ended"]
        assert ended in {0, *KILLED}, f"{where}: ended with {ended}"
        killed = ended in KILLED or given["readers_killed"] > 0
        self.tally.kills[case.step] += killed
        kills = self.tally.kills.total()
        looks = self.after(stage, case, rebuilt=kills % 10 == 1, undo=kills % 3 == 1)
        for what, seen, wanted in zip(("again", "twice", "undone"), looks, expected, strict=False):
            self.tally.compare(f"{where}, {what}", seen, wanted)
        self.tally.read(where, self.reader.ask({}), legal)
        self.places.drop(stage)
        return killed


def kill_at_each(matrix: Matrix, case: Case, step: int = 1, start: int = 1) -> None:
    """Kill a case at its boundaries, each or every so many."""
    matrix.tally = Tally()
    expected, watched, legal = matrix.undisturbed(case)
    ticks = watched.ticks
    for n in range(start, len(ticks) + 1, step):
        matrix.kill(case, expected, legal, kill_at=n)
    matrix.tally.report(f"{case.step} when {case.stage}, {len(ticks)} boundaries {dict(Counter(ticks))}")


def kill_reader_at_each(matrix: Matrix, case: Case, kind: str = "") -> None:
    """Kill the reading process of a case at its boundaries of a kind; by default wherever a death is another one.

    The step itself goes on, so it must have done all by its end.
    """
    matrix.tally = Tally()
    expected, watched, legal = matrix.undisturbed(case)
    chosen = range(1, watched.ticks.count(kind) + 1) if kind else watched.reader_deaths()
    assert chosen, "nothing is read"
    for n in chosen:
        killed = matrix.kill(case, expected, legal, kill_reader=(kind, n))
        assert killed or not kind, "its reading process was not killed"
    assert matrix.tally.kills.total() > len(chosen) / 2, "its reading process was not killed"
    at = f"{len(chosen)} of {len(watched.ticks)} boundaries {kind}"
    matrix.tally.report(f"{case.step} when {case.stage}, its reading process at {at}")
