"""Onboarding: a contract drafted from a file, and what a changed contract would read otherwise."""
