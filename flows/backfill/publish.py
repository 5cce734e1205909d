"""A backfill's second half: its readings staged as a release in which nothing else changes, tried or published.

A dry run stages exactly what the real run publishes, tells what differs, and puts the tables back. Publishing is one
transaction: the release, and each submission's switch to its new reading.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from flows.backfill.diff import diff_of, in_numbers
from flows.backfill.record_inputs import HOMES, frozen_bases, homes_so_far
from flows.backfill.reread import contract_kept, read_on, unfinished
from flows.events import telling_refusal
from flows.installation import Installation
from flows.matching.models import find_model
from flows.matching.training import add
from flows.release.build import Night, alone, check, moved, publish, stage
from flows.release.records.inputs import matched_with
from flows.release.records.resolution import Basis
from flows.release.records.staging import stage_records
from flows.release.staged import Beside, Staged
from infra.checks import engine as checks
from infra.lake import delta as lake
from infra.lake import kind_tables as lake_records
from infra.ledger import backfills as ledger_backfills
from infra.ledger import records as ledger_records
from infra.ledger import submissions as ledger
from infra.parquet import write_parquet
from infra.settings import user_name
from schemas.errors import StoreError, UsageError
from transforms.read_anew import frozen, standing


@dataclass(frozen=True)
class Outcome:
    """How a backfill stands: what it changes (`backfill_diff.in_numbers`, and more) of which release.

    night: how it was published; None for a dry run. as_tried: whether that is what its last dry run found; None where
    there was none, or another release came in between.
    """

    number: int
    release_before: int
    diff: dict[str, Any]
    file: Path
    night: Night | None = None
    as_tried: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        published = None if self.night is None else self.night.release
        told = {"backfill": self.number, "release_before": self.release_before, "release": published}
        return {**told, "as_tried": self.as_tried, "file": str(self.file), **self.diff}


@dataclass(frozen=True)
class _Plan:
    """What is staged: the backfill, the release it starts from, the submissions as they count then."""

    backfill: ledger_backfills.Backfill
    last: ledger.Release
    frozen: pl.DataFrame
    beside: Beside
    bases: list[Basis]

    @property
    def anew(self) -> pl.DataFrame:
        """The submissions that are read anew."""
        return self.frozen.filter("anew")


def try_out(installation: Installation, number: int, progress: Callable[[str], None] = lambda _: None) -> Outcome:
    """Read what is not read yet, and find exactly what publishing would change: stored, told, and nothing published.

    Raises `ReleaseRefused` where the checks would refuse it.
    """
    read_on(installation, number, progress)
    with alone(installation.engine, "backfill"):
        plan = _plan(installation, number)
        staged, _ = _stage(installation, plan, progress)
        outcome = _outcome(installation, plan, staged)
        _restore(installation, plan.last)
        ledger_backfills.tried(installation.engine, number, plan.last["release"], outcome.diff)
    return outcome


def finish(installation: Installation, number: int, progress: Callable[[str], None] = lambda _: None) -> Outcome:
    """Read what is not read yet, and publish the readings as one release, or nothing at all.

    Raises `ReleaseRefused` if a check fails, and `StoreError`, nothing published, if it would change another thing than
    the dry run on this same release found.
    """
    read_on(installation, number, progress)
    with alone(installation.engine, "backfill") as run_id, telling_refusal(installation, run_id):
        plan = _plan(installation, number)
        staged, findings = _stage(installation, plan, progress)
        outcome = _outcome(installation, plan, staged)
        tried = plan.backfill["diff"] if plan.backfill["release_before"] == plan.last["release"] else None
        if tried is not None and tried["digest"] != outcome.diff["digest"]:
            _restore(installation, plan.last)
            raise StoreError(
                f"backfill {number} would change other things than its dry run found: its submissions were withdrawn, "
                "or came back, meanwhile. Nothing was published; try it out again with --dry-run"
            )
        progress("publishing")
        night = publish(installation, run_id, staged, findings, moved(plan.frozen), also=_also(installation, plan))
    return replace(outcome, night=night, as_tried=None if tried is None else True)


def _plan(installation: Installation, number: int) -> _Plan:
    engine = installation.engine
    told, last = unfinished(installation, number), ledger.current_release(engine)
    if last is None:
        raise UsageError("nothing is released yet: there is nothing to backfill. `engang nightly` publishes")
    _restore(installation, last)
    known = ledger.row_counts(engine, last["release"]).filter(pl.col("rows") != 0)
    view = frozen(ledger.submissions(engine), known, ledger_backfills.readings(engine, number))
    anew = view.filter("anew")["submission_id"].to_list()
    reached = ledger_backfills.partitions(engine, number, anew)
    if not anew and told["asked"]["model"] is None:
        raise UsageError(f"backfill {number} has nothing to publish: `engang backfills discard {number}` ends it")
    differ = view.filter(~pl.col("fixed"))["submission_id"].to_list()
    spoken = {*reached["partition"], *ledger.partitions(engine, ids=differ)["partition"]}
    bases = frozen_bases(installation, view, spoken, last, told["asked"]["model"])
    return _Plan(told, last, view, Beside(standing(view, known), reached), bases)


def _restore(installation: Installation, last: ledger.Release) -> None:
    """Put the tables back to what the last release has: what was staged and not published belongs to nobody."""
    tables = lake_records.versioned(installation.kinds.values())
    lake.restore(installation.lake, last["tables"], tables)


def _stage(
    installation: Installation, plan: _Plan, progress: Callable[[str], None]
) -> tuple[Staged, list[checks.Finding]]:
    """Stage the release that publishing would give, and check it."""
    checks.preload()
    staged = stage(installation, plan.frozen, plan.last, progress, plan.beside)
    stage_records(installation, staged, plan.bases, progress)
    staged.records = replace(staged.records, models=matched_with(plan.bases, plan.last))
    # Whoever publishes has seen what goes: a table may shrink by any share.
    staged.remade |= {"observations", *(basis.kind.kind for basis in plan.bases)}
    progress("checking the staged release")
    return staged, check(installation, plan.frozen, staged, plan.last)


def _outcome(installation: Installation, plan: _Plan, staged: Staged) -> Outcome:
    """Tell what the staged release changes, and store it row by row beside the ledger's summary."""
    number = plan.backfill["id"]
    diff = diff_of(installation, staged, plan.last, plan.bases)
    waiting = ledger_backfills.progress(installation.engine, number)["submissions"] - plan.anew.height
    told = in_numbers(diff, staged, plan.last) | {
        "submissions": plan.anew.height,
        "left_out_since": waiting,
        "rejects": ledger_backfills.reasons(installation.engine, number).to_dicts(),
    }
    file = installation.settings.home / "backfills" / str(number) / "diff.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    write_parquet(diff, partial)
    partial.replace(file)
    return Outcome(number, plan.last["release"], told, file)


