"""Deliveries of any shape under a contract that a test writes: read and normalised against a small register."""

from datetime import date
from functools import cache
from typing import Any, NamedTuple

import polars as pl

from schemas.contract import Contract, read_contract
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.normalisation.observations import Normalised, normalise
from transforms.parsing.parse import parse
from transforms.parsing.raw_frame import ParseResult
from transforms.register.build import build_register
from transforms.register.lookup import Register

UNITS = {"0301": "Oslo", "1103": "Stavanger", "4601": "Bergen", "5001": "Trondheim"}
END = "\nrepeat: error\nexamples: [{name: none, given: ''}]\n"


class Received(NamedTuple):
    """What a delivery resulted in, and the contract."""

    contract: Contract
    parsed: ParseResult
    done: Normalised

    def claims(self, *columns: str) -> list[tuple[Any, ...]]:
        """Return these columns of the claims, in order of row and position."""
        return self.done.claims.sort("row", "position").select(columns).rows()

    def rejects(self, *columns: str) -> list[tuple[Any, ...]]:
        """Return these columns of all rejects, in order."""
        both = pl.concat([self.parsed.rejects, self.done.rejects.drop("submission_id")])
        return both.sort("row", "column", "reason", nulls_last=True).select(columns).rows()

    def buckets(self) -> tuple[int, int, int]:
        """Return how many rows were claimed, rejected and ignored; they must be all that were delivered."""
        claimed, rejected, ignored = self.done.counts.select("claimed", "rejected", "ignored").sum().row(0)
        found = (claimed, rejected + self.parsed.unread, ignored + self.parsed.ignored)
        assert sum(found) == self.parsed.delivered
        return found


@cache
def small_register() -> Register:
    """Return a register of four municipalities, valid since 1900."""
    units = pl.DataFrame(
        [("municipality", code, name, date(1900, 1, 1), None) for code, name in UNITS.items()],
        {"kind": pl.String, "code": pl.String, "name": pl.String, "valid_from": pl.Date, "valid_to": pl.Date},
        orient="row",
    )
    sides = ("code", "name", "valid_from", "valid_to")
    changes = {f"{side}_{part}": units.schema[part] for side in ("old", "new") for part in sides}
    return build_register(units, pl.DataFrame(schema={"kind": pl.String, **changes}))


def received(text: str, data: bytes, register: Register | None = None) -> Received:
    """Return what a file results in under a contract of this text, to which head and end are added."""
    contract = read_contract(CONTRACT_HEAD + "sender: {default: me}\n" + text + END)
    parsed = parse(data, contract)
    batch = parsed.raw.with_columns(
        submission_id=pl.lit("s"), sender=pl.lit("me"), option_period=pl.lit(None, pl.String)
    )
    return Received(contract, parsed, normalise(batch, contract, register or small_register()))
