"""What a sender may not state: a reporter for whom it may not speak, and a version or time from the future."""

from functools import reduce
from operator import or_
from typing import Final

import polars as pl

from schemas.contract import Contract, Take
from transforms.normalisation.problems import Problem
from transforms.normalisation.texts.take_text import mapped_text
from transforms.rejects import shown_codes

RECEIVED_AT: Final = "_received_at"
"""The column of a batch with the receipt time (UTC, of the landing note), where `needs_receipt_time`."""
TOLERANCE: Final = pl.duration(days=1)
"""How far after its receipt a delivery may date itself: clocks and time zones differ."""


def needs_receipt_time(contract: Contract) -> bool:
    """Return whether rows have a version or time that is compared with the time of receipt."""
    return bool(_instants(contract))


def authority_problems(contract: Contract, columns: list[str]) -> list[Problem]:
    """Return what a sender may not state in the rows of a cells frame with these columns."""
    takes = [claim.reported_by for claim in contract.claims] + (
        [contract.record.reported_by] if contract.record else []
    )
    stated = {take.model_dump_json(): take for take in takes if take.source_columns()}
    problems = [_not_authorised(take, contract) for take in stated.values()] if contract.sender.speaks_for else []
    if RECEIVED_AT in columns:
        problems += [_from_the_future(column, time) for column, time in _instants(contract)]
    return problems


def _instants(contract: Contract) -> list[tuple[str, pl.Expr]]:
    """Return the columns of the contract's versions and times, with the time that is read from each."""
    version, reported = contract.report_version, contract.reported_at
    found = [(reported.column, pl.col("_reported_at"))] if reported else []
    if version and version.type == "datetime" and (not reported or version.column != reported.column):
        found.append((version.column, pl.col("_version").cast(pl.Datetime("us"))))
    return found


def _not_authorised(take: Take, contract: Contract) -> Problem:
    reporter, sender = mapped_text(take), pl.col("sender")
    may, listed = [reporter == sender], {}
    for name, reporters in (contract.sender.speaks_for or {}).items():
        covers = pl.lit(True) if reporters == "any" else reporter.is_in(list(reporters))
        may.append((sender == name) & covers)
        listed[name] = "any" if reporters == "any" else shown_codes(reporters)
    others = sender.replace_strict(list(listed), list(listed.values()), default=None, return_dtype=pl.String)
    bad = (reporter != "") & ~reduce(or_, may)
    expected = pl.concat_str(pl.lit("the sender itself"), others, separator=", ", ignore_nulls=True)
    hint = "name a reporter for whom this sender may speak, or add it to `sender.speaks_for` of the contract"
    return Problem("not-authorised", take.source_columns()[0], bad, reporter, expected, hint)


def _from_the_future(column: str, time: pl.Expr) -> Problem:
    latest = pl.col(RECEIVED_AT) + TOLERANCE
    expected = pl.concat_str(pl.lit("a time of at most "), latest.dt.strftime("%Y-%m-%dT%H:%M:%S"))
    hint = "correct the time: a delivery cannot be about what comes after it"
    return Problem("from-the-future", column, time > latest, pl.col(column), expected, hint)
