"""The mart brought to a release: by what changed since the one that it holds, else loaded from nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from flows.installation import Installation
from flows.mart.release_rows import ReleaseRows
from flows.releases import find_release
from infra import telemetry
from infra.lake import access as lake_access
from infra.lake import delta as lake
from infra.ledger.erasures import oldest_readable_release
from infra.ledger.releases import Release, read_releases
from infra.mart import loading
from infra.mart.connection import MartAddress, mart_connection, only_writer
from infra.mart.copying import copy_frames, copy_lazy
from infra.mart.ddl import create_reader, layout_of
from infra.mart.dimensions import begin_noting, complete_dimensions
from infra.mart.increment import replace_items, replace_whole, withhold_otherwise
from infra.mart.star import LOADING, OBSERVATIONS, STAR, Group
from infra.mart.state import MartState, identity_of, read_state, write_state
from infra.mart.views import known_views, replace_views, views_of_others
from schemas.errors import MartMisfitError, StoreError

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

SyncOutcome = Literal["loaded", "updated", "unchanged"]
MOST_CHANGED: Final = 0.5
"""The share of items above which a mart is loaded from nothing: that is faster than replacing so many."""
FEW_ITEMS: Final = 50_000
"""Up to so many changed items, they are replaced whatever their share."""


@dataclass(frozen=True)
class MartSync:
    """How a sync ended: loaded from nothing, updated or unchanged; the release, and how many rows were written."""

    outcome: SyncOutcome
    release: int
    rows: int


@telemetry.span("mart")
@lake_access.scan_errors()
@lake.opened_once()
def sync(
    installation: Installation,
    address: MartAddress,
    number: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> MartSync:
    """Bring a mart to a release, the current one by default; readers see the old one until all is there.

    The next sync continues one that was killed. Raises `UsageError` for a release that is not there,
    `StoreError` if the lake cannot be read or the mart not be written: it then holds what it held before.
    """
    release = find_release(installation, number)
    rows = ReleaseRows(installation, release)
    target = _state_of(release, layout_of(rows.star, rows.small.least))
    with mart_connection(address) as connection, only_writer(connection):
        held = read_state(connection, STAR)
        if target.same_as(held):
            return MartSync("unchanged", release["release"], 0)
        connection.execute(create_reader())
        if held is not None and can_follow(installation, held, target):
            try:
                return _update(connection, rows, held, target, progress)
            except MartMisfitError as misfit:
                progress(f"{misfit}: it is loaded from nothing")
        return _load(connection, rows, target, progress)


def can_follow(installation: Installation, held: MartState, target: MartState) -> bool:
    """Return whether a mart can be brought from what it holds to a release by what changed in between.

    Not if it holds a release of another home, a later one, one in which a submission was erased since, or other tables.
    """
    if held.layout != target.layout or held.release >= target.release:
        return False
    if held.release < oldest_readable_release(installation.engine):
        return False  # the changes since are not all there, and what was erased must go
    known = read_releases(installation.engine).filter(release=held.release).to_dicts()
    return bool(known) and identity_of(known[0]) == held.identity


def _state_of(release: Release, layout: str) -> MartState:
    identity = identity_of(release)
    return MartState(
        release["release"], identity, layout, release["tables"], release["digest"], release["published_at"]
    )


def _load(
    connection: "Connection[Any]", rows: ReleaseRows, target: MartState, progress: Callable[[str], None]
) -> MartSync:
    star, copied = rows.star, 0
    done = loading.begin_load(connection, star, target)
    if done:
        progress(f"going on with the load that was cut off after {len(done)} parts")
    for name, columns in star.published.items():
        for partitions in rows.parts(name):
            part = f"{name} {partitions[0]}"
            if part in done:
                continue
            progress(f"loading {name} {partitions[0]} to {partitions[-1]}")
            with loading.load_part(connection, part) as cursor:
                copied += copy_lazy(cursor, name, [c.name for c in columns], rows.rows(name, partitions))
    if "releases" not in done:
        with loading.load_part(connection, "releases") as cursor:
            copied += _copy_releases(cursor, rows)
    if "withheld_counts" not in done:
        with loading.load_part(connection, "withheld_counts") as cursor:
            copied += copy_frames(cursor, "withheld_counts", rows.small.items.columns, [rows.small.items])
    for step in loading.finish_load(connection, star, done, rows.submissions):
        progress(step)
    _refuse_miscount(connection, rows)
    loading.swap(connection, star)
    return MartSync("loaded", target.release, copied)


def _refuse_miscount(connection: "Connection[Any]", rows: ReleaseRows) -> None:
    with loading.transaction_in(connection, LOADING) as cursor:
        try:
            _check_counts(cursor, rows)
        except MartMisfitError as misfit:
            raise StoreError(f"{misfit}; `engang verify` examines the lake. The mart is unchanged") from misfit


def _update(
    connection: "Connection[Any]",
    rows: ReleaseRows,
    held: MartState,
    target: MartState,
    progress: Callable[[str], None],
) -> MartSync:
    """Bring the mart to the release in one transaction; `MartMisfitError` if it is not what it should be before."""
    import psycopg

    star, since, copied = rows.star, held.release, 0
    progress(f"from release {since} to {target.release}")
    try:
        with views_of_others(), loading.transaction_in(connection, STAR) as cursor:
            cursor.execute("SET LOCAL random_page_cost = 1.1")  # few rows of large tables, by their indices
            begin_noting(cursor)
            written = {n for n in star.published if held.tables.get(n) != target.tables.get(n)}
            again = withhold_otherwise(cursor, rows.small.items)
            for group in star.groups:
                own = again if group == OBSERVATIONS else again.clear()
                if own.height or written & {*group.replaced, *group.added_to}:
                    copied += _replace_changed(cursor, rows, group, since, own)
            rewritten = [name for name in star.whole if name in written]
            copied += sum(replace_whole(cursor, star, name, rows.rows(name)) for name in rewritten)
            copied += _copy_releases(cursor, rows, since)
            complete_dimensions(cursor, star, rows.submissions, register="units" in rewritten)
            _check_counts(cursor, rows)
            known = known_views(cursor)
            write_state(cursor, target)
            replace_views(cursor, star, known, changed=True)
            loading.grant(cursor)
    except psycopg.IntegrityError as error:
        raise MartMisfitError(f"the mart is not what release {since} publishes ({error.sqlstate})") from None
    return MartSync("updated", target.release, copied)


def _replace_changed(cursor: "Cursor[Any]", rows: ReleaseRows, group: Group, since: int, again: pl.DataFrame) -> int:
    """Replace what changed since a release, and these items, of which other values are withheld by now."""
    changed = rows.changed_items(group, since)
    count, partitions = changed.select(pl.len(), pl.col("partition").unique().implode()).collect().row(0)
    known = rows.release["counts"].get("items" if group.items == "observations" else group.items, 0)
    count += again.height
    if count > max(FEW_ITEMS, MOST_CHANGED * known):
        raise MartMisfitError(f"{count} of {known} items changed")
    touched = sorted({*partitions, *again["partition"]})
    gained = dict.fromkeys((*group.replaced, *group.added_to), touched)
    gained |= {name: ["all"] for name in group.added_to if name != group.changes}
    ids = (changed.select("item_id"), again.select("item_id"))
    return replace_items(
        cursor, rows.star, group, ids, lambda name: rows.rows_since(name, since, gained[name], again["item_id"])
    )


def _copy_releases(cursor: "Cursor[Any]", rows: ReleaseRows, since: int = 0) -> int:
    releases = rows.releases(since)
    return copy_frames(cursor, "releases", releases.columns, [releases])


def _check_counts(cursor: "Cursor[Any]", rows: ReleaseRows) -> None:
    """See that the mart has as many items as the release counts."""
    counts = rows.release["counts"]
    for group in rows.star.groups:
        expected = counts.get("items" if group.items == "observations" else group.items)
        cursor.execute(f'SELECT count(*) FROM "{group.items}"'.encode())  # noqa: S608  a table of ours
        found = (cursor.fetchone() or (0,))[0]
        if expected is not None and found != expected:
            raise MartMisfitError(f"the mart has {found} {group.items}, the release counts {expected}")
