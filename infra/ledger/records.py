"""The ledger's part of a release of records: which item each report belongs to, decisions counted, warnings.

An item assignment (report → item) is stored where the item's id is not the report's own. Assignments are append-only:
a report's last one is in force. Frames go in and come out.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import bulk_insert, id_chunks, read_by_ids, read_frame

ASSIGNMENT: Final = {"report_id": pl.String(), "item_id": pl.String(), "release": pl.Int32()}
NEW_ASSIGNMENT: Final = {"kind": pl.String(), "report_id": pl.String(), "item_id": pl.String()}
WARNING: Final = {"kind": pl.String(), "what": pl.String(), "detail": pl.String(), "count": pl.Int64()}


@dataclass(frozen=True)
class RecordsPublished:
    """What a release writes to the ledger about records."""

    item_assignments: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=NEW_ASSIGNMENT))
    """`NEW_ASSIGNMENT`: item assignments that are new or changed."""
    counted: Collection[int] = ()
    """Decisions that this release counts and the previous one did not."""
    uncounted: Collection[int] = ()
    """Decisions that the previous release counted and this one does not: they were withdrawn."""
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """kind -> kind_digest, model_digest: what scored its pairs."""
    warnings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=WARNING))
    """`WARNING`: what the matching left out or could not do."""


def read_item_assignments(
    engine: Engine, kind: str, reports: Collection[str] | None = None, *, release: int | None = None
) -> pl.DataFrame:
    """Return the item assignments in force (`ASSIGNMENT`) of these reports or all: now, or as of a release.

    A report without one belongs to the item of its own id. `release` is the release that wrote the assignment.
    """
    return read_by_ids(engine, reports, lambda some_ids: _assignments_in_force(kind, some_ids, release))


def read_assignments_to(
    engine: Engine, kind: str, items: Collection[str], *, release: int | None = None
) -> pl.DataFrame:
    """Return the item assignments in force (`ASSIGNMENT`) of all reports that belong to these items."""
    c = t.item_assignments.c

    def _ever_assigned(some_ids: Sequence[str] | None) -> sa.Select[Any]:
        return sa.select(c.report_id).where(c.kind == kind, c.item_id.in_(some_ids or [])).distinct()

    reports = read_by_ids(engine, items, _ever_assigned)["report_id"]
    assignments = read_item_assignments(engine, kind, reports.unique().to_list(), release=release)
    return assignments.filter(pl.col("item_id").is_in(list(items)))


def read_assignment_history(engine: Engine, kind: str, reports: Collection[str] | None = None) -> pl.DataFrame:
    """Return the item assignments (`ASSIGNMENT`), old ones too, that decide the item ids of these reports; or all.

    These are the assignments of the reports themselves, and of any report that ever belonged to an item of their ids
    or to an item they ever belonged to. The empty text is no item.
    """
    c = t.item_assignments.c

    def _query(some_ids: Sequence[str] | None, column: str = "report_id") -> sa.Select[Any]:
        conditions = [c.kind == kind] if some_ids is None else [c.kind == kind, c[column].in_(some_ids)]
        return sa.select(*(c[name] for name in ASSIGNMENT)).where(*conditions)

    if reports is None:
        return read_frame(engine, _query(None))
    own = read_by_ids(engine, reports, _query)
    items = {*reports, *own["item_id"]} - {""}
    others = read_by_ids(engine, items, lambda some_ids: _query(some_ids, "item_id"))["report_id"]
    return pl.concat([own, read_by_ids(engine, set(others) - set(reports), _query)])


def _assignments_in_force(kind: str, reports: Sequence[str] | None, release: int | None) -> sa.Select[Any]:
    c = t.item_assignments.c
    conditions = [c.kind == kind]
    if reports is not None:
        conditions.append(c.report_id.in_(reports))
    until = conditions if release is None else [*conditions, c.release <= release]
    newest = sa.select(c.report_id, sa.func.max(c.release).label("release")).where(*until).group_by(c.report_id)
    last = newest.subquery()
    same = (c.report_id == last.c.report_id) & (c.release == last.c.release)
    return sa.select(*(c[name] for name in ASSIGNMENT)).join_from(t.item_assignments, last, same).where(*conditions)


def add_published(connection: sa.Connection, release: int, records: RecordsPublished) -> None:
    """Write a release's item assignments, decisions and warnings, in the connection's transaction."""
    number = pl.lit(release, dtype=pl.Int32).alias("release")
    bulk_insert(connection, t.item_assignments, records.item_assignments.with_columns(number))
    bulk_insert(connection, t.record_warnings, records.warnings.with_columns(number))
    c = t.decisions.c
    for ids, in_release in ((records.counted, True), (records.uncounted, False)):
        for some_ids in id_chunks(ids):
            connection.execute(sa.update(t.decisions).where(c.id.in_(some_ids)).values(in_release=in_release))


def read_record_warnings(engine: Engine, release: int | None = None) -> pl.DataFrame:
    """Return the warnings (release and `WARNING`) of the matching of a release, or of all, in order of writing."""
    c = t.record_warnings.c
    query = sa.select(c.release, *(c[name] for name in WARNING)).order_by(c.id)
    return read_frame(engine, query if release is None else query.where(c.release == release))
