"""The items that rows of a submission are of, and who else states them: what its sender may be shown of it."""

from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.overlap.sharing import may_be_shown
from flows.published_tables import kinds_of
from infra.lake import delta as lake
from infra.lake.item_tables import kind_tables, observation_tables
from infra.ledger import backfills as ledger_backfills
from infra.ledger import submissions as ledger_submissions
from infra.ledger.releases import Release
from schemas.kind import Kind
from transforms.identity import claim_id
from transforms.observations.agreement import bounds
from transforms.overlap.statements import read_statements
from transforms.receipts.opinions import SPEAKER, observation_opinions, record_opinions

ItemsByRow = dict[int, list[dict[str, Any]]]
_CLAIM: Final = ("row", "position", "column", "concept", "item_id")


def items_of_rows(
    installation: Installation, release: Release, submission: dict[str, Any], rows: list[int]
) -> ItemsByRow:
    """Return the items that a release has of some rows of a submission: row -> a list of what it is of.

    Each has item_id, column and concept (of a figure) or kind (of a record), relation (null where the row does not
    stand), agrees and contradicts (contract, sender, reported_by of each other whose statement the sender may be
    shown), and not_shown: how many others there are. No value is shown, of nobody.
    """
    partitions = ledger_submissions.read_submission_partitions(installation.engine, ids=[submission["submission_id"]])
    months = [month for month in partitions["partition"] if "/" not in month]
    found = _figures(installation, release, submission, rows, months) if months else {}
    for kind in kinds_of(installation, release) if len(months) < partitions.height else []:
        found |= _records(installation, release, submission, rows, kind)
    return found


def _figures(
    installation: Installation, release: Release, submission: dict[str, Any], rows: list[int], months: list[str]
) -> ItemsByRow:
    root = installation.settings.lake
    mine = (pl.col("submission_id") == submission["submission_id"]) & pl.col("row").is_in(rows)
    current = pl.DataFrame({name: [submission[name]] for name in ("submission_id", "batch")})
    readings = ledger_backfills.batches_at(installation.engine, release["release"], current)
    claims = lake.scan(root, "claims", partitions=months).filter(mine).collect()
    claims = claims.join(readings, on=["submission_id", "batch"], how="semi").sort("row", "position")
    tables = observation_tables(root)
    wanted = pl.col("item_id").is_in(claims["item_id"].unique().implode())
    sources, items = (
        tables.live(name, release["tables"], months).filter(wanted).collect() for name in ("sources", "observations")
    )
    claims = claims.with_columns(claim_id()).join(
        sources.select("claim_id", "relation"), on="claim_id", how="left", maintain_order="left"
    )
    single = pl.when(~pl.col("additive"))
    lower, upper = bounds(tolerance="tolerance")
    standing = claims.filter(pl.col("relation").is_not_null()).with_columns(
        single.then(lower).alias("lower"), single.then(upper).alias("upper")
    )
    others = observation_opinions(standing, read_statements(sources.lazy(), items.lazy()))
    opinions = _by_key(others, ["row", "position"], _shown(installation, submission["sender"]))
    found: ItemsByRow = {}
    for claim in claims.select(*_CLAIM, "relation").iter_rows(named=True):
        opinion = opinions.get((claim["row"], claim["position"]), _nobody())
        shown = {name: claim[name] for name in ("item_id", "column", "concept", "relation")}
        found.setdefault(claim["row"], []).append({**shown, **opinion})
    return found


def _records(
    installation: Installation, release: Release, submission: dict[str, Any], rows: list[int], kind: Kind
) -> ItemsByRow:
    tables, name = kind_tables(installation.settings.lake, kind), kind.kind
    sources = tables.live(f"{name}_sources", release["tables"])
    names = ["report_id", "item_id", "confidential", *SPEAKER]
    own = sources.filter(pl.col("submission_id") == submission["submission_id"])
    mine = own.select(*names, "rows", "relation").explode("rows").filter(pl.col("rows").is_in(rows)).collect()
    wanted = pl.col("item_id").is_in(mine["item_id"].unique().implode())
    others = sources.filter(wanted).select(names).collect()
    conflicts = tables.live(f"{name}_conflicts", release["tables"]).filter(wanted).collect()
    found = record_opinions(mine.select(names).unique(maintain_order=True), others, conflicts)
    if kind.personal:  # a reporter may be a person
        found = found.with_columns(pl.lit(None, pl.String).alias("reported_by"))
    opinions = _by_key(found, ["report_id"], _shown(installation, submission["sender"]))
    items: ItemsByRow = {}
    for row in mine.sort("rows").iter_rows(named=True):
        shown = {"item_id": row["item_id"], "kind": name, "relation": row["relation"]}
        items.setdefault(row["rows"], []).append({**shown, **opinions.get((row["report_id"],), _nobody())})
    return items


def _shown(installation: Installation, sender: str) -> set[str]:
    """Return the contracts of which a sender may be shown who agrees: not those that are no longer there."""
    return {name for name, contract in installation.contracts.items() if may_be_shown(contract, sender)}


def _by_key(opinions: pl.DataFrame, key: list[str], shown: set[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return of each claim or report who agrees and who contradicts, and how many others are not shown."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in opinions.sort(SPEAKER).iter_rows(named=True):
        mine = found.setdefault(tuple(row[name] for name in key), _nobody())
        if row["opinion"] is None or row["contract"] not in shown:
            mine["not_shown"] += 1
        else:
            mine[row["opinion"]].append({name: row[name] for name in SPEAKER})
    return found


def _nobody() -> dict[str, Any]:
    return {"agrees": [], "contradicts": [], "not_shown": 0}
