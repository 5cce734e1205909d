"""What a backfill needs of records: the nights of their kinds, all else frozen, and where reports were at home."""

from dataclasses import replace
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.matching.models import find_model
from flows.model_in_force import fitting, model_in_force
from flows.queries.kind_release import model_of
from flows.release.records.inputs import basis_of, in_words, kinds_with_records
from flows.release.records.resolution import MEMBER, Basis, deliveries_of
from infra.lake import kind_tables as lake_records
from infra.ledger import records as ledger_records
from infra.ledger import submissions as ledger
from schemas.errors import UsageError
from schemas.kind import Kind
from schemas.record_tables import RECORDS
from transforms.linkage.model import Model

HOMES: Final = {**ledger_records.NEW_HOME, "release": pl.Int32()}


def frozen_bases(
    installation: Installation,
    frozen: pl.DataFrame,
    spoken: set[str],
    last: ledger.Release,
    model: str | None,
) -> list[Basis]:
    """Return what the night of each kind starts from that a backfill reaches: models and decisions as in the release.

    frozen: `transforms.read_anew.frozen`; spoken: the partitions that it reaches; model: the digest of one that is put
    in force. Raises `UsageError` where a kind was changed since the release.
    """
    chosen = find_model(installation, model) if model else None
    found = []
    for kind in kinds_with_records(installation):
        mine = chosen if chosen is not None and chosen.kind == kind.kind else None
        if mine is None and f"{RECORDS}{kind.kind}" not in spoken:
            continue
        scored = fitting(mine, kind) if mine else _model_of_release(installation, kind, last)
        basis = basis_of(installation, kind, frozen, last, scored)
        stays = basis.decisions.with_columns(pl.col("before").alias("after"))
        found.append(replace(basis, decisions=stays))
    return found


def _model_of_release(installation: Installation, kind: Kind, last: ledger.Release) -> Model | None:
    known = last["models"].get(kind.kind)
    if known is None:  # no release has the kind yet
        return model_in_force(installation, kind)
    model, why = model_of(installation, kind, last) if known["model_digest"] else (None, "")
    if why or known != in_words(kind, model):
        raise UsageError(f"{why or f'kind {kind.kind} was changed since the release'}: `engang nightly` first")
    return model


def homes_so_far(installation: Installation, basis: Basis, ids: pl.Series) -> pl.DataFrame:
    """Return where reports of these submissions are at home by default (`HOMES`), to be written down.

    By default a report is at home in the item of its own id since its submission was first published. What a submission
    says anew is first published now: so what was true of what it said is written first.
    """
    kind, root = basis.kind, installation.settings.lake
    old = basis.members.filter(pl.col("submission_id").is_in(ids.implode()), pl.col("first_release").is_not_null())
    rows = lake_records.scan(root, kind, f"{kind.kind}_records").select("report_id", *MEMBER)
    rows = rows.filter(pl.col("batch").is_in(old["batch"].unique().implode()))
    told = rows.join(old.lazy(), on=MEMBER, how="semi").select(pl.col("report_id").unique()).collect()
    deliveries = deliveries_of(root, basis, told["report_id"]).join(told, on="report_id", how="semi")
    first = deliveries.group_by("report_id").agg(pl.col("first_release").min().alias("first")).drop_nulls()
    written = ledger_records.homes_written(installation.engine, kind.kind, first["report_id"].to_list())
    noted = written.group_by("report_id").agg(pl.col("release").min().alias("noted"))
    default = first.join(noted, on="report_id", how="left").filter(
        pl.col("noted").is_null() | (pl.col("noted") > pl.col("first"))
    )
    return default.select(
        pl.lit(kind.kind).alias("kind"),
        "report_id",
        pl.col("report_id").alias("item_id"),
        pl.col("first").cast(pl.Int32).alias("release"),
    )
