"""Record linkage: blocking, scoring of pairs, and clusters."""
