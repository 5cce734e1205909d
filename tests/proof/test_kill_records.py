"""Kill -9 at every boundary of a life with records: what was matched, which homes items have, and no half release.

Every boundary: `pytest -m slow tests/proof/test_kill_records.py -s`.
"""

from collections.abc import Iterator

import pytest

from tests.proof.matrix import Case, Deliveries, Matrix, kill_at_each
from tests.proof.stages import Folders, helper
from tests.support import wreck_installation

VIK = {"place": "Vik", "day": "2024-03-01", "speed": 40}
FIRST = {
    "a.csv": [{"number": n, "railroad": r, **VIK, "day": f"2024-03-0{n}"} for n in (1, 2) for r in ("UP", "NS")],
    "b.csv": [{"number": 3, "railroad": "CN", **VIK, "story": "It fell"}],
}
SECOND = {
    "c.csv": [{"number": 4, "railroad": "BNSF", "place": "Ås"}, {"number": 6, "railroad": "CN", **VIK, "speed": 80}],
    "a again.csv": FIRST["a.csv"],
    "d.csv": [{"number": 5, "railroad": "CN", **VIK, "day": "2024-03-02"}, {"number": 1, "railroad": "UP", **VIK}],
}
CASES = [
    Case("arrived", "receive"),
    Case("received", "nightly"),
    Case("arrived again", "nightly"),
]
NAMES = [f"{c.step} when {c.stage}" for c in CASES]


def arriving(files: dict[str, list[dict[str, object]]]) -> dict[str, str]:
    return {f"agency/wrecks/{name}": wreck_installation.csv(*rows).decode() for name, rows in files.items()}


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    root = tmp_path_factory.mktemp("records")
    env = wreck_installation.folders(root)
    env.pop("ENGANG_HOME")
    deliveries = Deliveries(arriving(FIRST), arriving(SECOND), withdrawn_file="b.csv", before=("pin",))
    with helper("life") as life, helper("reader") as reader:
        matrix = Matrix(Folders(tmp_path_factory.mktemp("homes"), env), life, reader, deliveries)
        matrix.prepare()
        yield matrix


def test_killed_at_some_boundaries(matrix: Matrix) -> None:
    kill_at_each(matrix, CASES[2], step=60, start=40)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_killed_at_every_boundary(matrix: Matrix, case: Case) -> None:
    kill_at_each(matrix, case)
