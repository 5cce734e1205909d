"""The command `engang`.

Every command imports what it needs when it runs: `engang --help` answers at once. Exit codes: 0 done, 1 found problems,
2 wrong use.
"""

import errno
import re
import sys
from typing import Final

import typer

from flows.cli import backfills as cli_backfill
from flows.cli import contracts as cli_contracts
from flows.cli import decisions as cli_decide
from flows.cli import deliver as cli_deliver
from flows.cli import inbox as cli_inbox
from flows.cli import models as cli_match
from flows.cli import releases as cli_release
from flows.cli import review as cli_review
from flows.cli import status as cli_status
from flows.cli.terminal import FOUND_PROBLEMS, WRONG_USE, app, one_line
from infra.settings import tune_allocator, tune_start
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

OTHERWISE: Final = "see to the disk and the network"
REMEDIES: Final = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room for it"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "give this user the right to it"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT), "see what stands there"),
}
"""What to do about what the operating system refuses; what is none of these: `OTHERWISE`."""


def main() -> None:
    """Run the command; errors become one clear message and an exit code."""
    tune_allocator()
    tune_start()
    try:
        app()
    except UsageError as error:
        typer.secho(f"engang: {error}", err=True, fg="red")
        sys.exit(WRONG_USE)
    except EngangError as error:
        typer.secho(f"engang: {error}", err=True, fg="red")
        sys.exit(FOUND_PROBLEMS)
    except OSError as error:
        typer.secho(f"engang: {one_line(_refused(error))}", err=True, fg="red")
        sys.exit(FOUND_PROBLEMS)


def _refused(error: OSError) -> str:
    """Return what the operating system refused, of which file, and what to do about it, as one line."""
    said = re.search(r"\(os error (\d+)\)", str(error))  # as Polars and deltalake tell it
    number = error.errno or (int(said[1]) if said else 0)
    what = error.strerror or " ".join(str(error).split()) or type(error).__name__
    where = "" if error.filename is None else f"{error.filename}: "
    remedy = REMEDIES.get(number, OTHERWISE)
    return f"{where}{what}; {remedy}, and run it again. What was received or published before is not lost"


__all__ = ["COMMANDS", "app", "main"]
