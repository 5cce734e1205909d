"""Kill -9 at every boundary of receive, nightly and backfill: nothing lost, nothing twice, no half release.

The process that reads the files is killed as well, while the step goes on.

After each death the step is started again and done, then done once more, then undone; what an undisturbed
installation shows at each point must be there to the last row. Another process reads the current release all the while.

    pytest -m slow tests/proof/test_kill_matrix.py -s
"""

import random
from collections.abc import Iterator

import pytest

from tests.proof.boundaries import READ
from tests.proof.matrix import Case, Deliveries, Matrix, Tally, kill_at_each, kill_reader_at_each
from tests.proof.servers import faulty_s3, postgres
from tests.proof.stages import Buckets, Folders, helper

HEADER = "kommune;dag;gruppe;antall;merknad\n"
FIRST = {
    "kommunen/folketall/a.csv": HEADER
    + "0301;01.01.2024;alle;700 000;\n1120;01.01.2024;alle;20 000;\n9998;01.01.2024;alle;1;\n",
    "kommunen/folketall/b.csv": HEADER + "0301;01.02.2024;alle;700 100;\nSum;01.02.2024;alle;700 100;\n",
    "kommunen/folketall/empty.csv": "",
    "selskapet/betaling/period=2024/pay.csv": "name,paid\nNord AS,10\nVest AS,20\n",
    "nobody-knows.csv": "what is this",
}  # fmt: skip
SECOND = {
    "kommunen/folketall/c.csv": HEADER + "0301;01.01.2024;alle;700 001;\n1121;01.01.2024;alle;18 000;\n",
    "kommunen/folketall/a again.csv": FIRST["kommunen/folketall/a.csv"],
    "kommunen/folketall/d.csv": HEADER + "1121;01.03.2024;alle;18 100;\n",
    "skatteetaten/betaling/period=2024/pay.csv": "name,paid\nNord AS,10\nVest AS,21\n",
}
DELIVERIES = Deliveries(FIRST, SECOND, withdrawn_file="b.csv")


CASES = [
    Case("arrived", "receive"),
    Case("received", "nightly"),
    Case("arrived", "nightly"),
    Case("arrived again", "receive"),
    Case("received again", "nightly"),
    Case("end", "dry run"),
    Case("end", "backfill"),
]
NAMES = [f"{c.step} when {c.stage}" for c in CASES]
READING = [case for case in CASES if not case.stage.startswith("received")]
"""Those in which files are read: what was received has been."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with helper("life") as life, helper("reader") as reader:
        matrix = Matrix(Folders(tmp_path_factory.mktemp("homes")), life, reader, DELIVERIES)
        matrix.prepare()
        yield matrix


@pytest.fixture(scope="module")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with faulty_s3() as s3, postgres() as server, helper("life") as life, helper("reader") as reader:
        matrix = Matrix(Buckets(tmp_path_factory.mktemp("homes"), s3, server), life, reader, DELIVERIES)
        matrix.prepare()
        yield matrix


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_killed_at_some_boundaries(folders: Matrix, case: Case) -> None:
    kill_at_each(folders, case, step=31, start=5)


def test_its_reading_process_is_killed_while_it_reads(folders: Matrix) -> None:
    kill_reader_at_each(folders, CASES[0], READ)


@pytest.mark.slow
@pytest.mark.parametrize("case", READING, ids=[f"{c.step} when {c.stage}" for c in READING])
def test_its_reading_process_is_killed_before_during_and_after_each_reading(folders: Matrix, case: Case) -> None:
    kill_reader_at_each(folders, case)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_killed_at_every_boundary(folders: Matrix, case: Case) -> None:
    kill_at_each(folders, case)


@pytest.mark.slow
def test_killed_at_any_moment(folders: Matrix) -> None:
    chance = random.Random(20241122)
    folders.tally = Tally()
    for case in CASES:
        expected, _, legal = folders.undisturbed(case)
        for _ in range(12):
            folders.kill(case, expected, legal, kill_after=chance.uniform(0.001, 0.4))
    folders.tally.report("at any moment")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_killed_on_s3_and_postgresql(buckets: Matrix, case: Case) -> None:
    kill_at_each(buckets, case, step=12, start=2)


@pytest.mark.slow
@pytest.mark.parametrize("answered", [False, True], ids=["before the request", "before its answer"])
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_killed_at_a_request_to_s3(buckets: Matrix, case: Case, answered: bool) -> None:
    assert isinstance(buckets.places, Buckets)
    s3 = buckets.places.s3
    buckets.tally = Tally()
    expected, _, legal = buckets.undisturbed(case)
    whole = buckets.places.copy(buckets.stages[case.stage])
    s3.send("count")
    buckets.do(whole, case.step, watched=True)
    requests = s3.send("count")["requests"]
    for n in range(1 + answered, requests + 1, max(1, requests // 4)):
        kill = {"url": s3.proxy, "kill": {"at": n, "answered": answered}}
        buckets.kill(case, expected, legal, proxy=kill)
    buckets.tally.report(f"{case.step} when {case.stage}, {requests} requests, those of Delta among them")
