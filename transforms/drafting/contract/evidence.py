"""The evidence for each guess of a drafted contract, and what to write where the guess is wrong."""

from itertools import chain
from typing import Final

from transforms.drafting.contract.column_roles import ColumnRoles
from transforms.drafting.contract.draft_terms import DraftTerms
from transforms.drafting.table.file_table import DraftSource

LISTED_COLUMNS: Final = 60
"""Unused columns that a draft lists by name; of more it ignores the rest."""
UNUSED_COLUMNS: Final = (
    "columns that are no unit, period, figure or dimension. If the obligation asks for one, take it out here, and put "
    "it under `claims:` as a figure, or under `breakdown:` as what figures are broken down by"
)
DIFFERING_COLUMNS: Final = "rows of one unit and period differ in these columns"
REPEATED_KEYS: Final = (
    "{} rows repeat the key of another one: they are taken for lines of one figure, and summed. If each is a figure of "
    "its own, put the column in which they differ under `breakdown:`, and write `repeat: error`"
)
NO_REPEATS: Final = "no two rows have the same unit, period and breakdown"
MARKED_FIGURES: Final = (
    "figures are followed by {}: correct under `flags` the status that each mark has: A normal, P provisional, "
    "E estimated, B break in the series, F forecast"
)
NO_PERIOD: Final = (
    "no column holds periods: each delivery states its own (--period). If a column does, write "
    "`{column: NAME, type: year}` (or quarter, month, day) here"
)
IGNORED_ROWS: Final = "if a unit is among `values`, take it out, and add it to a code list (ENGANG_CODELISTS)"


def format_evidence(source: DraftSource) -> dict[str, list[str]]:
    """Return the evidence for the file's form: of a key that the form does not have, at its type."""
    found: dict[str, list[str]] = {}
    for key, why in source.evidence.items():
        place = key if key in source.form else "header_rows" if "header_rows" in source.form else "type"
        found.setdefault(f"format.{place}", []).append(why)
    return found


def draft_evidence(source: DraftSource, roles: ColumnRoles, terms: DraftTerms) -> dict[str, list[str]]:
    """Return dotted key -> the sentences for its guess, of a contract of figures."""
    found = format_evidence(source)
    if roles.numbers.decimal != "." or roles.numbers.thousands:
        found["format.decimal"] = [roles.numbers.evidence]
    found["ignore"] = [UNUSED_COLUMNS]
    found["ignore_rows"] = [IGNORED_ROWS]
    found["unit"] = [roles.unit.evidence]
    found |= _period_evidence(roles)
    if roles.dimensions:
        found["breakdown"] = [DIFFERING_COLUMNS, *terms.coded]
    found["repeat"] = [REPEATED_KEYS.format(roles.repeats) if roles.repeats else NO_REPEATS]
    found["claims"] = [f"{name}: {why}" for name, why in roles.why.items()][:LISTED_COLUMNS] if not roles.series else []
    found["claims"] += terms.known
    if marks := sorted(set(chain.from_iterable(cells.marks for cells in roles.figures.values()))):
        found["claims"].append(MARKED_FIGURES.format(", ".join(map(repr, marks))))
    return found


def _period_evidence(roles: ColumnRoles) -> dict[str, list[str]]:
    if roles.series:
        written = roles.series_period.type.replace("_", "-")
        return {
            "period": [f"the names of the columns that become rows end with the {written}"],
            "unpivot": [f"{sum(map(len, roles.series.values()))} columns hold one figure each for a {written}"],
        }
    if roles.period:
        return {"period": [f"every text of {roles.period['column']!r} is written as a {roles.period['type']}"]}
    return {"period": [NO_PERIOD]}
