"""What another match model would change of the current release: a night that writes nothing."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.release.records.chunks import parts
from flows.release.records.inputs import basis_of
from flows.release.records.resolution import kind_night
from infra.ledger import submissions as ledger
from schemas.kind import Kind
from transforms.linkage.model import Model

CHANGES: Final = ("added", "changed", "removed")


@dataclass(frozen=True)
class Effect:
    """What a model would change, everything else as in the release: deliveries, decisions.

    release, before: the current release and the model that matched it (empty: none). items: how many it has. changes:
    rows of `<kind>_changes`; history: rows of `<kind>_history`, `release` left out of both.
    """

    release: int
    before: str
    items: int
    changes: pl.DataFrame
    history: pl.DataFrame

    def counts(self) -> dict[str, int]:
        """Return how many items are added, changed, removed, and how many ids merged, split, ... those that are."""
        changed = Counter(self.changes["change"].to_list())
        events = Counter(self.history["event"].to_list())
        return {**{name: changed[name] for name in CHANGES}, **dict(sorted(events.items()))}

    def as_dict(self, samples: int) -> dict[str, Any]:
        """Return it as plain values, with some rows of each kind of change and event."""
        return {
            "release": self.release,
            "model_before": self.before,
            "items": self.items,
            **self.counts(),
            "changes": _some(self.changes, "change", samples),
            "history": _some(self.history, "event", samples),
        }


def effect(installation: Installation, kind: Kind, model: Model) -> Effect | None:
    """Return what putting a model in force would change; None if no release has records of the kind yet."""
    last = ledger.current_release(installation.engine)
    if last is None or kind.kind not in last["models"]:
        return None
    submissions = ledger.submissions(installation.engine).with_columns(pl.col("in_release").alias("counts"))
    start = basis_of(installation, kind, submissions, last, model)
    start = replace(start, decisions=start.decisions.with_columns(pl.col("before").alias("after")))
    night = kind_night(installation, start)
    changes = pl.concat(part.changes for part in parts(night)).sort("item_id")
    before = last["models"][kind.kind]["model_digest"]
    return Effect(last["release"], before, last["counts"].get(kind.kind, 0), changes, night.history)


def _some(frame: pl.DataFrame, by: str, samples: int) -> list[dict[str, Any]]:
    return frame.drop("partition", strict=False).group_by(by, maintain_order=True).head(samples).to_dicts()
