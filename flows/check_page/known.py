"""What is known of a report already, as the page shows it to anybody who asks; nothing of it is stored."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.installation import Installation
from flows.overlap.prefill.draft import draft_name, draw_up_draft
from flows.overlap.prefill.sources import sources_csv
from schemas.contract import Contract
from schemas.errors import UsageError


@dataclass(frozen=True)
class LookedUp:
    """The answer to one question: the rows of the draft's sources, its files, or why there are none.

    draft, sources: the bytes in base64. problem: what is wrong with the question; then all else is empty.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    filename: str = ""
    draft: str = ""
    sources: str = ""
    passes: bool = False
    problem: str | None = None

    @property
    def filled(self) -> int:
        """How many figures are filled in."""
        return sum(row["filled"] for row in self.rows)


def look_up(installation: Installation, contract: Contract, asked: Mapping[str, str]) -> LookedUp:
    """Return what everybody may be shown of a unit and period, as the draft of a contract's report."""
    unit, period = asked["unit"], asked["period"]
    try:
        draft = draw_up_draft(installation, contract.contract, unit, period, everyone=True, sheet=False)
    except UsageError as error:
        return LookedUp(problem=str(error))
    sources = sources_csv(draft.sources).encode()
    return LookedUp(
        draft.sources, draft_name(draft, period), _base64(draft.data), _base64(sources), passes=draft.passes
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
