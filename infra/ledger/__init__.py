"""The ledger database: submissions, releases, decisions, backfills, events."""
