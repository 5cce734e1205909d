"""A process that trains a small kind on command and can be killed in the middle of it; run by test_train_evaluate.py.

As `dying` does, it imports once and forks for every step.
"""

import json
from pathlib import Path
from typing import Any

import dying
from small_matching import open_matching

from flows.installation import Installation
from flows.matching import training
from infra.ledger import records as ledger_records
from transforms.linkage import scoring as match
from transforms.linkage.model import read_model


def train(home: Installation, told: dict[str, Any]) -> dict[str, Any]:
    """Train; with `model`, the estimating is done already and only the keeping is left."""
    if "model" in told:
        text = Path(told["model"]).read_text(encoding="utf-8")
        match.train = lambda *_: read_model(text)
    done = training.train(home, home.kind("mishap"))
    return {"digest": done.model.digest, "new": done.new, "pinned": done.pinned, "before": done.before}


def train_until_killed(home: Installation, told: dict[str, Any]) -> None:
    """Train for real, and be killed in the middle of estimating: before the n-th round."""
    clock = dying.Clock(told["rounds"])
    clock.before(match, "_bounded")
    training.train(home, home.kind("mishap"))


def look(home: Installation, _: dict[str, Any]) -> dict[str, Any]:
    """Return what is there: each file of a model and the digest of what it holds, the ledger's models, its pins."""
    files = sorted((home.settings.home / "models").rglob("*.json"))
    return {
        "files": [[f.stem, read_model(f.read_text(encoding="utf-8")).digest] for f in files],
        "models": ledger_records.models(home.engine)["digest"].to_list(),
        "pins": {kind: pin["digest"] for kind, pin in ledger_records.pinned(home.engine).items()},
        "why": [json.loads(about) for about in ledger_records.models(home.engine)["about"]],
    }


if __name__ == "__main__":
    dying.open_small = open_matching  # type: ignore[assignment]
    dying.STEPS = {"train": train, "train_until_killed": train_until_killed, "look": look}
    dying.main()
