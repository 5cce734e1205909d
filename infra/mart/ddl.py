"""The star's statements: what creates its tables, their keys, their comments, and the role that may read them."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable, DDLElement

from infra.mart.star import READING_ROLE, STAR, VIEWS, Star

_DIALECT: Final = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy's own


def quoted(name: str) -> str:
    """Return a name as PostgreSQL takes any."""
    return f'"{name.replace(chr(34), chr(34) * 2)}"'


def literal(text: str) -> str:
    """Return a text as a literal of PostgreSQL, whatever its settings."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def comment(what: str, name: str, about: str, columns: Mapping[str, str]) -> Iterator[str]:
    """Yield what describes a table or a view (`what`) and its columns; `name` is quoted."""
    yield f"COMMENT ON {what} {name} IS {literal(about)}"
    yield from (f"COMMENT ON COLUMN {name}.{quoted(column)} IS {literal(text)}" for column, text in columns.items())


def create_tables(star: Star) -> str:
    """Return what creates the tables, without keys: rows are loaded faster so."""
    return _script(CreateTable(_bare(table)) for table in star.metadata.sorted_tables)


def create_keys(table: sa.Table) -> str:
    """Return what gives a loaded table its primary key, indices, comments and statistics."""
    statements: list[DDLElement] = [AddConstraint(table.primary_key)] if table.primary_key.columns else []
    statements += [CreateIndex(index) for index in sorted(table.indexes, key=lambda index: str(index.name))]
    name, comments = quoted(table.name), {column.name: column.comment or "" for column in table.c}
    script = [_script(statements)] if statements else []
    return ";\n".join([*script, *comment("TABLE", name, table.comment or "", comments), f"ANALYZE {name}"])


def create_foreign_keys(star: Star) -> str:
    """Return what gives the loaded tables their foreign keys; they are examined at the end of a transaction."""
    return _script(AddConstraint(key) for table in star.metadata.sorted_tables for key in _foreign_keys(table))


def layout_of(star: Star, least: Mapping[str, int]) -> str:
    """Return the digest of all that makes the tables: a mart of another layout is loaded from nothing.

    least: concept -> its least count. With another one other values are withheld.
    """
    tables = star.metadata.sorted_tables
    counts = [f"{concept} {count}" for concept, count in sorted(least.items())]
    text = [create_tables(star), *map(create_keys, tables), create_foreign_keys(star), *counts]
    return hashlib.sha256("\n".join(text).encode()).hexdigest()


def grant_reading() -> str:
    """Return what lets the reading role, where it exists, read the views and the tables."""
    schemas = f"{VIEWS}, {STAR}"
    return (
        f"GRANT USAGE ON SCHEMA {schemas} TO {READING_ROLE}; "
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schemas} TO {READING_ROLE}"
    )


def create_reader() -> str:
    """Return what creates the reading role if this user may; others may create it at the same moment."""
    return f"""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{READING_ROLE}')
                THEN CREATE ROLE {READING_ROLE} NOLOGIN;
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
        END $$"""


def _bare(table: sa.Table) -> sa.Table:
    columns = (sa.Column(c.name, c.type, *_own_value(c)) for c in table.c)
    return sa.Table(table.name, sa.MetaData(), *columns)


def _own_value(column: sa.Column[Any]) -> list[Any]:
    """Return what fills a column that the release has not: a number, or that its row is described."""
    if column.identity is not None:
        return [sa.Identity()]
    if column.computed is not None:
        return [sa.Computed(column.computed.sqltext, persisted=True)]
    return [] if column.server_default is None else [sa.DefaultClause(sa.true())]


def _foreign_keys(table: sa.Table) -> Iterator[sa.ForeignKeyConstraint]:
    yield from sorted(table.foreign_key_constraints, key=lambda key: tuple(key.column_keys))


def _script(statements: Iterable[DDLElement]) -> str:
    return ";\n".join(str(statement.compile(dialect=_DIALECT)).strip() for statement in statements)
