"""Observations of one item: whether they agree, the published value, and changes between releases."""
