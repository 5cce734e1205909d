"""The tables that describe a release: what its concepts, dimensions, obligations and units are, in three languages.

They are written when their content changes, in the version that each release names; no digest covers them.
"""

from collections.abc import Iterator
from typing import Final

import polars as pl

from schemas.claims import VALUE, Column
from schemas.record_tables import SINGLE_PARTITION

TITLE_LANGUAGES: Final = {"nb": "Bokmål", "nn": "Nynorsk", "en": "English"}
_PARTITION: Final = Column("partition", pl.String, f"Always `{SINGLE_PARTITION}`")


def _titles(prefix: str, what: str, *, nullable: bool = False) -> Iterator[Column]:
    for code, language in TITLE_LANGUAGES.items():
        yield Column(f"{prefix}_{code}", pl.String, f"{what} in {language}", nullable=nullable)


CONCEPT: Final = (
    Column("concept", pl.String, "Its name, as in `observations`"),
    *_titles("title", "Its title"),
    Column("definition", pl.String, "What is counted, and what is not"),
    Column("measures", pl.List(pl.String), "The units of measure of its values; `currency` is each currency"),
    Column("dimensions", pl.List(pl.String), "The dimensions of its breakdowns; null for any", nullable=True),
    Column("derives", pl.String, "Roll-ups that give items of it: JSON array text"),
    Column("suppress_below", pl.Int32, "The least count that may be published", nullable=True),
    Column("family", pl.String, "The family of like concepts that it is of", nullable=True),
    Column("contracts", pl.List(pl.String), "The contracts that report it, sorted"),
    Column("declared_by", pl.String, "The file of the vocabulary, or the contract, that declares it"),
    _PARTITION,
)

DIMENSION: Final = (
    Column("dimension", pl.String, "Its name: a key of `breakdown`"),
    *_titles("title", "Its title"),
    Column("open", pl.Boolean, "Whether other texts than its codes are accepted"),
    Column("code", pl.String, "One of its codes; null for a dimension without codes", nullable=True),
    *_titles("code_title", "The code's title", nullable=True),
    Column("declared_by", pl.String, "The file of the vocabulary, or the contract, that declares it"),
    _PARTITION,
)

OBLIGATION: Final = (
    Column("obligation", pl.String, "Name of the reporting duty"),
    Column("contract", pl.String, "A contract that answers it: one row each"),
    Column("version", pl.Int32, "The contract's version"),
    Column("agency", pl.String, "The agency that requires the reports"),
    *_titles("title", "Its title"),
    Column("legal_basis", pl.String, "Statute or regulation that imposes it; null if unknown", nullable=True),
    Column("purpose", pl.String, "What the reports are used for", nullable=True),
    Column("reporters", pl.String, "Who has the duty", nullable=True),
    Column("used_by", pl.List(pl.String), "Other agencies that use what is reported"),
    Column("may_share", pl.List(pl.String), "Agencies that may be shown it, `all` or `none`; null if nobody has stated"
           " it", nullable=True),
    Column("rhythm", pl.String, "How often a report is due"),
    Column("hours_low", VALUE, "The least hours that one report costs its sender", nullable=True),
    Column("hours_high", VALUE, "The most hours that one report costs its sender", nullable=True),
    Column("hours_basis", pl.String, "How the hours are known; null if they are unknown", nullable=True,
           values=("declared", "estimated", "surveyed", "measured")),
    Column("hours_source", pl.String, "Where the hours are from", nullable=True),
    Column("register_scheme", pl.String, "The register of reporting duties that lists it", nullable=True),
    Column("register_id", pl.String, "Its number there", nullable=True),
    _PARTITION,
)  # fmt: skip

UNIT: Final = (
    Column("unit_id", pl.String, "The reporting unit, as in `observations`: one row for each validity of a code"),
    Column("kind", pl.String, "Kind of reporting unit"),
    Column("code", pl.String, "Its code in that time"),
    Column("name", pl.String, "Its name in that time"),
    Column("valid_from", pl.Date, "First day"),
    Column("valid_to", pl.Date, "First day after; null while it is valid", nullable=True),
    Column("parent_id", pl.String, "The unit of which it is a part: a municipality's county", nullable=True),
    Column("successors", pl.List(pl.String), "The units that continue it from `valid_to` on, sorted"),
    Column("succession", pl.String, "How: it was merged into them, or split", nullable=True,
           values=("merged", "split")),
    _PARTITION,
)  # fmt: skip

DESCRIPTION_TABLES: Final = {"concepts": CONCEPT, "dimensions": DIMENSION, "obligations": OBLIGATION, "units": UNIT}
