"""Contracts drafted from public files nobody prepared: at least four fifths pass their first check untouched."""

import pytest

from tests.bench.onboarding import outcomes
from tests.support.paths import DATA

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason=f"no public data at {DATA}"),
]
ENOUGH = 0.8


def test_most_public_files_are_read_by_their_drafted_contract() -> None:
    results = dict(outcomes(DATA))
    passed = [name for name, outcome in results.items() if outcome.startswith("passes")]
    others = {name: outcome for name, outcome in results.items() if name not in passed}
    assert len(results) > 30
    assert len(passed) >= ENOUGH * len(results), others
    assert all(outcome.startswith(("no contract", "registered")) for outcome in others.values()), others
