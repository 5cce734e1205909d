"""Contracts and kinds drafted from published descriptions of records."""
