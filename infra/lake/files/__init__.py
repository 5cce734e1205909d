"""The files of tables: how Polars writes them, and how those of one or several writers are committed."""
