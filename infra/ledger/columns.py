"""Building blocks of the ledger's tables: constraint names, and the kinds of columns that many of them have."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, ForeignKey, Integer, MetaData, Text

SUBMISSION_STATUS: Final = ("live", "withdrawn", "rejected")

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

SERIAL: Final = BigInteger().with_variant(Integer(), "sqlite")
"""A number that the database generates; SQLite does so only for its own INTEGER."""


def serial_id() -> Column[Any]:
    """Return the column `id`, by which the database numbers the rows."""
    return Column("id", SERIAL, primary_key=True, autoincrement=True)


def text(name: str, *args: ForeignKey, primary_key: bool = False, nullable: bool = False) -> Column[Any]:
    """Return a column of text."""
    return Column(name, Text, *args, primary_key=primary_key, nullable=nullable)


def time(name: str, *, nullable: bool = False) -> Column[Any]:
    """Return a column of timestamps: UTC, without a zone."""
    return Column(name, DateTime, nullable=nullable)


def count(name: str) -> Column[Any]:
    """Return a column that counts."""
    return Column(name, BigInteger, nullable=False)


def reject_details() -> tuple[Column[Any], ...]:
    """Return the columns of `schemas.claims.REJECT` after the submission."""
    return (
        Column("row", Integer),
        text("column", nullable=True),
        text("reason"),
        text("rule", nullable=True),
        text("severity"),
        text("found", nullable=True),
        text("expected"),
        text("hint"),
    )


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """Return a constraint that a column holds one of these texts."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(v) for v in values)})", name=column)
