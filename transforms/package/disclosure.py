"""What pages and packages may show to anybody: which values are left out, and why."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.concepts import Concept
from schemas.contract import Contract
from transforms.normalisation.personal import personal_columns


@dataclass(frozen=True)
class Disclosure:
    """What is left out of pages and packages for anybody besides what the release itself withholds.

    closed: contracts whose `may_share` does not let everybody see their values. personal: (contract, concept) of
    figures that are personal data, of which nothing is listed. least: concept -> the least count that is shown.
    """

    closed: tuple[str, ...]
    closed_obligations: tuple[str, ...]
    personal: tuple[tuple[str, str], ...]
    least: dict[str, int]

    def is_personal(self) -> pl.Expr:
        """Return whether a row with contract and concept is personal data."""
        return pl.any_horizontal(
            pl.lit(False),
            *((pl.col("contract") == contract) & (pl.col("concept") == concept) for contract, concept in self.personal),
        )

    def shown_value(self) -> pl.Expr:
        """Return the value of a row with contract, concept and value, null where not everybody may see it."""
        least = pl.col("concept").replace_strict(self.least, default=None, return_dtype=pl.Int64)
        is_small = (pl.col("value").abs() < least).fill_null(value=False)
        is_closed = pl.col("contract").is_in(list(self.closed))
        return pl.when(~is_small & ~is_closed).then(pl.col("value")).alias("value")

    def changes_for_anybody(
        self, changes: Iterable[Mapping[str, Any]], contracts: Collection[str]
    ) -> list[dict[str, Any]]:
        """Return which of some changes of a backfill's diff anybody may see: figures without any limit.

        A change has table, what (its concept first), contract (all of the item, joined), before and after. What a
        contract says that is not among `contracts` any more is not known, so its figures are not shown.
        """
        free = set(contracts) - {*self.closed, *(contract for contract, _ in self.personal)}
        return [
            dict(change)
            for change in changes
            if change["table"] == "observations"
            and free.issuperset((change["contract"] or "").split(", "))
            and change["what"].split(" ")[0] not in self.least
            and not any((change[side] or "").startswith("withheld") for side in ("before", "after"))
        ]


def disclosure_of(contracts: Iterable[Contract], concepts: Mapping[str, Concept]) -> Disclosure:
    """Return what contracts and vocabulary let everybody see. A contract that states nothing of it is no obstacle."""
    contracts = list(contracts)
    closed = [c for c in contracts if c.may_share not in (None, "all")]
    return Disclosure(
        closed=tuple(sorted(c.contract for c in closed)),
        closed_obligations=tuple(sorted({c.obligation for c in closed})),
        personal=tuple(
            (c.contract, claim.concept) for c in contracts for claim in c.claims if _personal(c, claim.column)
        ),
        least={name: c.suppress_below for name, c in concepts.items() if c.suppress_below is not None},
    )


def _personal(contract: Contract, column: str) -> bool:
    unit = contract.unit.source_columns() if contract.unit else ()
    return bool({column, *unit} & set(personal_columns(contract, None)))
