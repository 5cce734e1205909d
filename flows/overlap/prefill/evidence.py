"""What a release, or what was delivered by a time, gives to fill in a report: statements that may be shown."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, replace

import polars as pl

from flows.installation import Installation
from flows.overlap.sharing import obligations_not_public, obligations_not_shared, obligations_that_copy
from schemas.concepts import Vocabulary
from schemas.contract import Contract
from transforms.derivations.roll_ups import deriving_concepts
from transforms.derivations.wholes import wholes_of
from transforms.normalisation.personal import personal_columns
from transforms.overlap.statements import read_statements
from transforms.prefill.known import ITEM, known_values
from transforms.prefill.sums import with_sums

RECEIVED = ("submission_id", "received_at")
"""What is read of submissions: when each was received."""


@dataclass(frozen=True)
class Viewpoint:
    """For whom figures are looked up: a contract whose report is to be filled in, and who will see the result.

    hidden: the obligations whose figures are not looked at. asked_by_hidden: the concepts that these ask for. personal:
    contract and concept of figures that are personal data. suppress_below: concept -> the least count that is shown.
    vocabulary: what may follow from other figures, of the contract's concepts alone.
    """

    contract: Contract
    hidden: tuple[str, ...]
    asked_by_hidden: frozenset[str]
    personal: tuple[tuple[str, str], ...]
    suppress_below: dict[str, int]
    vocabulary: Vocabulary

    @property
    def derives(self) -> bool:
        """Whether any figure of the contract may follow from others."""
        return bool(self.vocabulary.concepts)


def viewpoint_of(installation: Installation, contract: Contract, *, everyone: bool = False) -> Viewpoint:
    """Return the viewpoint of a contract's agency; `everyone`: of anybody at all, who sees what is `may_share: all`."""
    own, contracts = contract.obligation, list(installation.contracts.values())
    closed = obligations_not_public(installation) if everyone else obligations_not_shared(installation, own)
    asked = {claim.concept for c in contracts if c.obligation in closed and c.obligation != own for claim in c.claims}
    concepts = {claim.concept for claim in contract.claims}
    names = sorted(deriving_concepts(installation.vocabulary, concepts))
    declared = installation.vocabulary.concepts
    limits = {name: concept.suppress_below for name, concept in declared.items() if concept.suppress_below is not None}
    return Viewpoint(
        contract,
        tuple(sorted({*closed, *obligations_that_copy(installation, own)})),
        frozenset(asked),
        tuple((c.contract, claim.concept) for c in contracts for claim in c.claims if _is_personal(c, claim.column)),
        limits,
        replace(installation.vocabulary, concepts={name: declared[name] for name in names}),
    )


def _is_personal(contract: Contract, column: str) -> bool:
    """Return whether a figure is personal data: its own cell is, or the unit that it is about is a person."""
    unit = contract.unit.source_columns() if contract.unit else ()
    return bool({column, *unit} & set(personal_columns(contract, None)))


def shown_statements(
    sources: pl.LazyFrame, items: pl.DataFrame, received: pl.DataFrame, view: Viewpoint
) -> pl.DataFrame:
    """Return the statements that may be looked at, as `transforms.prefill.known.known_values` takes them.

    sources, items: as `read_statements`. received: `RECEIVED`.
    """
    visible = sources.filter(~pl.col("obligation").is_in(view.hidden))
    statements = read_statements(visible, items.lazy())
    key = pl.struct("contract", "concept")
    personal = [{"contract": contract, "concept": concept} for contract, concept in view.personal]
    is_personal = key.is_in(personal) if personal else pl.lit(value=False)
    dated = statements.join(received.select(RECEIVED), on="submission_id", how="left")
    return dated.with_columns(personal=is_personal)


def known_items(
    statements: pl.DataFrame, items: pl.DataFrame, view: Viewpoint, units: pl.DataFrame, wanted: pl.DataFrame
) -> pl.DataFrame:
    """Return what is known of items (`transforms.prefill.known.KNOWN_ITEM`), sums of others included.

    units: of the register. wanted: unit_id, unit_kind, unit_code, unit_name, period_start of the units of the report.
    """
    known = known_values(statements, items.select(ITEM.names()), view.contract.obligation, view.suppress_below)
    if not view.derives or known.is_empty():
        return known
    starts = known["period_start"].unique().sort().to_list()
    wholes = wholes_of(units, starts)
    wholes = wholes.filter(pl.col("whole").is_in(wanted["unit_id"].unique().implode()))
    own = statements.filter(pl.col("obligation") == view.contract.obligation).select("item_id", "lower", "upper")
    return with_sums(known, own, wanted, view.vocabulary, wholes)


def months(start: dt.date, end: dt.date) -> list[str]:
    """Return the months, YYYY-MM, of a period: the partitions that hold what begins in it."""
    first, last = start.year * 12 + start.month - 1, end.year * 12 + end.month - 1
    last -= end.day == 1 and last > first
    return [f"{number // 12}-{number % 12 + 1:02}" for number in range(first, last + 1)]


def units_within(units: pl.DataFrame, whole: Collection[str], start: dt.date) -> list[str]:
    """Return the units that are parts of some units on a day."""
    found = wholes_of(units, [start]).filter(pl.col("whole").is_in(list(whole)))
    return found["unit_id"].unique().sort().to_list()
