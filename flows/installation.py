"""An installation opened: its settings, its ledger, its contracts, its register of units."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from infra import lake, ledger
from infra.settings import Settings, read_settings
from schemas.errors import UsageError

if TYPE_CHECKING:
    from schemas.contract import Contract
    from transforms.register import Register


@dataclass(frozen=True)
class Installation:
    """What every step works on; contracts and register are read when first asked for."""

    settings: Settings
    engine: sa.Engine

    @cached_property
    def contracts(self) -> "dict[str, Contract]":
        """Every contract, by id."""
        from schemas.contract import FOLDER, load_contracts  # noqa: PLC0415  readers of a release need no contracts

        return load_contracts(self.settings.contracts or FOLDER)

    @cached_property
    def register(self) -> "Register":
        """The register of reporting units."""
        from infra.codelists import read_codelists  # noqa: PLC0415  readers of a release need no register
        from transforms.register import build_register  # noqa: PLC0415  same

        return build_register(*read_codelists(self.settings.codelists))

    def contract(self, name: str) -> "Contract":
        """Return a contract; `UsageError` that names the nearest one if there is none."""
        import difflib  # noqa: PLC0415  only where a name is wrong

        if name in self.contracts:
            return self.contracts[name]
        near = difflib.get_close_matches(name, self.contracts, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"no contract {name!r}: {hint}`engang contracts` lists them")


def open_installation(home: Path | None = None) -> Installation:
    """Open the installation at `home` (default ENGANG_HOME), making what is not there yet."""
    settings = read_settings(home)
    settings.home.mkdir(parents=True, exist_ok=True)
    lake.open_lake(settings.lake)
    return Installation(settings, ledger.open_ledger(settings.ledger_url))
