"""The outer world, one adapter a file: settings, landing zone, ledger, lake, checks, code lists."""
