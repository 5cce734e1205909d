"""Receipts of what a release did with each row of a submission, with their proofs."""
