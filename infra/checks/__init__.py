"""The checks of a staged release, by Great Expectations."""
