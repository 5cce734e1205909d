"""The tests bite: of seeded mutants of the core's modules at least 97 % fail a test.

    pytest -m slow tests/proof/test_mutations.py -s

The seed is printed; `ENGANG_MUTATION_SEED` fixes it, `ENGANG_MUTANTS` sets how many mutants a module gets.
"""

import os
import time

import pytest

from tests.proof.mutants import mutants_of, sample
from tests.proof.mutations import ROOT, TESTS, copied_tree, share_caught, try_mutants

LEAST_CAUGHT = 0.97
CODE = """def f(rows, n):
    if n >= 3 and not rows:
        raise ValueError("no")
    rows.sort()
    return rows.filter(a < b).join(c, how="left").fill_null(False), min(rows) - 1
"""


def test_the_mutants_are_of_every_kind() -> None:
    changes = {(m.before, m.after) for m in mutants_of(CODE)}
    assert {
        (">=", ">"), ("and", "or"), ("not ", ""), ("3", "4"), ('raise ValueError("no")', "pass"), ("<", "<="),
        ("rows.sort()", "pass"), ('"left"', '"inner"'), (".fill_null(False)", ""), ("False", "True"),
        ("min", "max"), ("-", "+"),
        (".filter(a < b)", ""), ("n >= 3 and not rows", "not (n >= 3 and not rows)"),
    } <= changes  # fmt: skip
    assert list(sample(CODE, 5, 1)) == list(sample(CODE, 5, 1)) != list(sample(CODE, 5, 2))


def test_the_modules_and_their_tests_exist() -> None:
    named = {name for module, tests in TESTS.items() for name in (module, *tests)}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.slow
def test_nearly_every_mutant_fails_a_test() -> None:
    seed = int(os.environ.get("ENGANG_MUTATION_SEED") or time.time_ns() % 10**6)
    count = int(os.environ.get("ENGANG_MUTANTS", "12"))
    print(f"\nENGANG_MUTATION_SEED={seed}")
    tried = []
    with copied_tree() as tree:
        for module in TESTS:
            for one in try_mutants(tree, module, count, seed):
                tried.append(one)
                print(one, flush=True)
    survivors = "\n".join(str(one) for one in tried if one.fate == "SURVIVED")
    assert share_caught(tried) >= LEAST_CAUGHT, survivors
