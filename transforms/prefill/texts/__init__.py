"""Texts as a form asks for them: the inverse of what reading a delivery does to each kind of text."""
