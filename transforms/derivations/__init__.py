"""Derivations: what follows from the items of a release by roll-ups that are declared or accepted."""
