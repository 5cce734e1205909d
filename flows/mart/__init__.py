"""The mart in PostgreSQL: brought to the current release, and what it holds now."""
