"""Settings: the only reader of the environment."""

import getpass
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.errors import UsageError

DEMO_CODELISTS: Final = Path(__file__).parent.parent / "schemas" / "codelists" / "demo"


@dataclass(frozen=True)
class Settings:
    """Where everything is kept and how much of it is taken at once."""

    home: Path
    ledger_url: str
    codelists: Path
    contracts: Path | None
    kinds: Path | None
    max_file_bytes: int
    max_archive_files: int

    @property
    def landing(self) -> Path:
        """The landing zone's folder."""
        return self.home / "landing"

    @property
    def lake(self) -> Path:
        """The lake's folder."""
        return self.home / "lake"

    @property
    def exports(self) -> Path:
        """Where releases are exported as plain Parquet."""
        return self.home / "releases"


def read_settings(home: Path | None = None) -> Settings:
    """Read the settings from the environment; `home` overrules ENGANG_HOME (default ./.engang).

    Raises `UsageError` for a limit that is no whole number.

    ENGANG_LEDGER     SQLAlchemy URL, default SQLite in the home
    ENGANG_CODELISTS  folder of the code-list snapshot, default the demo's
    ENGANG_CONTRACTS  folder of contracts to use instead of the shipped ones
    ENGANG_KINDS      folder of record kinds to use instead of the shipped ones
    ENGANG_MAX_FILE_BYTES, ENGANG_MAX_ARCHIVE_FILES  limits of one delivery
    """
    env = os.environ
    home = (home or Path(env.get("ENGANG_HOME", ".engang"))).absolute()
    contracts, kinds = env.get("ENGANG_CONTRACTS"), env.get("ENGANG_KINDS")
    return Settings(
        home=home,
        ledger_url=env.get("ENGANG_LEDGER", f"sqlite:///{home / 'ledger.db'}"),
        codelists=Path(env.get("ENGANG_CODELISTS", DEMO_CODELISTS)),
        contracts=Path(contracts) if contracts else None,
        kinds=Path(kinds) if kinds else None,
        max_file_bytes=_limit("ENGANG_MAX_FILE_BYTES", 5 * 2**30),
        max_archive_files=_limit("ENGANG_MAX_ARCHIVE_FILES", 1_000_000),
    )


def _limit(name: str, default: int) -> int:
    told = os.environ.get(name, str(default))
    if not (told.isascii() and told.isdigit()):
        raise UsageError(f"{name}: found {told!r}, expected a whole number")
    return int(told)


def user_name() -> str:
    """Return the name of who runs this, as the machine knows them; `UsageError` if it knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        raise UsageError("the machine does not say who runs this: give --who") from error


def tune_allocator() -> None:
    """Let Polars keep freed memory for half a minute instead of giving it back at once; call it before Polars loads.

    A batch needs what the one before gave back: asking the system for it again cost a fifth of a long run.
    """
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:30000,muzzy_decay_ms:30000")
