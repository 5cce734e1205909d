"""The command `engang`.

Every command imports what it needs when it runs: `engang --help` answers at once. Exit codes: 0 done, 1 found problems,
2 wrong use.
"""

import sys

import typer

from flows import (
    cli_backfill,
    cli_contracts,
    cli_decide,
    cli_deliver,
    cli_inbox,
    cli_match,
    cli_release,
    cli_review,
    cli_status,
)
from flows.terminal import FOUND_PROBLEMS, WRONG_USE, app
from infra.settings import tune_allocator
from schemas.errors import EngangError, UsageError

COMMANDS = (
    cli_deliver,
    cli_release,
    cli_contracts,
    cli_decide,
    cli_match,
    cli_review,
    cli_status,
    cli_backfill,
    cli_inbox,
)
"""The modules whose commands `app` holds: importing them registers the commands."""


def main() -> None:
    """Run the command; errors become one clear message and an exit code."""
    tune_allocator()
    try:
        app()
    except UsageError as error:
        typer.secho(f"engang: {error}", err=True, fg="red")
        sys.exit(WRONG_USE)
    except EngangError as error:
        typer.secho(f"engang: {error}", err=True, fg="red")
        sys.exit(FOUND_PROBLEMS)


__all__ = ["COMMANDS", "app", "main"]
