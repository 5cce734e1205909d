"""What a sender fills in for one contract, and what is wrong with what was filled in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from schemas.contract import IDENTIFIER, Contract

MOST_CHARACTERS: Final = 64
"""The longest text of a field."""
EXAMPLE_DAY: Final = date(2025, 1, 31)
EXAMPLES: Final[dict[str, str]] = {
    "year": "2025", "half_year": "2025-H1", "quarter": "2025-Q1", "month": "2025-01", "week": "2025-W05",
    "day": "2025-01-31", "school_year": "2024/25",
}  # fmt: skip
"""How a period is written where the contract gives no format of its own."""
SUFFIXES: Final[dict[str, tuple[str, ...]]] = {
    "csv": (".csv", ".txt", ".tsv", ".gz"),
    "json": (".json", ".jsonl", ".gz"),
    "xml": (".xml", ".gz"),
    "fixed_width": (".txt", ".dat", ".gz"),
    "sdmx_csv": (".csv", ".gz"),
}
"""Format -> endings that a browser offers, if not the format's own name; any other file may be chosen too."""


@dataclass(frozen=True)
class Fields:
    """What the form of one contract asks for, besides the file.

    senders: the senders to choose from, empty for any. sender: the one that is chosen if none is stated. asks_sender,
    asks_period: whether the sender is asked for these. period_example: how a period is written, if that is known.
    """

    senders: tuple[str, ...]
    sender: str | None
    asks_sender: bool
    asks_period: bool
    period_example: str | None
    suffixes: tuple[str, ...]


def fields_of(contract: Contract) -> Fields:
    """Return what the form of a contract asks for."""
    senders = contract.sender.known()
    asks_period = "period" in contract.options()
    return Fields(
        senders=senders,
        sender=contract.sender.default,
        asks_sender=contract.sender.allowed == "any" or len(senders) > 1 or contract.sender.default is None,
        asks_period=asks_period,
        period_example=_period_example(contract) if asks_period else None,
        suffixes=(*SUFFIXES.get(contract.format.type, (f".{contract.format.type}",)), ".zip"),
    )


def _period_example(contract: Contract) -> str | None:
    if contract.period is None:
        return None
    form = getattr(contract.period, "format", None)
    return EXAMPLE_DAY.strftime(form) if form else EXAMPLES.get(contract.period.type)


def field_problems(contract: Contract, stated: Mapping[str, str], *, has_file: bool) -> dict[str, str]:
    """Return for each field that is wrong the key of the text that explains it, in the order of the form."""
    fields, problems = fields_of(contract), {}
    if not has_file:
        problems["file"] = "no_file"
    if fields.asks_period and not stated["period"]:
        problems["period"] = "no_period"
    elif len(stated["period"]) > MOST_CHARACTERS:
        problems["period"] = "too_long"
    sender = stated["sender"] or fields.sender
    if sender is None:
        problems["sender"] = "no_sender"
    elif not re.fullmatch(IDENTIFIER, sender):
        problems["sender"] = "sender_name"
    elif not contract.sender.may_deliver(sender):
        problems["sender"] = "sender_may_not"
    return problems
