"""One step of the records' benchmark in a process of its own: `records_worker.py STEP FOLDER`, settings as `engang`.

Prints JSON; `cpu` is processor seconds of this process, its threads included.
"""

import json
import os
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from infra.settings import tune_allocator

tune_allocator()

import polars as pl

from flows.installation import Installation, open_installation
from flows.intake.archives import read_files
from flows.intake.deliveries import make_delivery
from flows.intake.registration import receive
from flows.model_in_force import model_in_force
from flows.pipeline import nightly
from infra.checks import engine as checks
from infra.lake.item_tables import kind_tables
from infra.ledger import models as ledger_models
from infra.ledger import releases as ledger_releases
from infra.ledger import sql as ledger_sql
from transforms.linkage.blocking import WORD_WEIGHT_SPAN, prepare_comparison, scored_key_columns
from transforms.linkage.clustering import LinkageRule, cluster_reports
from transforms.linkage.model import automatic_threshold, parse_model, review_threshold
from transforms.training.estimate import estimate_model

TRAINED_ON = 50_000
REPORTS_AN_EDGE = 4
SHARED_BITS = (
    "CREATE MACRO shared_bits(a, b) AS "
    f"coalesce(list_sum(list_transform(list_intersect(a, b), lambda x: x % {WORD_WEIGHT_SPAN})), 0)"
)
"""What words two reports share, as `transforms.linkage.scoring` asks DuckDB for it."""
Figures = dict[str, Any]


def cpu() -> float:
    """Return the processor seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def receive_all(folder: Path) -> Figures:
    """Submit every file of a folder."""
    installation = open_installation()
    found = read_files(folder, installation.settings)
    deliveries = (
        make_delivery(installation, name, data, "encounters", sender=None, period=None) for name, data in found
    )
    receipts = [r for batch in receive(installation, deliveries) for r in batch]
    refused = [r for r in receipts if r.status != "registered" or r.rejected]
    assert not refused, refused[:3]
    return {"records": sum(r.claims for r in receipts), "cpu": cpu()}


def pin(file: Path) -> Figures:
    """Put a model in force; train it on a part of the reports if it is not there. It fits every blocking."""
    installation = open_installation()
    kind = installation.kinds["encounter"]
    if not file.exists():
        rows = _records(installation).unique("report_id").sort("report_id").head(TRAINED_ON)
        file.write_text(estimate_model(rows, kind).model.as_json(), encoding="utf-8")
    model = replace(parse_model(file.read_text(encoding="utf-8")), match_digest=kind.match_digest())
    row: ledger_models.StoredModel = {
        "digest": model.digest, "kind": kind.kind, "text": model.as_json(),
        "trained_at": ledger_sql.utc_now(), "about": {},
    }  # fmt: skip
    ledger_models.add_model(installation.engine, row)
    ledger_models.write_pin(installation.engine, kind.kind, model.digest, who="bench", why="bench")
    return {"digest": model.digest}


def frame(folder: Path) -> Figures:
    """Write what the bare script reads: the reports as they are compared, the settings, the rules."""
    installation = open_installation()
    kind = installation.kinds["encounter"]
    model = model_in_force(installation, kind)
    assert model is not None
    reports = prepare_comparison(_records(installation), kind, model).sort("report_id").with_row_index("unique_id")
    folder.mkdir(parents=True, exist_ok=True)
    reports.drop("report_id").write_parquet(folder / "frame.parquet")
    columns = {
        "settings": model.settings, "macro": SHARED_BITS,
        "rules": [f"l.{key} = r.{key} AND l.reported_by <> r.reported_by" for key in scored_key_columns(kind)],
        "automatic": automatic_threshold(kind, model), "review": review_threshold(kind, model),
    }  # fmt: skip
    (folder / "bare.json").write_text(json.dumps(columns), encoding="utf-8")
    return {"reports": reports.height}


def publish(_: Path) -> Figures:
    """Run the nightly; `checks` is what the checks' engine costs to load, which is done before."""
    started = cpu()
    checks.preload().join()
    loaded = cpu() - started
    installation = open_installation()
    done = nightly(installation, export="never")
    assert done.published
    return {"checks": loaded, "cpu": cpu(), "counts": done.counts}


def resolution(_: Path) -> Figures:
    """Resolve the release's reports and edges, made up to an edge for four reports."""
    installation = open_installation()
    kind = installation.kinds["encounter"]
    model = model_in_force(installation, kind)
    release = ledger_releases.current_release(installation.engine)
    assert model is not None
    assert release is not None
    root, tables = installation.settings.lake, release["tables"]
    reports = kind_tables(root, kind).live("encounter_sources", tables).select("report_id", "reported_by").collect()
    edges = kind_tables(root, kind).live("encounter_edges", tables).select("a", "b", "weight").collect()
    more = max(reports.height // REPORTS_AN_EDGE - edges.height, 0)  # weak ones, each between two reports of clusters
    weak = pl.lit(automatic_threshold(kind, model) - 1).alias("weight")
    ends = pl.concat([edges["a"], edges["b"]]).unique().sort().sample(2 * more, seed=1, with_replacement=True)
    extra = pl.DataFrame({"a": ends.head(more), "b": ends.tail(more)}).with_columns(weak)
    every = pl.concat([edges, extra.filter(pl.col("a") < pl.col("b")), extra.filter(pl.col("a") > pl.col("b"))])
    none = pl.DataFrame(schema={"id": pl.Int64, "a": pl.String, "b": pl.String, "verdict": pl.String})
    started = cpu()
    found = cluster_reports(
        reports, every, none, LinkageRule(automatic_threshold(kind, model), kind.one_report_per_item)
    )
    spent = cpu() - started
    return {
        "cpu": spent,
        "edges": every.height,
        "reports": reports.height,
        "items": found.clusters["cluster"].n_unique(),
    }


def _records(installation: Installation) -> pl.DataFrame:
    kind = installation.kinds["encounter"]
    return kind_tables(installation.settings.lake, kind).scan("encounter_records").collect()


STEPS: dict[str, Callable[[Path], Figures]] = {
    "receive": receive_all, "pin": pin, "frame": frame, "night": publish, "resolve": resolution,
}  # fmt: skip

if __name__ == "__main__":
    figures = STEPS[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps(figures), flush=True)
    os._exit(0)
