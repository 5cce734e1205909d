"""What another match model would change in the current release: a dry run of the night."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.release.records.chunks import records_parts
from flows.release.records.inputs import inputs_of
from flows.release.records.resolution import resolve_kind
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from schemas.kind import Kind
from transforms.linkage.model import MatchModel
from transforms.submissions import mark_counting

CHANGE_NAMES: Final = ("added", "changed", "removed")


@dataclass(frozen=True)
class ModelImpact:
    """What a model would change, with the deliveries and decisions of the release.

    release, before: the current release and the digest of the model that matched it (empty: none). items: how many it
    has. changes, history: rows of `<kind>_changes` and `<kind>_history` without `release`.
    """

    release: int
    before: str
    items: int
    changes: pl.DataFrame
    history: pl.DataFrame

    def counts(self) -> dict[str, int]:
        """Return how many items are added, changed and removed, and how many ids merged, split, ..., where any did."""
        changes = Counter(self.changes["change"].to_list())
        events = Counter(self.history["event"].to_list())
        return {**{name: changes[name] for name in CHANGE_NAMES}, **dict(sorted(events.items()))}

    def as_dict(self, samples: int) -> dict[str, Any]:
        """Return plain values, with up to `samples` rows of each kind of change and event."""
        return {
            "release": self.release,
            "model_before": self.before,
            "items": self.items,
            **self.counts(),
            "changes": _samples(self.changes, "change", samples),
            "history": _samples(self.history, "event", samples),
        }


def model_impact(installation: Installation, kind: Kind, model: MatchModel) -> ModelImpact | None:
    """Return what pinning a model would change; None if no release has records of the kind yet."""
    last = ledger_releases.current_release(installation.engine)
    if last is None or kind.kind not in last["models"]:
        return None
    submissions = mark_counting(ledger_submissions.read_submissions(installation.engine))
    submissions = submissions.with_columns(pl.col("in_release").alias("counts"))
    inputs = inputs_of(installation, kind, submissions, last, model)
    inputs = replace(inputs, decisions=inputs.decisions.with_columns(pl.col("before").alias("after")))
    resolution = resolve_kind(installation, inputs)
    changes = pl.concat(part.changes for part in records_parts(kind, resolution)).sort("item_id")
    before = last["models"][kind.kind]["model_digest"]
    return ModelImpact(last["release"], before, last["counts"].get(kind.kind, 0), changes, resolution.history)


def _samples(frame: pl.DataFrame, by: str, samples: int) -> list[dict[str, Any]]:
    return frame.drop("partition", strict=False).group_by(by, maintain_order=True).head(samples).to_dicts()
