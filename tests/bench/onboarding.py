"""Contracts drafted from public files: of how many the first check passes untouched.

    .venv/bin/python -m tests.bench.onboarding [FOLDER]

FOLDER holds `csv`, `eiti`, `valg/county_csv`, `population` and `codelists`, by default the shared data. One line a
file: `passes`, or what its first check rejects, or why no contract was drafted; then the share. A period that the file
does not state is given with the check, as the draft asks for. Passing is about the file: every draft has answers open
that only a person knows (agency, sender, definitions of new concepts), which `engang check` lists. They are counted
apart.
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from flows.installation import Installation, open_installation
from flows.intake.deliveries import make_delivery
from flows.intake.registration import check_delivery
from flows.onboarding.contract_draft import DraftOptions, draft_from_file
from schemas.errors import EngangError
from schemas.kind import load_kinds
from tests.support.paths import DATA

PATTERNS = {
    "codelists": ("csv/*.csv", "csv/*/dataset.original.csv", "eiti/*/*/dataset.original.csv", "valg/county_csv/*.csv"),
    "population": ("population/*.csv", "population/*.csv.gz", "population/*.xlsx"),
}
"""Folder of code lists -> the files that are about their units."""
OPEN_ANSWERS = re.compile(r"([1-9][0-9]*) answers open$")
YEAR = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])")
"""A year in the name of a file or of its folder: the period that a person would state."""


def main() -> None:
    """Draft a contract of each file, check the file with it, print what comes of it and the share that passes."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    results = dict(outcomes(folder))
    for name, outcome in results.items():
        print(f"{name}: {outcome}")
    passed = sum(outcome.startswith("passes") for outcome in results.values())
    print(f"{passed} of {len(results)} files pass their first check: {passed / max(len(results), 1):.0%}")
    answers = [int(found[1]) for outcome in results.values() if (found := OPEN_ANSWERS.search(outcome))]
    print(f"{len(answers)} of them have open answers, {sum(answers) / max(len(answers), 1):.1f} on average")


def outcomes(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each file and what comes of its first check."""
    with tempfile.TemporaryDirectory(prefix="engang-bench-") as place:
        home = Path(place)
        plain = open_installation(home / "home")
        for lists, patterns in PATTERNS.items():
            settings = replace(plain.settings, codelists=folder / lists)
            opened = Installation(settings, plain.engine)
            files = sorted(file for pattern in patterns for file in folder.glob(pattern))
            for number, file in enumerate(files):
                name = file.relative_to(folder).as_posix()
                yield name, outcome_of(opened, file, f"draft-{number}", home / lists)


def outcome_of(installation: Installation, file: Path, name: str, to: Path) -> str:
    """Return what comes of drafting a contract from a file and checking the file with it."""
    try:
        drafted = draft_from_file(installation, name, file, DraftOptions(to=to))
    except EngangError as error:
        return f"no contract: {error}"
    kinds = {**installation.kinds, **(load_kinds(drafted.kind.parent) if drafted.kind else {})}
    reader = installation.with_presets(contracts={name: drafted.contract}, kinds=kinds, register=installation.register)
    stated = YEAR.findall(str(file)) or ["2019"]
    period = stated[-1] if "period" in drafted.contract.options() else None
    delivery = make_delivery(reader, file.name, file.read_bytes(), name, sender=None, period=period)
    receipt, rejects = check_delivery(reader, delivery)
    counts = f"{receipt.delivered} rows, {receipt.claims} claims, {receipt.ignored} ignored"
    if not receipt.has_problems:
        return f"passes: {counts}, {receipt.warnings} warnings; {len(receipt.open_answers)} answers open"
    reasons = rejects.group_by("column", "reason").len().sort("len", descending=True).head(3).rows()
    return f"{receipt.status}, {receipt.rejected} rejected of {counts}: {receipt.problem or reasons}"


if __name__ == "__main__":
    main()
