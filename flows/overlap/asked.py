"""Asked twice: which columns of a planned contract are asked already, by whom, and since when."""

from pathlib import Path
from typing import Any

import polars as pl

from flows.installation import Installation
from flows.overlap.tables import overlap_table
from flows.releases import find_release
from infra.lake import access as lake_access
from schemas.contract import ClaimSpec, Contract, read_contract
from schemas.errors import UsageError
from transforms.overlap.breakdowns import claim_codes, may_overlap


@lake_access.scan_errors()
def asked_already(installation: Installation, file: Path) -> list[dict[str, Any]]:
    """Return a row for each figure or field that a contract file asks: column, concept or field, asked_by.

    asked_by: a list of contract, obligation, agency, column, items, since: how many items of it the current release has
    from that obligation, and the first day of their first period (null without a release). Other versions of the same
    contract, and contracts of its obligation, do not count. Raises `UsageError` if the file cannot be read,
    `ContractError` if it is no contract.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}): give the YAML file of a contract") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: {error}") from None
    planned = installation.completed(read_contract(text, str(file)))
    others = [c for c in installation.contracts.values() if c.obligation != planned.obligation]
    reported = _reported(installation)
    if planned.record is not None:
        return [_field_row(planned, name, others) for name in planned.record.fields]
    return [_claim_row(planned, claim, others, reported) for claim in planned.claims]


def _claim_row(
    planned: Contract, claim: ClaimSpec, others: list[Contract], reported: dict[tuple[str, str], dict[str, Any]]
) -> dict[str, Any]:
    codes = claim_codes(planned, claim)
    asked_by = [
        {
            "contract": other.contract,
            "obligation": other.obligation,
            "agency": other.agency,
            "column": theirs.column,
            **reported.get((other.obligation, claim.concept), {"items": 0, "since": None}),
        }
        for other in others
        for theirs in other.claims
        if theirs.concept == claim.concept and may_overlap(codes, claim_codes(other, theirs))
    ]
    return {"column": claim.column, "concept": claim.concept, "asked_by": asked_by}


def _field_row(planned: Contract, name: str, others: list[Contract]) -> dict[str, Any]:
    """Return the row of a field of a record: who else asks this field of records of the kind."""
    record = planned.record
    if record is None:
        return {}
    asked_by = [
        {
            "contract": other.contract,
            "obligation": other.obligation,
            "agency": other.agency,
            "column": ", ".join(other.record.fields[name].source_columns()),
        }
        for other in others
        if other.record is not None and other.record.kind == record.kind and name in other.record.fields
    ]
    return {"column": ", ".join(record.fields[name].source_columns()), "field": name, "asked_by": asked_by}


def _reported(installation: Installation) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the items that each obligation has of each concept in the current release, and since when."""
    try:
        release = find_release(installation)
    except UsageError:  # nothing is released yet: what contracts declare is known all the same
        return {}
    coverage = overlap_table(installation, release, "coverage").explode("obligations")
    counts = coverage.group_by("concept", obligation="obligations").agg(
        pl.col("items").sum(), since=pl.col("period_start").min()
    )
    return {
        (row["obligation"], row["concept"]): {"items": row["items"], "since": row["since"]} for row in counts.to_dicts()
    }
