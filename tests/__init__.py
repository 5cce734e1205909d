"""The tests: `support` holds every helper of theirs."""
