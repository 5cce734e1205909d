"""A matrix of kills: a step is killed at a boundary, started again, done twice and undone, each time looked at.

What an undisturbed installation shows at each point must be there to the last row. Another process reads the current
release all the while.
"""

import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.proof.stages import CONTRACTS, Message, Places, Stage, Talk

KILLED = {-signal.SIGKILL, -signal.SIGALRM}
"""How a killed process ends: at a boundary by -9; at any moment by an alarm, for which it has no handler."""
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
        rest = {k: (seen.get(k), expected.get(k)) for k in ("digest", "counts", "unbalanced", "backfills")}
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

    def undisturbed(self, case: Case) -> tuple[list[Message], list[str], set[tuple[Any, ...]]]:
        """Return what is to be seen after a step, its boundaries, and what a reader may see meanwhile."""
        stage = self.places.copy(self.stages[case.stage])
        before = self.do(stage, "look")["done"][0]
        ticks = self.do(stage, case.step, watched=True)["ticks"]
        looks = self.after(stage, case)
        self.places.drop(stage)
        releases = [(seen.get("digest"), len(seen.get("items", ()))) for seen in (before, *looks)]
        return looks, ticks, {*releases, (None, 0)} if before["release"] is None else set(releases)

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
        ended = self.do(stage, case.step, watched=True, **how)["ended"]
        assert ended in {0, *KILLED}, f"{where}: ended with {ended}"
        self.tally.kills[case.step] += ended in KILLED
        kills = self.tally.kills.total()
        looks = self.after(stage, case, rebuilt=kills % 10 == 1, undo=kills % 3 == 1)
        for what, seen, wanted in zip(("again", "twice", "undone"), looks, expected, strict=False):
            self.tally.compare(f"{where}, {what}", seen, wanted)
        self.tally.read(where, self.reader.ask({}), legal)
        self.places.drop(stage)
        return ended in KILLED


def kill_at_each(matrix: Matrix, case: Case, step: int = 1, start: int = 1) -> None:
    """Kill a case at its boundaries, each or every so many."""
    matrix.tally = Tally()
    expected, ticks, legal = matrix.undisturbed(case)
    for n in range(start, len(ticks) + 1, step):
        matrix.kill(case, expected, legal, kill_at=n)
    matrix.tally.report(f"{case.step} when {case.stage}, {len(ticks)} boundaries {dict(Counter(ticks))}")
