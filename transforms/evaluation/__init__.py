"""How well reports are matched: against a known truth, or estimated from pairs that a person judges."""
