"""Law 7: no input stops anything else. Mutated files of every format: 250 in every run, else 2,000, or 100,000 (slow).

    TEST_SEED=123 pytest -m slow tests/proof/test_fuzz.py -s

The seed is printed; `TEST_SEED` fixes it, `FUZZ_FILES` sets how many files the slow run brings.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from flows.intake.deliveries import Delivery
from flows.intake.registration import receive
from infra.inbox import work_queue
from schemas.reading_limits import ReadingLimits
from tests.proof.fuzz import Fuzzer, without_waiting
from tests.proof.fuzz_mutations import HEADER_BYTES
from tests.proof.fuzz_seeds import OTHERS, ROWS, as_other, other_contract, write_contracts
from tests.support.seed import TEST_SEED
from tests.support.small_installation import open_small
from tests.support.spreadsheets import as_xls
from transforms.parsing.parse import parse

FEW_FILES = 250
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


def test_the_fuzzer_begins_with_files_that_are_read(tmp_path: Path) -> None:
    contracts = write_contracts(tmp_path)
    for form in OTHERS:
        parsed = parse(as_other(form), contracts[other_contract(form)])
        assert (parsed.raw.height, parsed.rejects.height) == (len(ROWS) - 1, 0), form


def _endless(data: bytes) -> bytes:
    """Let the first sector of an old workbook's directory follow itself."""
    follows, directory = (int.from_bytes(data[place : place + 4], "little") for place in (76, 48))
    place = HEADER_BYTES * (1 + follows) + 4 * directory
    return data[:place] + directory.to_bytes(4, "little") + data[place + 4 :]


def test_a_damaged_old_workbook_that_is_read_without_end_is_parked_and_the_others_are_registered(
    tmp_path: Path,
) -> None:
    rules = tmp_path / "contracts"
    rules.mkdir()
    write_contracts(rules)
    home = open_small(tmp_path / "home", rules)
    home = replace(home, settings=replace(home.settings, reading=ReadingLimits(memory=400 * 2**20)))
    given = [as_xls(ROWS), _endless(as_xls(ROWS)), as_xls(ROWS[:3])]
    files = [Delivery(f"{n}.xls", data, other_contract("xls"), "someone") for n, data in enumerate(given)]
    receipts = [receipt for some in receive(home, files) for receipt in some]
    assert [receipt.status for receipt in receipts] == ["registered", "parked", "registered"]
    (parked,) = work_queue.list_parked(home.engine).to_dicts()
    assert "takes more than" in parked["reason"]


@pytest.mark.parametrize("files", [FEW_FILES, pytest.param(FILES, marks=pytest.mark.thorough)])
def test_every_file_ends_and_the_next_honest_one_is_published(tmp_path: Path, files: int) -> None:
    fuzzer = fuzz(tmp_path, files)
    assert fuzzer.tally["done"] > files / 2


@pytest.mark.slow
def test_many_files_end_and_the_next_honest_one_is_published(tmp_path: Path) -> None:
    fuzz(tmp_path, int(os.environ.get("FUZZ_FILES", MANY_FILES)))
