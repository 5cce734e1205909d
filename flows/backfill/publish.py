"""The second half of a backfill: stage its readings as a release in which nothing else changes; try or publish it.

A dry run stages exactly what the real run publishes, reports the differences, and restores the tables. Publishing is
one transaction: the release, and the switch of each submission to its new reading.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from flows.backfill.diff import diff_summary, staged_diff
from flows.backfill.record_inputs import INITIAL_ASSIGNMENT, initial_assignments, pinned_inputs
from flows.backfill.reread import find_unfinished, reread_submissions, stored_contract
from flows.events import event_on_refusal
from flows.installation import Installation
from flows.matching.models import model_by_digest
from flows.matching.training import store_model
from flows.release.build import check_staged, stage_observations
from flows.release.publish import Night, changed_submissions, publish_staged, publishing_run
from flows.release.reconsolidation import reconsolidation_reason
from flows.release.records.inputs import KindInputs, release_models
from flows.release.records.staging import stage_records
from flows.release.staged import Baseline, StagedRelease
from flows.runs import close_killed_runs
from infra.checks import engine as checks
from infra.files import atomic_path, write_parquet
from infra.lake import delta as lake
from infra.lake.item_tables import versioned_tables
from infra.ledger import backfills as ledger_backfills
from infra.ledger import models as ledger_models
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.ledger.releases import Release
from infra.settings import user_name
from schemas.errors import StoreError, UsageError
from transforms.submissions import initial_buckets, pin_submissions


@dataclass(frozen=True)
class BackfillOutcome:
    """The result of a backfill: what it changes in which release (`diff.diff_summary`, and more).

    night: the publication; None for a dry run. as_tried: whether the changes are those of the last dry run; None if
    there was none, or if another release was published in between.
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
        fields = {"backfill": self.number, "release_before": self.release_before, "release": published}
        return {**fields, "as_tried": self.as_tried, "file": str(self.file), **self.diff}


@dataclass(frozen=True)
class _Plan:
    """What to stage: the backfill, the release it starts from, and the submissions as they count in the new one."""

    backfill: ledger_backfills.Backfill
    last: Release
    submissions: pl.DataFrame
    baseline: Baseline
    kinds: list[KindInputs]

    @property
    def reread(self) -> pl.DataFrame:
        """The submissions that are reread."""
        return self.submissions.filter("reread")


def try_backfill(
    installation: Installation, number: int, progress: Callable[[str], None] = lambda _: None
) -> BackfillOutcome:
    """Reread what is not reread yet, and return and store exactly what publishing would change; publish nothing.

    Raises `ReleaseRefused` if the checks would refuse it.
    """
    reread_submissions(installation, number, progress)
    close_killed_runs(installation)
    with publishing_run(installation.engine, "backfill"):
        plan = _plan(installation, number)
        staged, _ = _stage(installation, plan, progress)
        outcome = _outcome(installation, plan, staged)
        _restore(installation, plan.last)
        ledger_backfills.write_dry_run(installation.engine, number, plan.last["release"], outcome.diff)
    return outcome


def finish_backfill(
    installation: Installation, number: int, progress: Callable[[str], None] = lambda _: None
) -> BackfillOutcome:
    """Reread what is not reread yet, and publish the readings as one release, or nothing at all.

    Raises `ReleaseRefused` if a check fails, and `StoreError` if it would change anything other than the dry run on the
    same release found; nothing is published then.
    """
    reread_submissions(installation, number, progress)
    close_killed_runs(installation)
    with publishing_run(installation.engine, "backfill") as run_id, event_on_refusal(installation, run_id):
        plan = _plan(installation, number)
        staged, findings = _stage(installation, plan, progress)
        outcome = _outcome(installation, plan, staged)
        tried = plan.backfill["diff"] if plan.backfill["release_before"] == plan.last["release"] else None
        if tried is not None and tried["digest"] != outcome.diff["digest"]:
            _restore(installation, plan.last)
            raise StoreError(
                f"backfill {number} would change other things than its dry run found: its submissions were withdrawn "
                "or restored meanwhile. Nothing was published; try it out again with --dry-run"
            )
        progress("publishing")
        night = publish_staged(
            installation,
            run_id,
            staged,
            findings,
            changed_submissions(plan.submissions),
            write_also=_ledger_write(installation, plan),
        )
    return replace(outcome, night=night, as_tried=None if tried is None else True)


