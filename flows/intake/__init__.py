"""From an arrival to a registered submission. Knows no release."""
