"""The command `engang`.

Every command imports what it needs when it runs, so `engang --help` answers at once. Exit codes: 0 done, 1 found
problems, 2 wrong use.
"""

import errno
import sys
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer

from flows.cli import (
    backfills,
    concepts,
    contracts,
    decisions,
    deliver,
    discovery,
    dossier,
    evaluation,
    inbox,
    kinds,
    models,
    overlap,
    publishing,
    receipt,
    releases,
    review,
    status,
    upkeep,
)
from flows.cli.terminal import FOUND_PROBLEMS, WRONG_USE, app, one_line, print_error, print_text
from flows.process import tune_process
from schemas.errors import EngangError, UsageError, os_error_number

COMMANDS = (
    deliver,
    releases,
    contracts,
    concepts,
    kinds,
    decisions,
    models,
    evaluation,
    review,
    status,
    backfills,
    inbox,
    discovery,
    overlap,
    dossier,
    receipt,
    publishing,
    upkeep,
)
"""The modules that register commands with `app` when they are imported."""

FRAMES_SHOWN: Final = 6
"""How many calls are named of an error that nobody foresaw: the innermost."""
DEFAULT_REMEDY: Final = "check the disk and the network"
REMEDIES: Final = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free some space"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "give this user permission"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT), "check what is at that path"),
}
"""What to do about an error of the operating system, by its number; any other: `DEFAULT_REMEDY`."""


def _print_version(*, requested: bool) -> None:
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
        app(prog_name="engang")  # however this program was started
    except UsageError as error:
        print_error(one_line(str(error)))
        sys.exit(WRONG_USE)
    except EngangError as error:
        print_error(str(error))
        sys.exit(FOUND_PROBLEMS)
    except OSError as error:
        print_error(one_line(_os_error_message(error)))
        sys.exit(FOUND_PROBLEMS)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise
        print_error(one_line(_unforeseen_message(error)))
        sys.exit(FOUND_PROBLEMS)


def _os_error_message(error: OSError) -> str:
    """Return what the operating system refused, for which file, and what to do about it, as one line."""
    number = error.errno or os_error_number(error) or 0
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    file = "" if error.filename is None else f"{error.filename}: "
    remedy = REMEDIES.get(number, DEFAULT_REMEDY)
    return f"{file}{reason}; {remedy}, then run it again. Everything received or published before is safe"


def _unforeseen_message(error: BaseException) -> str:
    """Return what is shown of a fault of ours, a panic of a library included: where it is, for the report.

    Its own message may quote delivered data, and a traceback is no answer to who runs a command.
    """
    calls = traceback.extract_tb(error.__traceback__)[-FRAMES_SHOWN:]
    where = " < ".join(f"{Path(call.filename).name}:{call.lineno}" for call in reversed(calls))
    fault = f"a fault of Engang's: {type(error).__name__} at {where}"
    return f"{fault}. Report it. Everything received or published before is safe"


__all__ = ["COMMANDS", "app", "main"]
