"""The command, run in this process as the console would."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import typer
import typer.main

from flows.cli.app import main
from infra import telemetry


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


@contextmanager
def _own_logging() -> Iterator[None]:
    """Let a command set up logging for itself alone: tests after it look at what is logged."""
    root = logging.getLogger(telemetry.SERVICE_NAME)
    before = root.handlers, root.level, root.propagate
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telemetry, "_configured", None)
        try:
            yield
        finally:
            root.handlers, root.propagate = before[0], before[2]
            root.setLevel(before[1])


def engang(*arguments: object, answers: str = "") -> Ran:
    """Run the command with these answers on standard input."""
    with pytest.MonkeyPatch.context() as patch, _own_logging(), redirect_stdout(io.StringIO()) as out:
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
