"""Reading files in a child, here one that reads in this process: groups that fail are split, one file is to blame."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from pickle import loads
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pytest

from flows.intake import isolation, reader
from flows.intake.isolation import read_isolated
from flows.intake.reader import Reader, ReadRequest
from flows.intake.reading import CHANGED, Reading
from infra.child_channel import ChildMessage, Limits
from infra.storage.landing import Note
from infra.storage.store import Content, content_hash
from schemas.contract import CONTRACT_FOLDER, Contract, load_contracts
from schemas.errors import ChildEnded, UsageError
from schemas.kind import KIND_FOLDER, load_kinds
from schemas.reading_limits import DEFAULT_LIMITS
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER
from transforms.normalisation.observations import Normalised
from transforms.normalisation.personal import domain_key, pseudonym_domain
from transforms.normalisation.records import NormalisedRecords
from transforms.register.lookup import Register

if TYPE_CHECKING:
    from flows.installation import Installation

FOLKETALL = load_contracts(CONTRACTS)["folketall"]
PERSONS = load_contracts(CONTRACT_FOLDER)["person-febrl"]
PERSON_HEADER = (
    "id,source,given_name,surname,street_number,address_1,address_2,suburb,postcode,state,date_of_birth,soc_sec_id\n"
)
Files = list[tuple[Note, Content]]
Outcome = Callable[[list[str]], ChildEnded | str | None]
"""Says of the submissions of a request how the child ends, or which error it answers; None: it reads them."""


@dataclass
class FakeChild:
    """A child that reads in this process, or ends as its outcome says."""

    outcome: Outcome
    memory: int = 0
    requests: int = 0
    started: int = 0
    stopped: int = 0
    asked: list[tuple[list[str], bool]] = field(default_factory=list)
    """the submissions of each request, and whether a register came with it"""
    limits: list[Limits] = field(default_factory=list)
    reader: Reader = field(default_factory=Reader)

    def start(self) -> None:
        self.started += 1

    def stop(self) -> None:
        self.stopped += 1

    def request(self, message: ChildMessage, limits: Limits) -> ChildMessage:
        self.requests += 1
        given: ReadRequest = loads(message.body)  # noqa: S301  our own
        ids = [file.note.submission_id for file in given.files]
        self.asked.append((ids, given.register is not None))
        self.limits.append(limits)
        end = self.outcome(ids)
        if isinstance(end, ChildEnded):
            raise end
        answer = self.reader.read(message, SimpleNamespace(begin=lambda _: None))  # type: ignore[arg-type]
        if end is None:
            return answer
        for file in answer.files:
            os.close(file)
        return ChildMessage(f'{{"error": "{end}"}}'.encode())


class Children(list[FakeChild]):
    """The children that were started, each with the outcome and memory that are set."""

    outcome: Outcome = staticmethod(lambda _: None)
    memory = 0

    def begin(self, module: str) -> FakeChild:
        assert module == "flows.intake.reader"
        self.append(FakeChild(self.outcome, self.memory))
        return self[-1]

    @property
    def asked(self) -> list[str]:
        """The submissions of each request to any of them, as one text."""
        return ["".join(ids) for child in self for ids, _ in child.asked]


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Children:
    """Give the children of a reader that has started none."""
    made = Children()
    monkeypatch.setattr(isolation, "ChildProcess", made.begin)
    monkeypatch.setattr(isolation, "_reader", isolation._Reader())  # noqa: SLF001  this process has one of its own
    monkeypatch.setattr(reader, "limit_file_size", lambda _: None)
    return made


@pytest.fixture
def home(known: tuple[Path, Register]) -> "Installation":
    settings = SimpleNamespace(reading=DEFAULT_LIMITS, pseudonym_key=None)
    kinds = load_kinds(KIND_FOLDER)
    return cast("Installation", SimpleNamespace(settings=settings, register=known[1], kind=lambda name: kinds[name]))


@pytest.fixture(autouse=True)
def no_file_stays_open() -> Iterator[None]:
    """See that what is opened for a request or an answer is closed."""
    before = nameless_files()
    yield
    assert nameless_files() == before


def nameless_files() -> int:
    """Return how many open files of this process have no name."""
    names = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return sum("memfd:engang" in name for name in names)


def note(id_: str, data: bytes, contract: str = "folketall") -> Note:
    received = "2026-03-01T12:00:00+00:00"
    return Note(id_, contract, "ssb", content_hash(data), f"{id_}.csv", None, len(data), received)


def files(names: str) -> Files:
    """Return a sound file for each letter."""
    texts = {id_: f"{HEADER}0301;01.01.2024;{id_};7;\n".encode() for id_ in names}
    return [(note(id_, data), data) for id_, data in texts.items()]


def claimed(found: Reading) -> str:
    assert isinstance(found.normalised, Normalised)
    return "".join(found.normalised.claims["submission_id"])


def ended(cause: str = "crash", step: int = 0, by: str = "signal 6") -> ChildEnded:
    return ChildEnded(cause, step, by)


def ends_with(bad: str, end: ChildEnded | str) -> Outcome:
    """Return an outcome: a request with one of these submissions ends so."""
    return lambda ids: end if set(bad) & set(ids) else None


def test_files_are_read_together_within_a_budget(home: "Installation", children: Children) -> None:
    found = read_isolated(home, FOLKETALL, files("abc"))
    assert (claimed(found), found.failures, children.asked) == ("abc", {}, ["abc"])
    assert found.counts.select("submission_id", "claims").rows() == [("a", 1), ("b", 1), ("c", 1)]
    assert children[0].limits == [Limits(DEFAULT_LIMITS.memory, [45.0] * 4, 20 * 4 * 45.0)]


@pytest.mark.parametrize(("size", "seconds", "memory"), [
    (10_000_000, 45.0, DEFAULT_LIMITS.memory), (20_000_000, 90.0, DEFAULT_LIMITS.memory),
    (100_000_000, 450.0, 3_200_000_000),
])  # fmt: skip
def test_a_large_file_has_more_seconds_and_memory(
    home: "Installation", children: Children, size: int, seconds: float, memory: int
) -> None:
    ((large, data), small) = files("ab")
    read_isolated(home, FOLKETALL, [(replace(large, bytes=size - small[0].bytes), data), small])
    read_isolated(home, FOLKETALL, [(replace(large, bytes=size), data)])
    together, alone = children[0].limits
    assert together.memory == alone.memory == memory
    assert together.step_seconds == pytest.approx([seconds, 45.0, seconds], rel=1e-4)
    assert together.wall_seconds == pytest.approx(20 * (2 * seconds + 45.0), rel=1e-4)
    assert (alone.step_seconds, alone.wall_seconds) == ([seconds, seconds], 20 * 2 * seconds)


def test_a_file_on_disk_is_read_from_there_and_checked(
    home: "Installation", children: Children, tmp_path: Path
) -> None:
    given = files("abcd")
    longer = bytes(given[3][1]) + b"1120;01.01.2024;d;8;\n"
    given[3] = (note("d", longer), longer)
    for n in (1, 2, 3):
        (tmp_path / str(n)).write_bytes(bytes(given[n][1]))
        given[n] = (given[n][0], tmp_path / str(n))
    (tmp_path / "2").write_bytes(f"{HEADER}0301;01.01.2024;c;8;\n".encode())
    found = read_isolated(home, FOLKETALL, given)
    assert (claimed(found), found.failures, children.asked) == ("abdd", {"c": CHANGED}, ["abcd"])


def test_so_many_open_files_go_into_one_request(
    home: "Installation", children: Children, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(isolation, "MOST_FILES", 2)
    assert claimed(read_isolated(home, FOLKETALL, files("abcde"))) == "abcde"
    given = files("abcde")
    (tmp_path / "e").write_bytes(bytes(given[4][1]))
    assert claimed(read_isolated(home, FOLKETALL, [*given[:4], (given[4][0], tmp_path / "e")])) == "abcde"
    assert children.asked == ["abcde", "ab", "cd", "e"]
    children[0].asked.clear()
    read_isolated(home, FOLKETALL, [given[0], (given[4][0], tmp_path / "e")])
    assert children.asked == ["ae"]


@pytest.mark.parametrize(("step", "asked"), [
    (0, ["abcd", "a", "bcd"]), (2, ["abcd", "c", "abd"]), (3, ["abcd", "d", "abc"]),
    (4, ["abcd", "ab", "cd"]), (9, ["abcd", "ab", "cd"]),
])  # fmt: skip
def test_the_file_that_was_parsed_is_read_alone_else_both_halves(
    home: "Installation", children: Children, step: int, asked: list[str]
) -> None:
    children.outcome = lambda ids: ended("seconds", step) if len(ids) == 4 else None
    found = read_isolated(home, FOLKETALL, files("abcd"))
    assert (children.asked, sorted(claimed(found)), found.failures) == (asked, list("abcd"), {})
    assert len(children) == 2, "a new child for what follows"


def test_an_error_of_reading_together_is_split_down_to_one_file(home: "Installation", children: Children) -> None:
    children.outcome = ends_with("b", "unforeseen: ValueError")
    found = read_isolated(home, FOLKETALL, files("abcde"))
    assert children.asked == ["abcde", "ab", "a", "b", "cde"]
    assert (claimed(found), found.failures) == ("acde", {"b": "unforeseen: ValueError"})
    assert found.counts["submission_id"].to_list() == list("acde")
    assert len(children) == 1, "it goes on"


@pytest.mark.parametrize(("end", "reason"), [
    (ended("seconds", 0), "takes more than 45 processor seconds; deliver it in parts, or raise ENGANG_READ_SECONDS"),
    (ended("seconds", 7), "takes more than 45 processor seconds"),
    (ended("clock"), "was not done after 1800 seconds; look into the file, then `engang inbox retry`"),
    (ended("memory"), "takes more than 1342177280 bytes of memory; deliver it in parts, or raise ENGANG_READ_MEMORY"),
    (ended(by="exit code 3"), "ended by exit code 3; look into the file"),
])  # fmt: skip
def test_a_file_that_ends_a_new_process_is_to_blame(
    home: "Installation", children: Children, end: ChildEnded, reason: str
) -> None:
    children.outcome = ends_with("a", end)
    found = read_isolated(home, FOLKETALL, files("a"))
    assert children.asked == ["a"]
    assert reason in found.failures["a"]
    assert f"its {files('a')[0][0].bytes} bytes" in found.failures["a"]
    assert (found.counts.height, found.rejects.height, found.normalised) == (0, 0, None)
    assert children[0].stopped == 1


def test_a_file_whose_process_was_killed_is_read_once_more(home: "Installation", children: Children) -> None:
    kills = iter([ended(by="signal 9"), None, ended(by="signal 9"), ended(by="signal 9"), None])
    children.outcome = lambda _: next(kills)
    assert claimed(read_isolated(home, FOLKETALL, files("a"))) == "a"
    isolation.stop_reader()
    found = read_isolated(home, FOLKETALL, files("b"))
    assert (children.asked, "ended by signal 9" in found.failures["b"]) == (["a", "a", "b", "b"], True)


def test_each_file_is_read_once_more(home: "Installation", children: Children) -> None:
    children.outcome = ends_with("ab", ended(by="signal 9"))
    found = read_isolated(home, FOLKETALL, files("ab"))
    assert (children.asked, sorted(found.failures)) == (["ab", "a", "a", "b", "b"], ["a", "b"])


def test_memory_of_files_before_is_no_fault_of_this_one(home: "Installation", children: Children) -> None:
    ends = iter([None, ended("memory", 1), ended("memory", 1)])
    children.outcome = lambda _: next(ends)
    read_isolated(home, FOLKETALL, files("a"))
    found = read_isolated(home, FOLKETALL, files("b"))
    assert children.asked == ["a", "b", "b"]
    assert "bytes of memory" in found.failures["b"]


@pytest.mark.parametrize(("end", "again"), [
    (ended(by="signal 6", step=0), True), (ended(by="signal 6", step=1), False), (ended("clock", 0), False),
    (ended("seconds", 0), False),
])  # fmt: skip
def test_a_process_that_may_have_ended_while_idle_blames_no_file(
    home: "Installation", children: Children, end: ChildEnded, again: bool
) -> None:
    ends = iter([None, end, None])
    children.outcome = lambda _: next(ends)
    read_isolated(home, FOLKETALL, files("a"))
    found = read_isolated(home, FOLKETALL, files("b"))
    assert children.asked == (["a", "b", "b"] if again else ["a", "b"])
    assert list(found.failures) == ([] if again else ["b"])


def test_of_files_asked_for_while_it_had_ended_the_first_is_read_alone(
    home: "Installation", children: Children
) -> None:
    ends = iter([None, ended(), None, None])
    children.outcome = lambda _: next(ends)
    read_isolated(home, FOLKETALL, files("a"))
    assert sorted(claimed(read_isolated(home, FOLKETALL, files("bcd")))) == ["b", "c", "d"]
    assert children.asked == ["a", "bcd", "b", "cd"]


def test_a_register_is_handed_over_once_to_each_process(home: "Installation", children: Children) -> None:
    for _ in range(2):
        read_isolated(home, FOLKETALL, files("a"))
    isolation.stop_reader()
    read_isolated(home, FOLKETALL, files("a"))
    assert [[with_register for _, with_register in child.asked] for child in children] == [[True, False], [True]]
    assert [(child.started, child.stopped) for child in children] == [(1, 1), (1, 0)]


def test_records_are_read_by_their_kind_and_need_no_register(home: "Installation", children: Children) -> None:
    data = [f"{PERSON_HEADER}r-{n},a,Ola,,,,,,,,,\n".encode() for n in (1, 2)]
    given: Files = [(note(id_, text, "person-febrl"), text) for id_, text in zip("ab", data, strict=True)]
    children.outcome = lambda ids: "split" if len(ids) == 2 else None
    found = read_isolated(home, PERSONS, given)
    assert isinstance(found.normalised, NormalisedRecords)
    assert (found.normalised.kind, "".join(found.normalised.records["submission_id"])) == ("person", "ab")
    assert [with_register for _, with_register in children[0].asked] == [False] * 3
    read_isolated(home, FOLKETALL, files("a"))
    read_isolated(home, PERSONS, given[:1])
    read_isolated(home, FOLKETALL, files("a"))
    assert [with_register for _, with_register in children[0].asked[3:]] == [True, False, False]


def test_what_is_wrong_with_each_file_is_put_together(home: "Installation", children: Children) -> None:
    wrong = b"a;b\n1;2\n"
    given: Files = [files("a")[0], (note("b", wrong), wrong), (note("c", wrong), wrong)]
    children.outcome = lambda ids: "split" if len(ids) > 1 else None
    found = read_isolated(home, FOLKETALL, given)
    assert (claimed(found), sorted(found.problems), found.failures) == ("a", ["b", "c"], {})
    assert sorted(found.rejects["submission_id"]) == ["b", "c"]
    assert read_isolated(home, FOLKETALL, given[1:]).normalised is None


@pytest.mark.parametrize(("memory", "stopped"), [(671_088_640, 0), (671_088_641, 1)])
def test_a_process_that_holds_over_half_of_its_memory_is_replaced(
    home: "Installation", children: Children, memory: int, stopped: int
) -> None:
    children.memory = memory
    assert claimed(read_isolated(home, FOLKETALL, files("a"))) == "a"
    assert children[0].stopped == stopped


def test_a_process_is_started_once_and_not_shared_with_a_fork(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolation.start_reader()
    isolation.start_reader()
    assert [child.started for child in children] == [1]
    monkeypatch.setattr(isolation, "os", SimpleNamespace(getpid=lambda: -1))
    isolation.stop_reader()
    assert children[0].stopped == 0, "it is the parent's"
    isolation.start_reader()
    isolation.stop_reader()
    isolation.stop_reader()
    assert [(child.started, child.stopped) for child in children] == [(1, 0), (1, 1)]


def test_pseudonyms_need_a_key_and_each_domain_has_its_own(home: "Installation", children: Children) -> None:
    assert FOLKETALL.unit is not None
    secret: Contract = FOLKETALL.model_copy(update={"unit": FOLKETALL.unit.model_copy(update={
        "personal": "pseudonymise",
    })})  # fmt: skip
    assert isolation.pseudonym_key(home, FOLKETALL) is None
    with pytest.raises(UsageError, match=r"'folketall' pseudonymises personal data, and ENGANG_PSEUDONYM_KEY is not"):
        read_isolated(home, secret, files("a"))
    assert not children, "no process is started"
    cast("Any", home).settings.pseudonym_key = "k" * 32
    assert isolation.pseudonym_key(home, secret) == domain_key("k" * 32, pseudonym_domain(secret))


def test_records_of_one_file_are_joined_with_the_failure_of_another() -> None:
    one = NormalisedRecords("boat", pl.DataFrame({"report_id": ["r"]}), isolation.EMPTY_READING.rejects, pl.DataFrame())
    note: Any = SimpleNamespace(submission_id="s")
    read = replace(isolation.EMPTY_READING, normalised=one)
    found = isolation._joined([isolation._failed(note, "it is broken"), read])  # noqa: SLF001  each file in its own child
    assert isinstance(found.normalised, NormalisedRecords)
    assert (found.normalised.kind, found.normalised.records["report_id"].to_list()) == ("boat", ["r"])
    assert found.failures == {"s": "it is broken"}
