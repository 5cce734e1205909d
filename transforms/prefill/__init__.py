"""Prefilled drafts: what others have reported, written in the form that a contract asks for."""