def _plan(installation: Installation, number: int) -> _Plan:
    engine = installation.engine
    backfill, last = find_unfinished(installation, number), ledger_releases.current_release(engine)
    if last is None:
        raise UsageError("nothing is released yet: there is nothing to backfill. `engang nightly` publishes")
    if reason := reconsolidation_reason(last):
        raise UsageError(f"{reason}. `engang nightly` does that first")
    _restore(installation, last)
    known = ledger_releases.read_row_counts(engine, last["release"]).filter(pl.col("rows") != 0)
    view = pin_submissions(
        ledger_submissions.read_submissions(engine), known, ledger_backfills.read_readings(engine, number)
    )
    reread = view.filter("reread")["submission_id"].to_list()
    reached = ledger_backfills.read_reading_partitions(engine, number, reread)
    if not reread and backfill["asked"]["model"] is None:
        raise UsageError(f"backfill {number} has nothing to publish: `engang backfills discard {number}` ends it")
    changed = view.filter(~pl.col("pinned"))["submission_id"].to_list()
    partitions = {
        *reached["partition"],
        *ledger_submissions.read_submission_partitions(engine, ids=changed)["partition"],
    }
    kinds = pinned_inputs(installation, view, partitions, last, backfill["asked"]["model"])
    return _Plan(backfill, last, view, Baseline(initial_buckets(view, known), reached), kinds)


def _restore(installation: Installation, last: Release) -> None:
    """Restore the tables to those of the last release: nothing refers to what was staged and not published."""
    tables = versioned_tables(installation.kinds.values())
    lake.restore(installation.lake, last["tables"], tables)


def _stage(
    installation: Installation, plan: _Plan, progress: Callable[[str], None]
) -> tuple[StagedRelease, list[checks.Finding]]:
    """Stage the release that publishing would give, and check it."""
    checks.preload()
    staged = stage_observations(installation, plan.submissions, plan.last, progress, plan.baseline)
    stage_records(installation, staged, plan.kinds, progress)
    staged.records = replace(staged.records, models=release_models(plan.kinds, plan.last))
    # The person who publishes has seen the diff: a table may shrink by any share.
    staged.may_shrink |= {"observations", *(inputs.kind.kind for inputs in plan.kinds)}
    progress("checking the staged release")
    return staged, check_staged(installation, plan.submissions, staged, plan.last)


def _outcome(installation: Installation, plan: _Plan, staged: StagedRelease) -> BackfillOutcome:
    """Return what the staged release changes; store every row in a file, next to the summary in the ledger."""
    number = plan.backfill["id"]
    diff = staged_diff(installation, staged, plan.last, plan.kinds)
    waiting = ledger_backfills.reading_progress(installation.engine, number)["submissions"] - plan.reread.height
    summary = diff_summary(diff, staged, plan.last) | {
        "submissions": plan.reread.height,
        "left_out_since": waiting,
        "rejects": ledger_backfills.count_reject_reasons(installation.engine, number).to_dicts(),
    }
    file = installation.settings.home / "backfills" / str(number) / "diff.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(file) as temporary:
        write_parquet(diff, temporary)
    return BackfillOutcome(number, plan.last["release"], summary, file)


def _ledger_write(installation: Installation, plan: _Plan) -> Callable[[sa.Connection], None]:
    """Return the write in the release's transaction: the switch to the new readings, and the model to put in force."""
    backfill = plan.backfill
    ids = plan.reread["submission_id"]
    contract = stored_contract(installation, backfill["contract_digest"])
    no_assignments = pl.DataFrame(schema=INITIAL_ASSIGNMENT)
    assignments = [no_assignments, *(initial_assignments(installation, inputs, ids) for inputs in plan.kinds)]
    switch = ledger_backfills.BackfillPublished(
        backfill["id"], plan.last["release"] + 1, ids.to_list(), contract.obligation,
        provisional=_provisional_units(installation, plan), item_assignments=pl.concat(assignments),
        resets_first_release=bool(plan.kinds),
    )  # fmt: skip
    model = model_by_digest(installation, backfill["asked"]["model"]) if backfill["asked"]["model"] else None
    if model is not None:
        store_model(installation, model)  # a shipped one is not in the ledger yet

    def _write(connection: sa.Connection) -> None:
        ledger_backfills.publish_readings(connection, switch)
        if model is not None:
            why = f"backfill {backfill['id']}"
            ledger_models.add_pin(connection, model.kind, model.digest, who=user_name(), why=why)

    return _write


def _provisional_units(installation: Installation, plan: _Plan) -> pl.DataFrame:
    """Return the units that the new readings name and no register has: unit_id, kind, name."""
    months = plan.baseline.reached["partition"].unique().to_list()
    rows = lake.scan(installation.settings.lake, "claims", partitions=months)
    is_reread = pl.col("batch").is_in(plan.reread["batch"].unique().implode())
    units = rows.filter(is_reread, pl.col("unit_id").str.starts_with("provisional:")).group_by("unit_id")
    return units.agg(pl.col("unit_kind").first().alias("kind"), pl.col("unit_name").min().alias("name")).collect()
