"""Law 7: no input stops anything else. Mutated files of every format, 2,000 in every run, 100,000 in the slow one.

    TEST_SEED=123 pytest -m slow tests/proof/test_fuzz.py -s

The seed is printed; `TEST_SEED` fixes it, `FUZZ_FILES` sets how many files the slow run brings.
"""

import os
from pathlib import Path

import pytest

from tests.proof.fuzz import Fuzzer, without_waiting
from tests.support.seed import TEST_SEED

FILES = 2_000
MANY_FILES = 100_000
FILES_A_NIGHT = 1_000


def fuzz(folder: Path, files: int) -> Fuzzer:
    """Bring so many files, a thousand a night; print what became of them."""
    fuzzer = Fuzzer(folder, TEST_SEED)
    print(f"\nTEST_SEED={TEST_SEED}, {len(fuzzer.seeds)} seeds")
    patch = without_waiting()
    try:
        while fuzzer.brought < files:
            fuzzer.bring(min(FILES_A_NIGHT, files - fuzzer.brought))
            fuzzer.honest_night()
    finally:
        print(fuzzer.report())
        patch.undo()
        fuzzer.installation.engine.dispose()
    return fuzzer


def test_every_file_ends_and_the_next_honest_one_is_published(tmp_path: Path) -> None:
    fuzzer = fuzz(tmp_path, FILES)
    assert fuzzer.tally["done"] > FILES / 2


@pytest.mark.slow
def test_many_files_end_and_the_next_honest_one_is_published(tmp_path: Path) -> None:
    fuzz(tmp_path, int(os.environ.get("FUZZ_FILES", MANY_FILES)))