def _also(installation: Installation, plan: _Plan) -> Callable[[sa.Connection], None]:
    """Return what is written with the release: the switch to the new readings, and the model that is put in force."""
    told = plan.backfill
    ids = plan.anew["submission_id"]
    contract = contract_kept(installation, told["contract_digest"])
    homes = [pl.DataFrame(schema=HOMES), *(homes_so_far(installation, basis, ids) for basis in plan.bases)]
    switch = ledger_backfills.Switch(
        told["id"], plan.last["release"] + 1, ids.to_list(), contract.obligation,
        provisional=_provisional(installation, plan), homes=pl.concat(homes), anew=bool(plan.bases),
    )  # fmt: skip
    model = find_model(installation, told["asked"]["model"]) if told["asked"]["model"] else None
    if model is not None:
        add(installation, model)  # a shipped one is not in the ledger yet

    def _write(connection: sa.Connection) -> None:
        ledger_backfills.switch(connection, switch)
        if model is not None:
            why = f"backfill {told['id']}"
            ledger_records.add_pin(connection, model.kind, model.digest, who=user_name(), why=why)

    return _write


def _provisional(installation: Installation, plan: _Plan) -> pl.DataFrame:
    """Return unit_id, kind, name of the units that only the new readings name, in no register."""
    months = plan.beside.reached["partition"].unique().to_list()
    rows = lake.scan(installation.settings.lake, "claims", partitions=months)
    mine = pl.col("batch").is_in(plan.anew["batch"].unique().implode())
    units = rows.filter(mine, pl.col("unit_id").str.starts_with("provisional:")).group_by("unit_id")
    return units.agg(pl.col("unit_kind").first().alias("kind"), pl.col("unit_name").min().alias("name")).collect()
