"""Record linkage: blocking, scoring of pairs, clusters and their evaluation."""
