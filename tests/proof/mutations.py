"""Mutation run: whether the tests see it when a module of the core is wrong.

    .venv/bin/python tests/proof/mutations.py --module transforms/observations/agreement.py --seed 7 --count 20

Each mutant is tried in a copy of the tree, never in place, with the tests of `TESTS` that should see it. A survivor is
a hole in the tests, or a change that makes nothing wrong; `mutations_equivalent.txt` lists those judged so, and why.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
if str(ROOT) not in sys.path:  # run as a script
    sys.path.insert(0, str(ROOT))

from tests.proof.mutants import Mutant, sample  # noqa: E402

UNIT, LAWS = "tests/unit/transforms", "tests/properties/transforms"
RELEASES = ("tests/properties/test_release_laws.py",)
RECORDS = ("tests/properties/test_record_release_laws.py",)
RESOLVING = (f"{UNIT}/linkage/test_clustering.py", f"{LAWS}/test_clustering_laws.py")
NORMALISING = (f"{UNIT}/normalisation", "tests/contracts")
CONSOLIDATING = (f"{UNIT}/records/test_consolidate.py", f"{LAWS}/test_record_consolidation_laws.py")
TESTS: Final[dict[str, tuple[str, ...]]] = {
    "transforms/observations/agreement.py": (f"{UNIT}/observations", f"{LAWS}/test_agreement_laws.py"),
    "transforms/observations/consolidate.py": (f"{UNIT}/observations", f"{LAWS}/test_reason_laws.py", *RELEASES),
    "transforms/observations/corrections.py": (f"{UNIT}/observations", *RELEASES),
    "transforms/observations/changes.py": (f"{UNIT}/observations", *RELEASES),
    "transforms/observations/reasons.py": (f"{LAWS}/test_reason_laws.py",),
    "transforms/records/reasons.py": (f"{LAWS}/test_reason_laws.py",),
    "transforms/records/survivorship.py": (f"{LAWS}/test_reason_laws.py", *CONSOLIDATING),
    "transforms/records/consolidate.py": (*CONSOLIDATING, *RECORDS),
    "transforms/records/item_ids.py": (f"{UNIT}/records/test_item_ids.py", f"{LAWS}/test_item_id_laws.py", *RECORDS),
    "transforms/linkage/clustering.py": (*RESOLVING, f"{UNIT}/linkage"),
    "transforms/linkage/average_linkage.py": (*RESOLVING, f"{UNIT}/linkage"),
    "transforms/normalisation/cells.py": NORMALISING,
    "transforms/numbers.py": (f"{UNIT}/test_numbers.py", *NORMALISING),
    "transforms/normalisation/rules.py": (*NORMALISING, "tests/integration/standards/test_rule_engines_agree.py"),
    "transforms/submissions.py": (f"{UNIT}/test_submissions.py", *RELEASES),
    "transforms/deadlines.py": (f"{UNIT}/test_deadlines.py",),
    "transforms/identity.py": (f"{UNIT}/test_identity.py", *NORMALISING, f"{LAWS}/test_item_id_laws.py", *RELEASES),
    "transforms/register/lookup.py": (f"{UNIT}/register", f"{LAWS}/test_register_laws.py", *NORMALISING),
    "transforms/parsing/csv.py": (f"{UNIT}/parsing", f"{LAWS}/test_parsing_laws.py"),
    "transforms/clean_text.py": (f"{UNIT}/test_clean_text.py", *NORMALISING),
    "transforms/rejects.py": (f"{UNIT}/test_rejects.py", *NORMALISING),
    "transforms/placeholders.py": (f"{UNIT}/normalisation", f"{UNIT}/linkage"),
    "transforms/normalisation/authority.py": NORMALISING,
    "transforms/normalisation/personal.py": (f"{UNIT}/normalisation/test_personal.py", *NORMALISING),
    "transforms/normalisation/rejected_twins.py": NORMALISING,
    "transforms/normalisation/repeated_reports.py": NORMALISING,
    "transforms/observations/confidentiality.py": (f"{UNIT}/observations", *CONSOLIDATING),
    "transforms/parsing/csv_header.py": (f"{UNIT}/parsing", f"{LAWS}/test_parsing_laws.py"),
    "transforms/parsing/workbook/cells.py": (f"{UNIT}/parsing", f"{UNIT}/normalisation/test_conformance.py"),
    "flows/intake/reading.py": ("tests/integration/intake/test_isolated_reading.py", "tests/integration/intake"),
    "flows/intake/isolation.py": ("tests/integration/intake/test_isolated_reading.py", "tests/integration/intake"),
    "flows/intake/archives.py": ("tests/integration/intake/test_archive_budgets.py", "tests/integration/intake"),
    "flows/intake/earlier.py": ("tests/integration/intake/test_earlier.py",),
    "flows/release/erase.py": ("tests/integration/release/test_erase.py",),
    "infra/child_process.py": ("tests/unit/infra/test_child_process.py",),
    "flows/release/build.py": ("tests/integration/release/test_staging.py", *RELEASES, "tests/integration/release"),
    "infra/inbox/work_queue.py": ("tests/integration/inbox/test_work_queue.py", "tests/integration/intake"),
    "infra/checks/engine.py": ("tests/integration/checks",),
}
"""Module -> the tests that should see its mutants, the quickest first."""
EQUIVALENT: Final = Path(__file__).with_name("mutations_equivalent.txt")
SKIPPED: Final = (".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis", "*.egg-info")
SLACK: Final = 4
"""A run that takes so many times as long as without a mutant has been stopped: the mutant is seen."""


class Tried(NamedTuple):
    """A mutant and what became of it: killed, timeout, survived, or judged (equivalent, by the list)."""

    module: str
    mutant: Mutant
    what: str
    fate: str

    def __str__(self) -> str:
        return f"{self.fate} {self.module}:{self.mutant.line} {self.what}"


@contextmanager
def copied_tree() -> Iterator[Path]:
    """Give a copy of the tree, beside it the real data, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="engang-mutations-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*SKIPPED), symlinks=True)
        shared = ROOT.parent / "shared"
        if shared.is_dir():
            (Path(folder) / "shared").symlink_to(shared)
        yield tree


