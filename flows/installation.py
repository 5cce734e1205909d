"""An installation opened: its settings, its ledger, its contracts and record kinds, its register of units."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from infra import telemetry
from infra.ledger import submissions as ledger
from infra.settings import Settings, read_settings
from infra.storage import landing
from infra.storage.places import Place, fit_for_a_lake
from infra.storage.store import Store
from schemas.errors import UsageError

if TYPE_CHECKING:
    from schemas.contract import Contract
    from schemas.kind import Kind
    from transforms.register.lookup import Register


@dataclass(frozen=True)
class Installation:
    """What every step works on; contracts and register are read when first asked for."""

    settings: Settings
    engine: sa.Engine

    @cached_property
    def contracts(self) -> "dict[str, Contract]":
        """Every contract, by id."""
        from schemas.contract import FOLDER, load_contracts  # noqa: PLC0415  readers of a release need no contracts
        from schemas.record_contract import check_records  # noqa: PLC0415  same

        contracts = load_contracts(self.settings.contracts or FOLDER)
        for contract in contracts.values():
            check_records(contract, self.kinds)
        return contracts

    @cached_property
    def kinds(self) -> "dict[str, Kind]":
        """Every record kind, by name."""
        from schemas.kind import FOLDER, load_kinds  # noqa: PLC0415  readers of a release need no contracts

        return load_kinds(self.settings.kinds or FOLDER)

    def kind(self, name: str) -> "Kind":
        """Return a record kind; `UsageError` that names the nearest one if there is none."""
        if name in self.kinds:
            return self.kinds[name]
        raise UsageError(f"no record kind {name!r}: {_nearest(name, self.kinds)}known: {', '.join(self.kinds)}")

    @cached_property
    def register(self) -> "Register":
        """The register of reporting units."""
        from infra.codelists import read_codelists  # noqa: PLC0415  readers of a release need no register
        from transforms.register.build import build_register  # noqa: PLC0415  same

        return build_register(*read_codelists(self.settings.codelists))

    @cached_property
    def landing(self) -> Store:
        """The landing zone, probed when it is first asked for."""
        store = landing.open_store(self.settings.landing)
        store.probe()
        return store

    @cached_property
    def lake(self) -> Place:
        """The lake for writing, probed and made when it is first asked for; what only reads asks the settings."""
        from infra.lake.delta import open_lake  # noqa: PLC0415  much is told by the ledger alone

        if not isinstance(self.settings.lake, Path):
            landing.open_store(self.settings.lake).probe()
        open_lake(self.settings.lake)
        return self.settings.lake

    @cached_property
    def arrivals(self) -> Store:
        """Where senders put what they deliver, and Engang only reads; probed when it is first asked for."""
        store = landing.open_store(self.settings.arrivals)
        store.probe(writes=False)
        return store

    def contract(self, name: str) -> "Contract":
        """Return a contract; `UsageError` that names the nearest one if there is none."""
        if name in self.contracts:
            return self.contracts[name]
        raise UsageError(f"no contract {name!r}: {_nearest(name, self.contracts)}`engang contracts` lists them")


def _nearest(name: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415  only where a name is wrong

    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def open_installation(home: Path | None = None) -> Installation:
    """Open the installation at `home` (default ENGANG_HOME), making what is not there yet."""
    settings = read_settings(home)
    telemetry.start(settings)
    fit_for_a_lake(settings.lake)
    settings.home.mkdir(parents=True, exist_ok=True)
    return Installation(settings, ledger.open_ledger(settings.ledger_url))
