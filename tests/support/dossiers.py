"""Dossiers of an invented obligation, as `flows.overlap.dossier.describe_dossier` gives them."""

from typing import Any

from flows.overlap.dossier_sql import dossier_sql
from schemas.claims import empty
from schemas.concepts import Vocabulary, load_vocabulary
from schemas.overlap import DERIVABLE_FROM
from tests.support.overlap_statements import statements
from transforms.overlap.dossier import draw_verdict
from transforms.overlap.replacements import replacements

HOSTILE = '<script>alert("x")</script>'
VOCABULARY: Vocabulary = load_vocabulary()


def described(*, differs: bool = True, hours: tuple[float | None, float | None] = (1200.5, 2400.0)) -> dict[str, Any]:
    """Return the dossier of an obligation with three columns: one known elsewhere, one in part, one not at all."""
    rows: list[dict[str, object]] = []
    for unit in range(30):
        place = {"unit": f"{unit:04}", "concept": "population"}
        for sex, other in (("F", 100 + unit), ("M", 200 + unit + (differs and unit == 7))):
            breakdown = f'{{"sex":"{sex}"}}'
            rows.append({"obligation": "a", "value": 100 + unit + 100 * (sex == "M"), "breakdown": breakdown, **place})
            rows.append({"obligation": HOSTILE, "value": other, "breakdown": breakdown, **place})
        if differs:
            rows.append({"obligation": "a", "unit": f"{unit:04}", "value": 1, "concept": "of-its-own"})
    found = draw_verdict(replacements(statements(rows), "a", empty(DERIVABLE_FROM)), "a", hours)
    bases = [("a", "Etat A", "LOV-1", True), (HOSTILE, None, "FILL IN", False)]
    names = ("obligation", "agency", "legal_basis", "stated")
    return {
        **found.as_dict(),
        "release": 3,
        "agency": "Etat A",
        "title": {"nb": f"Folk {HOSTILE}", "nn": "Folk", "en": "People"},
        "hours_basis": None if hours[0] is None else "surveyed",
        "hours_source": None,
        "legal_gate": "not_passed",
        "legal_basis": [dict(zip(names, basis, strict=True)) for basis in bases],
        "sql": dossier_sql("a", sums=False),
    }
