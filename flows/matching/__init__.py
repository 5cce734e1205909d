"""Decisions on pairs of reports, and the training, choice and evaluation of match models."""
