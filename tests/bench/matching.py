"""Matching without known answers, every set of `../shared/data/er`: `.venv/bin/python tests/bench/matching.py`.

Each set is delivered twice: under the kind and contract that stand with it, if any do, and under those that `engang
kinds new` drafts. It is trained untuned, published and evaluated. The F1 of items stands next to Splink alone on the
same comparisons, with its documented settings, to plain connected components of our own edges, and to what others
publish (`PUBLISHED`). Splink alone: the share of matches by the same deterministic rules (1 match for 2 records, where
there are none), u by random sampling, expectation maximisation on the keys of one blocking rule at a time, pairs of at
least probability 0.95 and its own clustering.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from flows.intake.registration import receive
from flows.matching.evaluation import EvaluationRequest, evaluate
from flows.matching.kind_draft import write_kind
from flows.matching.training import PinRequest, read_standing_reports, train
from flows.pipeline import nightly
from infra.checks import engine as checks
from infra.lake import delta as lake
from infra.ledger.open import open_ledger
from infra.settings import DEMO_CODELISTS, read_settings
from schemas.kind import Kind
from tests.support.paths import DATA
from transforms.evaluation.scores import score_clusters
from transforms.linkage.blocking import scored_key_columns
from transforms.linkage.candidates import pair_rules, with_joint_keys
from transforms.linkage.comparisons import splink_settings
from transforms.linkage.scoring import REPORT_NUMBER, open_linker, reporter_condition
from transforms.training.data import training_data
from transforms.training.prior import deterministic_share

SETS: Final = DATA / "er"
SPLINK_PROBABILITY: Final = 0.95
PUBLISHED: Final = {
    "abt_buy": "goldenmatch .445 (embeddings alone) to .847 (a paid service's), dedupe about .75 (trained by hand)",
    "febrl3": "goldenmatch .944",
    "febrl4": "goldenmatch .924 (encrypted), .643 (its baseline)",
    "restaurants": "goldenmatch .85 (measured on these records; not published)",
}
"""F1 of pairs that others publish. Sources, read in November 2026: github.com/benseverndev-oss/goldenmatch/wiki (pages
Home, Benchmarks; dedupe's figure is its statement, dedupe itself publishes none), benzsevern.github.io/goldenmatch."""


def cpu() -> float:
    """Return the processor seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def installed(folder: Path, name: str, *, draft: bool = False) -> tuple[Installation, str]:
    """Return an installation that has received a set, and the set's kind: that beside it, or a drafted one."""
    records = pl.read_parquet(SETS / name / "records.parquet")
    if draft:
        records = records.drop("cluster", strict=False)
        own = drafted(folder, name, records)
    else:
        own = SETS / name
    settings = replace(
        read_settings(folder), ledger_url=f"sqlite:///{folder / 'ledger.db'}", codelists=DEMO_CODELISTS,
        contracts=own / "contracts", kinds=own / "kinds",
    )  # fmt: skip
    lake.open_lake(settings.lake)
    installation = Installation(settings, open_ledger(settings.ledger_url))
    contract, kind = (next((own / kept).glob("*.yml")).stem for kept in ("contracts", "kinds"))
    delivery = make_delivery(installation, "r.csv", records.write_csv().encode(), contract, sender=None, period=None)
    assert all(r.status == "registered" for batch in receive(installation, [delivery]) for r in batch)
    return installation, kind


def drafted(folder: Path, name: str, records: pl.DataFrame) -> Path:
    """Return a folder with the kind and the contract that are drafted from the records, without their truth."""
    file = folder / f"{name}.csv"
    records.write_csv(file)
    written = write_kind(file, name, folder / "drafted" / "kinds")
    contract = folder / "drafted" / "contracts" / f"{name}.yml"
    contract.parent.mkdir()
    contract.write_text(written.contract, encoding="utf-8")
    return folder / "drafted"


def truth(folder: Path, name: str) -> Path:
    """Write the truth of a set, id and label: records that true pairs connect have one label."""
    ids = pl.read_parquet(SETS / name / "records.parquet")["id"].to_list()
    parents = {id_: id_ for id_ in ids}

    def root(id_: str) -> str:
        while parents[id_] != id_:
            parents[id_] = id_ = parents[parents[id_]]
        return id_

    for one, other in pl.read_parquet(SETS / name / "pairs.parquet").iter_rows():
        parents[root(other)] = root(one)
    pl.DataFrame({"id": ids, "label": [root(id_) for id_ in ids]}).write_parquet(folder / "truth.parquet")
    return folder / "truth.parquet"


def splink_alone(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return report_id, cluster as Splink finds them by itself."""
    data = training_data(reports, kind)
    start = deterministic_share(data) or min(data.compared.height / 2 / max(data.pairs, 1), 0.5)
    settings = splink_settings(kind) | {"probability_two_random_records_match": start, "max_iterations": 25}
    frame = with_joint_keys(data.compared, kind).with_row_index(REPORT_NUMBER)
    condition = reporter_condition(kind)
    fields = {n: {f for key in rule for f in key.fields()} for n, rule in enumerate(kind.blocking)}
    with open_linker(frame, settings) as (linker, table, read):
        linker.training.estimate_u_using_random_sampling(max_pairs=1e6)
        for n, column in enumerate(scored_key_columns(kind)):
            if column in frame.columns:
                fixed = [f'l."{f}" IS NOT DISTINCT FROM l."{f}"' for f in fields[n] if f in kind.compared()]
                rule = " AND ".join([f"l.{column} = r.{column}{condition}", *fixed])
                try:
                    linker.training.estimate_parameters_using_expectation_maximisation(
                        rule, estimate_without_term_frequencies=True
                    )
                except Exception as error:  # noqa: BLE001  a rule that fails by itself is left out, as its users do
                    print(f"  Splink alone, rule {n}: {type(error).__name__}", file=sys.stderr)
        pairs = linker.inference.predict_within(
            table, blocking_rules_to_generate_predictions=[*pair_rules(kind, condition)], warning_mode="never"
        )
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
            pairs, threshold_match_probability=SPLINK_PROBABILITY
        )
        found = read(clusters.physical_name).select(REPORT_NUMBER, cluster=pl.col("cluster_id").cast(pl.String))
    ids = frame.select("report_id", REPORT_NUMBER)
    return ids.join(found.with_columns(pl.col(REPORT_NUMBER).cast(pl.UInt32)), on=REPORT_NUMBER).drop(REPORT_NUMBER)


def labels_of(reports: pl.DataFrame, file: Path, kind: Kind) -> pl.DataFrame:
    """Return the truth as `transforms.evaluation.scores.TRUTH_LABEL`."""
    keyed = reports.select("report_id", "reported_by", id=pl.col("row_keys").list.first())
    reporter = pl.col("reported_by") if kind.one_report_per_item else pl.col("report_id")
    return keyed.join(pl.read_parquet(file), on="id").select("report_id", "label", reporter=reporter)


def run(name: str, folder: Path, *, draft: bool, splink: bool) -> dict[str, Any]:
    """Return the figures of one set. draft: under a drafted kind."""
    installation, kind_name = installed(folder, name, draft=draft)
    kind, file = installation.kinds[kind_name], truth(folder, name)
    begin = cpu()
    trained = train(installation, kind, PinRequest(wanted=True, who="bench", why="bench"))
    after_training = cpu()
    nightly(installation)
    after_night = cpu()
    found = evaluate(installation, kind, EvaluationRequest(file, "id", "label", errors=0, sweep=False)).as_dict()
    alone = None
    if splink:
        reports = read_standing_reports(installation, kind)
        try:
            alone = score_clusters(splink_alone(reports, kind), labels_of(reports, file, kind)).f1
        except Exception as error:  # noqa: BLE001  a set that Splink fails on is a figure too
            print(f"  Splink alone: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
    return {
        "set": name, "kind": "drafted" if draft else "beside the data",
        "P": found["clusters"]["precision"], "R": found["clusters"]["recall"],
        "items F1": found["clusters"]["f1"], "components F1": found["components"]["f1"], "Splink alone F1": alone,
        "expected F1": trained.model.seen.get("expected_f1"), "training s": after_training - begin,
        "night s": after_night - after_training, "doubts": len(trained.doubts), "others": PUBLISHED.get(name),
    }  # fmt: skip


def main() -> None:
    """Run the sets and print one row each."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", action="append", help="these sets only")
    options.add_argument("--kind", choices=("both", "beside", "drafted"), default="both", help="whose kinds")
    options.add_argument("--no-splink", action="store_true", help="without Splink alone")
    options.add_argument("--json", action="store_true", help="one JSON object a line")
    given = options.parse_args()
    if not SETS.is_dir():
        sys.exit(f"real input is absent: {SETS}")
    os.environ.setdefault("ENGANG_HOME", tempfile.gettempdir())
    checks.preload()
    names = given.only or sorted(path.name for path in SETS.iterdir())
    runs = [(name, draft) for name in names for draft in (False, True)]
    wanted = {"both": (False, True), "beside": (False,), "drafted": (True,)}[given.kind]
    for name, draft in runs:
        if draft not in wanted or not (draft or (SETS / name / "kinds").is_dir()):
            continue
        begin = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="engang-bench-") as folder:
            figures = run(name, Path(folder), draft=draft, splink=not given.no_splink)
        if given.json:
            print(json.dumps(figures), flush=True)
        else:
            shown = {k: f"{v:.4f}" if isinstance(v, float) and "F1" in k else v for k, v in figures.items()}
            text = {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in shown.items()}
            line = ", ".join(f"{k} {v}" for k, v in text.items())
            print(f"{line} ({time.monotonic() - begin:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