def passes(tree: Path, tests: tuple[str, ...], seconds: float) -> bool | None:
    """Return whether tests pass in the tree; None if they take longer than that."""
    options = ["-x", "-n", "0", "-p", "no:cacheprovider", "-W", "ignore"]
    # No compiled modules are kept: a mutant of the same size and second would be taken for the module before.
    more = {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "TEST_SEED": "1", "LAW_EXAMPLES": "5"}
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=tree, env=os.environ | more, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return None


def judged() -> set[tuple[str, str]]:
    """Return module and change of the mutants that were judged to make nothing wrong."""
    lines = EQUIVALENT.read_text(encoding="utf-8").splitlines() if EQUIVALENT.exists() else []
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {(row[0], row[1]) for row in rows}


def try_mutants(tree: Path, module: str, count: int, seed: int) -> Iterator[Tried]:
    """Yield the mutants of a module, each tried; raises `RuntimeError` if the tests fail without any."""
    path, equivalent = tree / module, judged()
    text, tests = path.read_text(encoding="utf-8"), TESTS[module]
    started = time.monotonic()
    if not passes(tree, tests, 3600):
        message = f"{module}: its tests fail without any mutant: {' '.join(tests)}"
        raise RuntimeError(message)
    limit = 30 + SLACK * (time.monotonic() - started)
    try:
        for mutant in sample(text, count, seed):
            what = mutant.describe(text)
            if (module, what) in equivalent:
                yield Tried(module, mutant, what, "judged")
                continue
            path.write_text(mutant.applied(text), encoding="utf-8")
            passed = passes(tree, tests, limit)
            yield Tried(module, mutant, what, {True: "SURVIVED", False: "killed", None: "timeout"}[passed])
    finally:
        path.write_text(text, encoding="utf-8")


def share_caught(tried: list[Tried]) -> float:
    """Return the share of the mutants that were caught, of those not judged to be harmless."""
    wrong = [one for one in tried if one.fate != "judged"]
    return sum(one.fate != "SURVIVED" for one in wrong) / max(len(wrong), 1)


def main() -> int:
    """Try the mutants that the arguments ask for; print the survivors and the share that was caught."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", action="append", choices=sorted(TESTS), help="a module; all by default")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()) % 10**6, help="draws the mutants; changes if left out"
    )
    parser.add_argument("--count", type=int, default=10, help="mutants of each module")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    tried: list[Tried] = []
    with copied_tree() as tree:
        for module in arguments.module or TESTS:
            for one in try_mutants(tree, module, arguments.count, arguments.seed):
                tried.append(one)
                print(one, flush=True)
    survivors = [one for one in tried if one.fate == "SURVIVED"]
    print(f"\n{len(tried)} mutants, {len(survivors)} survived, {share_caught(tried):.1%} caught")
    print(*survivors, sep="\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
