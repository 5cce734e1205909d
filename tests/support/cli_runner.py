"""The command, run in this process as the console would."""

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import typer
import typer.main

from flows.cli.app import main


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it said, as JSON."""
        assert self.out, self.err
        return json.loads(self.out)


Run = Callable[..., Ran]
built_command = cache(typer.main.get_command)
"""Typer builds all commands anew for each call: half of what a small one costs in this process."""


def engang(*arguments: object, answers: str = "") -> Ran:
    """Run the command with these answers on standard input."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as out:
        patch.setattr(sys, "argv", ["engang", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.StringIO(answers))
        patch.setattr(typer.main, "get_command", built_command)
        with redirect_stderr(io.StringIO()) as err:
            try:
                main()
                code: object = 0
            except SystemExit as ended:
                code = ended.code or 0
    assert isinstance(code, int)
    return Ran(code, out.getvalue(), err.getvalue())
