"""An analyst's package as files: Parquet, DuckDB, CSV, a workbook, and the place where packages are published."""
