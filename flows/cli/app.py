"""The command `engang`.

Every command imports what it needs when it runs, so `engang --help` answers at once. Exit codes: 0 done, 1 found
problems, 2 wrong use.
"""

import errno
import sys
from importlib.metadata import version
from typing import Annotated, Final

import typer

from flows.cli import backfills, contracts, decisions, deliver, inbox, models, releases, review, status
from flows.cli.terminal import FOUND_PROBLEMS, WRONG_USE, app, one_line, print_error, print_text
from flows.process import tune_process
from schemas.errors import EngangError, UsageError, os_error_number

COMMANDS = (deliver, releases, contracts, decisions, models, review, status, backfills, inbox)
"""The modules that register commands with `app` when they are imported."""

DEFAULT_REMEDY: Final = "check the disk and the network"
REMEDIES: Final = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free some space"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "give this user permission"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT), "check what is at that path"),
}
"""What to do about an error of the operating system, by its number; any other: `DEFAULT_REMEDY`."""


def _print_version(requested: bool) -> None:  # noqa: FBT001  typer's form of a callback
    if requested:
        print_text(f"engang {version('engang')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version_: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options of all commands."""


def main() -> None:
    """Run the command; errors become one clear message and an exit code."""
    tune_process()
    try:
        app()
    except UsageError as error:
        print_error(one_line(str(error)))
        sys.exit(WRONG_USE)
    except EngangError as error:
        print_error(str(error))
        sys.exit(FOUND_PROBLEMS)
    except OSError as error:
        print_error(one_line(_os_error_message(error)))
        sys.exit(FOUND_PROBLEMS)


def _os_error_message(error: OSError) -> str:
    """Return what the operating system refused, for which file, and what to do about it, as one line."""
    number = error.errno or os_error_number(error) or 0
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    file = "" if error.filename is None else f"{error.filename}: "
    remedy = REMEDIES.get(number, DEFAULT_REMEDY)
    return f"{file}{reason}; {remedy}, then run it again. Everything received or published before is safe"


__all__ = ["COMMANDS", "app", "main"]
