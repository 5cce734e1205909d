"""A mart brought from one release to a later one, in one transaction: readers see the one or the other."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from infra.mart.copying import copy_frames, copy_lazy
from infra.mart.ddl import quoted
from infra.mart.dimensions import ITEM_KEYS, SOURCE_KEYS, note_items, note_rewritten, note_sources
from infra.mart.star import OBSERVATIONS, Group, Star

if TYPE_CHECKING:
    from psycopg import Cursor

_CHANGED: Final = "_changed"
_NOTED: Final = "_noted"


def withhold_otherwise(cursor: "Cursor[Any]", counts: pl.DataFrame) -> pl.DataFrame:
    """Write which values are withheld; return item_id and partition of the items of which that differs from before.

    counts: item_id, partition, is_current, as `withheld_counts` has them.
    """
    names = list(counts.columns)
    cursor.execute(f"SELECT {', '.join(names)} FROM withheld_counts".encode())  # noqa: S608  names of ours
    before = pl.DataFrame(cursor.fetchall(), schema=counts.schema, orient="row")
    both = pl.concat([before, counts]).unique(names, keep="none")
    differing = both.select("item_id", "partition").unique()
    if differing.height:
        cursor.execute("DELETE FROM withheld_counts")
        copy_frames(cursor, "withheld_counts", names, [counts])
    return differing


def replace_items(
    cursor: "Cursor[Any]",
    star: Star,
    group: Group,
    ids: tuple[pl.LazyFrame, pl.DataFrame],
    rows: Callable[[str], pl.LazyFrame],
) -> int:
    """Replace the rows of the items that changed, and add those of the tables that only grow; return how many came.

    ids: item_id of all items that any release since then changed, and of those of which earlier changes are replaced
    too. rows: what a table has gained since, and its rows of the latter.
    """
    changed, again = ids
    cursor.execute(b"CREATE TEMPORARY TABLE _ids (item_id text) ON COMMIT DROP")
    if again.height:
        copy_frames(cursor, "_ids", ["item_id"], [again])
        cursor.execute(f"DELETE FROM {quoted(group.changes)} WHERE item_id IN (SELECT item_id FROM _ids)".encode())  # noqa: S608
    copy_lazy(cursor, "_ids", ["item_id"], changed)
    cursor.execute(
        f"CREATE TEMPORARY TABLE {_CHANGED} ON COMMIT DROP AS SELECT DISTINCT item_id FROM _ids; "  # noqa: S608
        f"DROP TABLE _ids; ANALYZE {_CHANGED}".encode()
    )
    for name in group.replaced:
        _delete(cursor, name, _keys_of(group, name))
    copied = sum(
        copy_lazy(cursor, name, _columns(star, name), rows(name)) for name in (*group.replaced, *group.added_to)
    )
    for name in (group.items, group.sources):
        _note_present(cursor, name, _keys_of(group, name))
    cursor.execute(f"DROP TABLE {_CHANGED}".encode())
    return copied


def replace_whole(cursor: "Cursor[Any]", star: Star, name: str, rows: pl.LazyFrame) -> int:
    """Write a table whole; return how many rows it has."""
    note_rewritten(cursor, name)
    cursor.execute(f"DELETE FROM {quoted(name)}".encode())  # noqa: S608  names of ours
    return copy_lazy(cursor, name, _columns(star, name), rows)


def _columns(star: Star, name: str) -> list[str]:
    return [column.name for column in star.published[name]]


def _keys_of(group: Group, name: str) -> str | None:
    """Return the keys of dimensions that a table's rows name, None if it names none that may go."""
    if name == group.sources:
        return SOURCE_KEYS
    return ITEM_KEYS if name == OBSERVATIONS.items else None


def _delete(cursor: "Cursor[Any]", name: str, keys: str | None) -> None:
    """Delete the rows of the changed items; note what they named."""
    delete = f"DELETE FROM {quoted(name)} d USING {_CHANGED} c WHERE d.item_id = c.item_id"  # noqa: S608
    if keys is None:
        cursor.execute(delete.encode())
        return
    none = f"SELECT {keys} FROM {quoted(name)} LIMIT 0"  # noqa: S608
    cursor.execute(f"CREATE TEMPORARY TABLE {_NOTED} ON COMMIT DROP AS {none}".encode())
    cursor.execute(f"WITH d AS ({delete} RETURNING {keys}) INSERT INTO {_NOTED} SELECT DISTINCT * FROM d".encode())  # noqa: S608
    _note(cursor, keys)


def _note_present(cursor: "Cursor[Any]", name: str, keys: str | None) -> None:
    """Note what the rows of the changed items name now."""
    if keys is not None:
        rows = f"SELECT DISTINCT {keys} FROM {quoted(name)} JOIN {_CHANGED} USING (item_id)"  # noqa: S608
        cursor.execute(f"CREATE TEMPORARY TABLE {_NOTED} ON COMMIT DROP AS {rows}".encode())
        _note(cursor, keys)


def _note(cursor: "Cursor[Any]", keys: str) -> None:
    (note_sources if keys == SOURCE_KEYS else note_items)(cursor, _NOTED)
    cursor.execute(f"DROP TABLE {_NOTED}".encode())
