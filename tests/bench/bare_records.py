"""The baseline: Splink alone, on the same frame with the same model and rules: `bare_records.py FRAME MODEL TARGET`.

Predicts, clusters by its own connected components and writes Parquet; prints the processor seconds of each as JSON.
"""

import json
import logging
import resource
import sys
from pathlib import Path

import duckdb
import polars as pl
from splink import DuckDBAPI, Linker

frame, model, target = sys.argv[1:]
model_file = json.loads(Path(model).read_text(encoding="utf-8"))
logging.getLogger("splink").setLevel(logging.ERROR)


def cpu() -> float:
    """Return the processor seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


connection = duckdb.connect()
connection.execute(model_file["macro"])
api = DuckDBAPI(connection)
reports = pl.read_parquet(frame)
counted = [c for c in reports.columns if c.startswith("_tf_")]
table = api.register(reports.drop(counted).to_arrow(), dataset_display_name="reports")
settings = model_file["settings"] | {"blocking_rules_to_generate_predictions": model_file["rules"]}
linker = Linker(table, settings, log_level=None)
for name in counted:
    field = name.removeprefix("_tf_")
    shares = api.register(
        reports.select(field, pl.col(name).alias(f"tf_{field}")).drop_nulls().unique().to_arrow(),
        dataset_display_name=name,
    )
    linker.table_management.register_term_frequency_lookup(shares, field)
started = cpu()
pairs = linker.inference.predict(threshold_match_weight=model_file["review"])
scored = cpu()
clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
    pairs, threshold_match_weight=model_file["automatic"]
)
connection.table(clusters.physical_name).write_parquet(target)
figures = {"predict": scored - started, "cluster": cpu() - scored, "pairs": len(connection.table(pairs.physical_name))}
print(json.dumps(figures))
