"""What describes an analyst's package: its metadata by each standard, and the SQL of its DuckDB file."""
