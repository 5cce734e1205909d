"""The star schema: the published tables with real types, comments and keys, and the dimensions that facts refer to.

Every published table has its own name and all its columns. Three of them are dimensions (`concepts`, `obligations`,
`units`); what facts name and they do not describe (a provisional unit, a concept that the vocabulary has dropped) gets
a row too, with `described` false, so that each foreign key holds. `reporting_units`, `periods`, `submissions` and
`releases` are dimensions that only the mart has; `withheld_counts` lists what it withholds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeEngine

from schemas.claims import EXPORTED_SUBMISSION, PUBLISHED_TABLES, Column
from schemas.description_tables import DESCRIPTION_TABLES
from schemas.errors import UsageError
from schemas.kind import Kind
from schemas.overlap import MEASURED_TABLES
from schemas.record_tables import published_kind_tables

STAR: Final = "engang_star"
"""The schema of the tables."""
LOADING: Final = "engang_load"
"""The schema in which a mart is loaded before it takes the place of the other."""
VIEWS: Final = "engang"
"""The schema of the views: what others build on."""
READING_ROLE: Final = "engang_reader"
"""The role that may read the mart, and nothing else."""
SOURCE_NUMBER: Final = "source_number"
"""The key of `sources`: of one row and position a file may have several claims, in columns whose names, which senders
write, may be longer than any index takes."""
UNIT_KEY: Final = "unit_key"
"""The key of a reporting unit: its id, or the beginning and the hash of one that is longer than an index takes, for the
id of a provisional unit is the name that a sender gave it."""
_UNIT_KEY_SQL: Final = (
    "CASE WHEN octet_length(unit_id) <= 500 THEN unit_id ELSE left(unit_id, 100) || '~' || md5(unit_id) END"
)
MARKED: Final = ("concepts", "obligations")
"""The published dimensions that hold rows, not `described`, of what only facts name."""

_TYPES: Final[Mapping[object, type[TypeEngine[Any]]]] = {
    pl.String: sa.Text, pl.Date: sa.Date, pl.Boolean: sa.Boolean, pl.Int8: sa.SmallInteger, pl.Int16: sa.SmallInteger,
    pl.Int32: sa.Integer, pl.UInt32: sa.BigInteger, pl.Int64: sa.BigInteger, pl.Float64: sa.Double,
}  # fmt: skip
_JSON: Final = {("observations", "breakdown"), ("conflicts", "breakdown"), ("concepts", "derives")}
"""The columns of JSON text that are `jsonb` in the mart; what senders wrote as JSON stays text, byte for byte."""

REPORTING_UNIT_COLUMNS: Final = (
    Column("unit_id", pl.String, "The reporting unit, as in `observations`"),
    Column("kind", pl.String, "Kind of reporting unit"),
    Column("code", pl.String, "Its newest code", nullable=True),
    Column("name", pl.String, "Its newest name"),
    Column("parent_id", pl.String, "The unit of which it is a part: a municipality's county", nullable=True),
    Column("provisional", pl.Boolean, "Whether no register has it: it is known by what was delivered"),
)
PERIOD_COLUMNS: Final = (
    Column("period_start", pl.Date, "First day of the period"),
    Column("period_end", pl.Date, "First day after the period (half-open)"),
    Column("year", pl.Int32, "Year of its first day"),
    Column("quarter", pl.Int32, "Quarter of its first day, 1 to 4"),
    Column("month", pl.Int32, "Month of its first day, 1 to 12"),
    Column("days", pl.Int32, "Its length"),
    Column("label", pl.String, "2024, 2024-Q1 or 2024-01; other periods as their first and last day"),
)
RELEASE_COLUMNS: Final = (
    Column("release", pl.Int32, "The release's number"),
    Column("published_at", pl.Datetime("us"), "When it was published, UTC"),
    Column("digest", pl.String, "The digest of its content"),
    Column("counts", pl.String, "What it counts"),
)
WITHHELD_COLUMNS: Final = (
    Column("item_id", pl.String, "An item whose count is too small, or was, or would give one away"),
    Column("partition", pl.String, "Month of its period's first day, YYYY-MM"),
    Column("is_current", pl.Boolean, "Whether its value is withheld; of all items here former values are"),
)  # fmt: skip
DERIVED_TABLES: Final = {
    "reporting_units": REPORTING_UNIT_COLUMNS, "periods": PERIOD_COLUMNS, "submissions": EXPORTED_SUBMISSION,
    "releases": RELEASE_COLUMNS, "withheld_counts": WITHHELD_COLUMNS,
}  # fmt: skip
"""The dimensions that a release has no table of."""

_ABOUT: Final = {
    "observations": "One row for each item: what is published of it",
    "sources": "One row for each claim behind an item, with the cell that it came from",
    "conflicts": "The claims of items whose reports contradict each other",
    "changes": "One row for each item and release that added, changed or removed it",
    "concepts": "What is measured, by concept",
    "dimensions": "The dimensions of breakdowns, one row for each of their codes",
    "obligations": "The reporting duties and the contracts that answer them",
    "units": "The register of reporting units, one row for each validity of a code",
    "reporting_units": "Every reporting unit, one row each, with its newest code and name",
    "periods": "Every period that an observation is about",
    "submissions": "The deliveries that the sources name",
    "releases": "The releases up to the one that the mart holds",
    "withheld_counts": "The items whose values are withheld for the least count of a concept",
    "overlap": "How many items two obligations both ask for",
    "overlap_reporters": "How many items two reporters both state",
    "burden": "What reports cost, and the part of it spent on figures that another obligation has",
    "redundancy": "The share of figures that is superfluous, of all, of each agency, sender and unit",
    "coverage": "Which obligations have the same items, and which most accurately",
    "suspected": "Double reporting that nobody declared, with its evidence",
}


@dataclass(frozen=True)
class Keys:
    """The keys of a table: its primary key, foreign keys (columns, table), further indices."""

    primary: tuple[str, ...] = ()
    foreign: tuple[tuple[tuple[str, ...], str], ...] = ()
    indexed: tuple[tuple[str, ...], ...] = ()


_PERIOD_KEY: Final = ("period_start", "period_end")
_DUTY_KEY: Final = ("obligation", "contract")
_RELEASED: Final = (("release",), "releases")
_ITEM_SOURCES: Final = ((("submission_id",), "submissions"), (_DUTY_KEY, "obligations"))
_KEYS: Final = {
    "observations": Keys(
        ("item_id",),
        ((("concept",), "concepts"), ((UNIT_KEY,), "reporting_units"), (_PERIOD_KEY, "periods")),
    ),
    "sources": Keys((SOURCE_NUMBER,), ((("item_id",), "observations"), *_ITEM_SOURCES)),
    "conflicts": Keys((), ((("item_id",), "observations"),)),
    "changes": Keys(("item_id", "release"), (_RELEASED,)),
    "concepts": Keys(("concept",)),
    "obligations": Keys(_DUTY_KEY),
    "units": Keys((), (((UNIT_KEY,), "reporting_units"),)),
    "reporting_units": Keys((UNIT_KEY,)),
    "periods": Keys(_PERIOD_KEY),
    "submissions": Keys(("submission_id",)),
    "releases": Keys(("release",)),
    "withheld_counts": Keys(("item_id",)),
}
PRIMARY_OF: Final = {name: keys.primary for name, keys in _KEYS.items()}


def _kind_keys(kind: str) -> dict[str, Keys]:
    item = (("item_id",), kind)
    return {
        kind: Keys(("item_id",)),
        f"{kind}_sources": Keys(("item_id", "report_id", "claim_id"), (item, *_ITEM_SOURCES)),
        f"{kind}_conflicts": Keys((), (item,)),
        f"{kind}_changes": Keys(("item_id", "release"), (_RELEASED,)),
        f"{kind}_history": Keys((), (_RELEASED,), (("item_id",),)),
    }


@dataclass(frozen=True)
class Group:
    """The tables of observations, or of one record kind, that a later release replaces item by item, or adds to."""

    items: str
    replaced: tuple[str, ...]
    added_to: tuple[str, ...]

    @property
    def sources(self) -> str:
        """The table of the claims behind the items."""
        return self.replaced[0]

    @property
    def changes(self) -> str:
        """The table that lists which items a release changed."""
        return self.added_to[0]


OBSERVATIONS: Final = Group("observations", ("sources", "conflicts", "observations"), ("changes",))


@dataclass(frozen=True)
class Star:
    """The tables of a mart.

    metadata: all of them, without a schema. published: the columns of each table of the release. groups: those that are
    replaced item by item; whole: those that are written whole where they differ.
    """

    metadata: sa.MetaData
    published: Mapping[str, tuple[Column, ...]]
    groups: tuple[Group, ...]
    whole: tuple[str, ...] = field(default=(*MEASURED_TABLES, *DESCRIPTION_TABLES))

    def table(self, name: str) -> sa.Table:
        """Return one of its tables."""
        return self.metadata.tables[name]


def star_of(kinds: Iterable[Kind]) -> Star:
    """Return the star of a release with these record kinds; `UsageError` for a kind with the name of another table."""
    published = {**PUBLISHED_TABLES, **MEASURED_TABLES, **DESCRIPTION_TABLES}
    keys, groups, about = dict(_KEYS), [OBSERVATIONS], dict(_ABOUT)
    for kind in kinds:
        tables, name = published_kind_tables(kind), kind.kind
        taken = tables.keys() & {*published, *DERIVED_TABLES}
        if taken:
            raise UsageError(
                f"record kind {name!r}: the mart has a table {min(taken)} already; give the kind another name"
            )
        published |= tables
        keys |= _kind_keys(name)
        about |= {
            table: f"{kind.title.en}: {table.removeprefix(name).strip('_') or 'one row for each item'}"
            for table in tables
        }
        replaced = (f"{name}_sources", f"{name}_conflicts", name)
        groups.append(Group(name, replaced, (f"{name}_changes", f"{name}_history")))
    metadata = sa.MetaData(naming_convention={"ix": "%(table_name)s_%(column_0_N_name)s"})
    for name, columns in {**published, **DERIVED_TABLES}.items():
        _add_table(metadata, name, columns, keys.get(name, Keys()), about.get(name, ""))
    return Star(metadata, published, tuple(groups))


def _add_table(metadata: sa.MetaData, name: str, columns: tuple[Column, ...], keys: Keys, about: str) -> None:
    own = [
        sa.Column(c.name, _sql_type(name, c), nullable=c.name not in keys.primary, comment=_comment(c)) for c in columns
    ]
    constraints: list[sa.Constraint] = [sa.PrimaryKeyConstraint(*keys.primary)] if keys.primary else []
    for names, other in keys.foreign:
        target = [f"{other}.{column}" for column in _target(other, names)]
        constraints.append(sa.ForeignKeyConstraint(names, target, deferrable=True, initially="DEFERRED"))
    table = sa.Table(name, metadata, *own, *_added_columns(name, keys), *constraints, comment=about or None)
    for names in _indexed(keys):
        sa.Index(None, *(table.c[column] for column in names))


def _added_columns(name: str, keys: Keys) -> Iterator["sa.Column[Any]"]:
    """Yield the columns that a table has in the mart alone."""
    if name in MARKED:
        about_mark = "False where only facts name it: then all else is null"
        yield sa.Column("described", sa.Boolean, server_default=sa.true(), nullable=False, comment=about_mark)
    if UNIT_KEY in {*keys.primary, *(column for names, _ in keys.foreign for column in names)}:
        computed, about_key = sa.Computed(_UNIT_KEY_SQL, persisted=True), "The unit's id, or its hash if it is long"
        yield sa.Column(UNIT_KEY, sa.Text, computed, nullable=UNIT_KEY not in keys.primary, comment=about_key)
    if SOURCE_NUMBER in keys.primary:
        yield sa.Column(SOURCE_NUMBER, sa.BigInteger, sa.Identity(), comment="Numbers the rows of this mart")


def _indexed(keys: Keys) -> list[tuple[str, ...]]:
    """Return the columns of each index that the primary key is not already."""
    several = (*(names for names, other in keys.foreign if other != "releases"), *keys.indexed)
    return [names for names in several if names != keys.primary[: len(names)]]


def _target(other: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return PRIMARY_OF.get(other, names)


def _comment(column: Column) -> str:
    return column.doc + (f": {', '.join(column.values)}" if column.values else "")


def _sql_type(table: str, column: Column) -> TypeEngine[Any]:
    if (table, column.name) in {*_JSON, ("releases", "counts")}:
        return JSONB()
    return _type_of(column.dtype)


def _type_of(dtype: object) -> TypeEngine[Any]:
    if isinstance(dtype, pl.List):
        return ARRAY(_type_of(dtype.inner))
    if isinstance(dtype, pl.Decimal):
        return sa.Numeric(dtype.precision, dtype.scale)
    if isinstance(dtype, pl.Datetime) or dtype is pl.Datetime:
        return sa.DateTime()
    plain = dtype if isinstance(dtype, type) else type(dtype)
    return _TYPES[plain]()
