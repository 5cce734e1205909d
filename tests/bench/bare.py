"""The baseline: a bare Polars script that scans the same files, groups by the key and writes Parquet."""

import sys

import polars as pl

source, target = sys.argv[1:]
rows = pl.scan_csv(f"{source}/**/*.csv", separator=";", infer_schema=False)
facts = rows.group_by("kommunenr", "maaned", "indikator").agg(pl.len().alias("reports"), pl.col("verdi").first())
facts.sink_parquet(target)
