"""A draft read as a delivery is: which of its cells give exactly the claims that they were filled in for."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from schemas.contract import Contract
from schemas.errors import SubmissionError
from transforms.normalisation.observations import normalise
from transforms.parsing.parse import parse
from transforms.prefill.cells import DraftCell
from transforms.register.lookup import Register


@dataclass(frozen=True)
class Delivered:
    """How a draft is delivered: by whom, and the period that the sender states where the file does not."""

    sender: str
    period: str | None = None


def unread_cells(
    data: bytes, cells: Iterable[DraftCell], contract: Contract, register: Register, how: Delivered
) -> list[DraftCell]:
    """Return the filled cells of which the file, read by its contract, does not state the item and the value.

    What the contract asks for besides is left to the sender, and checked with the rules when the file is checked.
    """
    wanted = [cell for cell in cells if cell.text]
    claims = _claims(data, contract, register, how)
    return [cell for cell in wanted if (cell.item["item_id"], cell.item["value"]) not in claims]


def _claims(data: bytes, contract: Contract, register: Register, how: Delivered) -> set[tuple[str, object]]:
    """Return the items and values that the file states; none where it cannot be read."""
    lenient = contract.model_copy(
        update={
            "claims": tuple(claim.model_copy(update={"missing": "skip"}) for claim in contract.claims),
            "rules": (),
        }
    )
    try:
        raw = parse(data, lenient).raw
    except SubmissionError:
        return set()
    batch = raw.with_columns(
        submission_id=pl.lit("draft"), sender=pl.lit(how.sender), option_period=pl.lit(how.period, dtype=pl.String)
    )
    return set(normalise(batch, lenient, register).claims.select("item_id", "value").rows())


def numbered_rows(data: bytes, contract: Contract, count: int) -> dict[int, int]:
    """Return the number that each row has in a check -> its place among the rows of the draft.

    Empty where the file has another number of rows than the draft.
    """
    try:
        numbers = parse(data, contract).raw["row"].unique().sort().to_list()
    except SubmissionError:
        return {}
    return {number: place for place, number in enumerate(numbers)} if len(numbers) == count else {}
