"""The read side: SQL, and the explanation of items and pairs. Imports nothing of the building of a release."""
