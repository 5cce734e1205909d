"""Overlap: which obligations ask for the same items, what that costs, and double reporting that nobody declared."""
