"""What a sender has delivered before under a contract on the same periods, and what another delivery changes of it."""

from datetime import datetime
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.intake.reading import NormalisedBatch
from flows.intake.receipt import EarlierStatements
from infra.lake import delta as lake
from infra.lake.item_tables import kind_tables
from infra.ledger import submissions as ledger_submissions
from schemas.contract import Contract
from transforms.identity import SEPARATOR
from transforms.normalisation.observations import Normalised
from transforms.observations.agreement import group_by_item
from transforms.observations.corrections import corrected_buckets
from transforms.records.consolidate import mark_standing
from transforms.submissions import ORDER_COLUMNS, mark_counting

MAX_ABSENT: Final = 10
"""How many of the items that a delivery does not mention a receipt lists."""
SUBMISSION: Final = (
    "submission_id", "contract", "sender", "status", "content_digest", "received_at", "as_of", "replaces",
)  # fmt: skip
TIMES: Final = ("received_at", "as_of")
BATCH: Final = ["submission_id", "batch"]


def compare_registered(installation: Installation, submission: str) -> EarlierStatements | None:
    """Return what a registered submission changes of what its sender had stated; None if it had stated nothing."""
    mine = ledger_submissions.read_submissions(installation.engine, ids=[submission]).row(0, named=True)
    contract = installation.contract(mine["contract"])
    partitions = ledger_submissions.read_submission_partitions(installation.engine, ids=[submission])["partition"]
    submissions = _submissions_on(installation, mine, partitions)
    if mine["status"] != "live" or submissions.height == 1:
        return None
    rows = _statements(installation, contract, submissions, partitions)
    return _compare(contract, rows, submissions, submission)


def compare_unregistered(
    installation: Installation, row: dict[str, Any], normalised: NormalisedBatch | None, partitions: pl.Series
) -> EarlierStatements | None:
    """Return the same of a delivery that is only tried. row: its note and status; partitions: what it is about."""
    if normalised is None or row["status"] != "live":
        return None
    statements = normalised.claims if isinstance(normalised, Normalised) else normalised.records
    contract = installation.contract(row["contract"])
    times = {name: row[name] and datetime.fromisoformat(row[name]).replace(tzinfo=None) for name in TIMES}
    mine = {**{name: row[name] for name in SUBMISSION}, **times}
    submissions = _submissions_on(installation, mine, partitions)
    submissions = submissions.filter(pl.col("submission_id") != mine["submission_id"])
    if submissions.is_empty():
        return None
    rows = _statements(installation, contract, submissions, partitions)
    own = pl.DataFrame([{**mine, "batch": ""}], schema=submissions.schema)
    every = pl.concat([rows, statements.select(rows.columns)])
    return _compare(contract, every, pl.concat([submissions, own]), mine["submission_id"])


def _submissions_on(installation: Installation, mine: dict[str, Any], partitions: pl.Series) -> pl.DataFrame:
    """Return the live submissions of the same contract and sender that state something of these partitions."""
    stream = {"contract": mine["contract"], "sender": mine["sender"], "status": "live"}
    reached = ledger_submissions.read_submission_partitions(installation.engine, **stream)
    ids = reached.filter(pl.col("partition").is_in(partitions.implode()))["submission_id"].unique()
    return ledger_submissions.read_submissions(
        installation.engine, ids=ids.to_list(), columns=[*SUBMISSION, "batch"], **stream
    )


def _statements(
    installation: Installation, contract: Contract, submissions: pl.DataFrame, partitions: pl.Series
) -> pl.DataFrame:
    """Return the stored claims or records of these submissions in these partitions."""
    root = installation.settings.lake
    if contract.record is not None:
        kind = installation.kind(contract.record.kind)
        rows = kind_tables(root, kind).scan(f"{kind.kind}_records")
        names = ["report_id", "report_key", "reported_by", "submission_id", "row", "version", "action", "content"]
    else:
        rows = lake.scan(root, "claims", partitions=partitions.to_list())
        names = [n for n in rows.collect_schema().names() if n != "batch"]
    ids = pl.col("submission_id").is_in(submissions["submission_id"].implode())
    return rows.filter(ids).join(submissions.lazy().select(BATCH), on=BATCH, how="semi").select(names).collect()


def _compare(contract: Contract, rows: pl.DataFrame, submissions: pl.DataFrame, submission: str) -> EarlierStatements:
    others = mark_counting(submissions.filter(pl.col("submission_id") != submission)).filter("counts")
    before = _standing(contract, rows, others)
    after = _standing(contract, rows, mark_counting(submissions).filter("counts"))
    mine = rows.filter(pl.col("submission_id") == submission)
    mentioned = mine.select(_key(contract)).unique()
    both = mentioned.join(before, on="key", how="left").join(after, on="key", how="left", suffix="_after")
    before_too, now = pl.col("states").is_not_null(), pl.col("states_after").is_not_null()
    same = pl.col("states") == pl.col("states_after")
    counts = both.select(
        (~before_too & now).sum().alias("new"), (before_too & now & ~same).sum().alias("corrected"),
        same.sum().alias("unchanged"), (before_too & ~now).sum().alias("withdrawn"),
    ).row(0, named=True)  # fmt: skip
    absent = _absent(contract, rows, before, mine)
    listed = tuple(absent.sort().head(MAX_ABSENT))
    return EarlierStatements(
        others.height, **counts, absent=absent.len(), items=listed, whole=contract.correction == "whole"
    )


def _key(contract: Contract) -> pl.Expr:
    """Return `key`: what a newer statement of the sender corrects."""
    if contract.record is not None:
        return pl.col("report_id").alias("key")
    return pl.concat_str("item_id", "reported_by", separator=SEPARATOR).alias("key")


def _standing(contract: Contract, rows: pl.DataFrame, counting: pl.DataFrame) -> pl.DataFrame:
    """Return `key` and what stands of it as text (`states`)."""
    counted = rows.join(counting.select("submission_id", *ORDER_COLUMNS), on="submission_id")
    if contract.record is not None:
        return mark_standing(counted).filter("standing").select(_key(contract), pl.col("content").alias("states"))
    standing = counted.filter(corrected_buckets(counted, group_by_item(counted)).is_null())
    sums = standing.group_by(_key(contract), "submission_id").agg(pl.col("value").sum(), pl.col("decimals").min())
    # Several submissions that state the same value stand together; the most accurate counts, and exact is null.
    exact, value = pl.col("decimals").is_null().any(), pl.col("value").max().cast(pl.String)
    decimals = pl.when(~exact).then(pl.col("decimals").max()).cast(pl.String).fill_null("")
    return sums.group_by("key").agg(pl.concat_str(value, decimals, separator=" ").alias("states"))


def _absent(contract: Contract, rows: pl.DataFrame, before: pl.DataFrame, mine: pl.DataFrame) -> pl.Series:
    """Return the items, in words, that stood of the units and periods of a delivery and that it does not mention."""
    if contract.record is not None:
        return pl.Series([], dtype=pl.String)
    place = ["unit_id", "period_start", "period_end"]
    others = rows.with_columns(_key(contract)).join(before, on="key", how="semi").join(mine, on=place, how="semi")
    absent = others.join(mine.select(_key(contract)), on="key", how="anti").unique("key")
    words = pl.concat_str("concept", "breakdown", "unit_name", "period_start", separator=" ")
    return absent.select(words.alias("item")).to_series()
