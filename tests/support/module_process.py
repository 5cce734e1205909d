"""Modules of the tests that run as processes of their own."""

import os
import sys

from tests.support.paths import ROOT


def command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of the tests."""
    return [sys.executable, "-m", module, *arguments]


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment, in which the tests can be imported, and more."""
    return os.environ | {"PYTHONPATH": str(ROOT)} | more
