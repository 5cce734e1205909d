"""Overlap: what is reported more than once, what that costs, and which obligations could be dropped."""
