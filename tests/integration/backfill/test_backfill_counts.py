"""What a backfill counts is what a release made from nothing counts: items, and rows by their leading claim."""

from pathlib import Path

import pytest

from flows.backfill.publish import finish_backfill, try_backfill
from flows.backfill.reread import BackfillRequest, start_backfill
from flows.installation import Installation
from infra.ledger import releases as ledger_releases
from tests.support.backfill_installation import nightly, opened, put_in_force, submit
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER

pytestmark = pytest.mark.usefixtures("unchecked")

SECOND = """\
  - concept: households
    column: merknad
    reported_by: {option: sender}
    unit_measure: {value: households}
"""
MEASURE = "measure: {value: persons}\n"
EXPECTED = {"persons": "concept: population, value: 709037", "households": "concept: households, value: 1"}
"""What the contract's example gives, by unit of measure."""
TWO_CLAIMS = (
    ("ignore: [merknad]\n", ""),
    (MEASURE, MEASURE + SECOND),
    ("alle;709 037;", "alle;709 037;1"),
    ("- {row: 2, value: 709037}", "\n      ".join(f"- {{row: 2, {values}}}" for values in EXPECTED.values())),
)
"""Every row makes two claims, and is counted under the first."""
ROWS = ["0301;01.01.2024;alle;700;300", "1120;01.01.2024;alle;20;9", "1121;01.01.2024;alle;18;7"]
FILE = HEADER + "\n".join(ROWS) + "\n"


def version(home: Installation, number: int, concept: str | None = None) -> Path:
    """Write a version of the contract, in which one concept is reported in thousands."""
    text = (CONTRACTS / "folketall.yml").read_text(encoding="utf-8")
    for old, new in (("version: 1", f"version: {number}"), *TWO_CLAIMS):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    if concept is not None:
        text = text.replace(f"measure: {{value: {concept}}}\n", f"measure: {{value: {concept}}}\n    scale: 1000\n")
        text = text.replace(EXPECTED[concept], f"{EXPECTED[concept]}000")
    path = home.settings.home / f"version-{number}.yml"
    path.write_text(text, encoding="utf-8")
    return path


def counted(counts: dict[str, int]) -> dict[str, int]:
    names = ("single", "complete", "consistent", "conflict")
    return {n: v for n, v in counts.items() if v and (n in names or n.startswith("rows_"))}


@pytest.mark.parametrize(
    ("concept", "agreements", "rows"),
    [
        ("households", {"complete": [6, 3], "conflict": [0, 3]}, {"published": [3, 3], "duplicate": [3, 3]}),
        (
            "persons",
            {"complete": [6, 3], "conflict": [0, 3]},
            {"published": [3, 0], "duplicate": [3, 0], "conflict": [0, 6]},
        ),
    ],
)
def test_what_is_counted_is_what_a_release_from_nothing_counts(
    tmp_path: Path, ledger_url: str, concept: str, agreements: dict[str, list[int]], rows: dict[str, list[int]]
) -> None:
    home = opened(tmp_path / "home", ledger_url)
    home = put_in_force(home, version(home, 1))
    submit(home, {"a.csv": FILE}, sender="kommunen")
    submit(home, {"b.csv": FILE}, sender="fylket")
    nightly(home)
    started = start_backfill(home, BackfillRequest("folketall", sender="fylket", rules=version(home, 2, concept)))
    assert started.number is not None
    tried = try_backfill(home, started.number).diff
    assert (tried["agreements"], tried["rows"]) == (agreements, rows)
    done = finish_backfill(home, started.number)
    assert done.diff == tried
    assert done.night is not None

    fresh = opened(tmp_path / "fresh")
    fresh = put_in_force(fresh, version(fresh, 1))
    submit(fresh, {"a.csv": FILE}, sender="kommunen")
    fresh = put_in_force(fresh, version(fresh, 2, concept))
    submit(fresh, {"b.csv": FILE}, sender="fylket")
    made = nightly(fresh)
    assert made.digest == done.night.digest
    assert counted(made.counts) == counted(done.night.counts)
    cells = ["submission_id", "bucket", "rows"]
    by_file = [
        ledger_releases.read_row_counts(h.engine, n).select(cells).sort(cells).rows()
        for h, n in ((home, 2), (fresh, 1))
    ]
    assert by_file[0] == by_file[1]
