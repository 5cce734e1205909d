"""An installation opened: its settings, its ledger, its contracts and record kinds, its register of units."""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from flows.process import close_to_others
from infra import telemetry
from infra.ledger.open import open_ledger
from infra.settings import Settings, read_settings
from infra.storage import landing
from infra.storage.places import Place, check_lake_place
from infra.storage.store import Store
from schemas.errors import ContractError, UsageError
from schemas.suggestions import did_you_mean

if TYPE_CHECKING:
    from infra.cluster.cluster import Cluster
    from infra.lake.files.uncommitted import Committer
    from schemas.concepts import Vocabulary
    from schemas.contract import Contract
    from schemas.kind import Kind
    from transforms.register.lookup import Register


OSLO: Final = ZoneInfo("Europe/Oslo")
"""The time zone of deadlines, schedules and the names of runs."""


@dataclass(frozen=True)
class Presets:
    """Contracts, kinds and register to use instead of those that the settings name; the number of the first release."""

    contracts: "dict[str, Contract] | None" = None
    kinds: "dict[str, Kind] | None" = None
    register: "Register | None" = None
    first_release: int = 1


@dataclass(frozen=True)
class Installation:
    """What every step needs; contracts, kinds and register are read on first use, unless preset."""

    settings: Settings
    engine: sa.Engine
    presets: Presets = field(default_factory=Presets)
    cluster: "Cluster | None" = None
    """The workers that read deliveries; None where this process reads them itself."""

    def with_cluster(self, cluster: "Cluster") -> "Installation":
        """Return the same installation whose deliveries a cluster reads; what is loaded stays loaded."""
        other = copy(self)
        other.__dict__["cluster"] = cluster
        return other

    def with_presets(self, **given: Any) -> "Installation":
        """Return the same installation with these fields of `Presets` set."""
        return replace(self, presets=replace(self.presets, **given))

    @property
    def contracts(self) -> "dict[str, Contract]":
        """Every contract that can be used, by id."""
        return self._contracts[0]

    @property
    def broken_contracts(self) -> dict[str, str]:
        """The contracts whose file is wrong, by id: why. They cost their own obligations only."""
        return self._contracts[1]

    @cached_property
    def _contracts(self) -> "tuple[dict[str, Contract], dict[str, str]]":
        if self.presets.contracts is not None:
            return self.presets.contracts, {}
        from schemas.contract import CONTRACT_FOLDER, load_contracts  # readers of a release need no contracts
        from schemas.contract_terms import complete_contracts
        from schemas.record_contract import check_one_report, check_records

        broken: dict[str, str] = {}
        contracts = load_contracts(self.settings.contracts or CONTRACT_FOLDER, broken)
        contracts = complete_contracts(contracts, self._vocabulary, broken)
        for name, contract in contracts.items():
            try:
                check_records(contract, self.kinds)
            except ContractError as error:
                broken[name] = str(error)
        usable = {name: contract for name, contract in contracts.items() if name not in broken}
        check_one_report(self.kinds.values(), usable, broken)
        return usable, broken

    @cached_property
    def _vocabulary(self) -> "Vocabulary":
        """The shipped vocabulary and the installation's own."""
        from schemas.concepts import load_vocabulary  # readers of a release need no vocabulary

        return load_vocabulary(self.settings.vocabulary)

    @cached_property
    def vocabulary(self) -> "Vocabulary":
        """Every concept, dimension and measure: shipped, of the installation's own folder, and brought by contracts."""
        from schemas.contract_terms import gather_terms

        return gather_terms(self._vocabulary, self.contracts)[0]

    def completed(self, contract: "Contract") -> "Contract":
        """Return a contract that may be none of the installation's, completed by its vocabulary; `ContractError`."""
        from schemas.contract_terms import gather_terms, with_terms

        name = contract.contract
        vocabulary, problems = gather_terms(self._vocabulary, {**self.contracts, name: contract})
        return with_terms(contract, vocabulary, problems.get(name, ()))

    @cached_property
    def usable(self) -> set[str]:
        """The contracts that have passed `flows.contracts.gate`, so that each is looked at once."""
        return set()

    @cached_property
    def kinds(self) -> "dict[str, Kind]":
        """Every record kind, by name."""
        if self.presets.kinds is not None:
            return self.presets.kinds
        from schemas.kind import KIND_FOLDER, load_kinds  # readers of a release need no contracts

        return load_kinds(self.settings.kinds or KIND_FOLDER)

    def kind(self, name: str) -> "Kind":
        """Return a record kind; `UsageError` that names the nearest one if there is none."""
        if name in self.kinds:
            return self.kinds[name]
        raise UsageError(f"no record kind {name!r}: {_nearest(name, self.kinds)}known: {', '.join(self.kinds)}")

    @cached_property
    def register(self) -> "Register":
        """The register of reporting units."""
        if self.presets.register is not None:
            return self.presets.register
        from infra.codelists import read_codelists  # readers of a release need no register
        from transforms.register.build import build_register

        return build_register(*read_codelists(self.settings.codelists, core=self.settings.core_units))

    @cached_property
    def landing(self) -> Store:
        """The landing zone, probed on first use."""
        store = landing.open_store(self.settings.landing)
        store.probe()
        return store

    @cached_property
    def lake(self) -> Place:
        """The lake for writing, probed and created on first use; code that only reads uses `settings.lake`."""
        from infra.lake.delta import open_lake  # many commands read only the ledger

        if not isinstance(self.settings.lake, Path):
            landing.open_store(self.settings.lake).probe()
        open_lake(self.settings.lake)
        return self.settings.lake

    @cached_property
    def committer(self) -> "Committer":
        """What commits the files that workers of a cluster write."""
        from infra.lake.files.uncommitted import Committer  # only where there is a cluster

        return Committer(self.lake)

    @cached_property
    def setup(self) -> dict[str, str]:
        """What two processes must have in common to read a delivery alike, by name: digests, and places."""
        from schemas.reading_setup import digest_of_key, digest_of_models
        from transforms.rules_version import RULES_DIGEST

        settings = self.settings
        return {
            "rules": RULES_DIGEST,
            "code lists": self.register.digest,
            "contracts": digest_of_models(self.contracts),
            "record kinds": digest_of_models(self.kinds),
            "pseudonym key": digest_of_key(settings.pseudonym_key),
            "limits of reading": repr(settings.reading),
            "landing zone": str(settings.landing),
            "lake": str(settings.lake),
        }

    @cached_property
    def arrivals(self) -> Store:
        """Where senders put their files; Engang only reads it. Probed on first use."""
        store = landing.open_store(self.settings.arrivals)
        store.probe(writes=False)
        return store

    def contract(self, name: str) -> "Contract":
        """Return a contract; `UsageError` that names the nearest one if there is none, `ContractError` if it is wrong.

        Code that reads deliveries by it asks `flows.contracts.gate` instead.
        """
        if name in self.contracts:
            return self.contracts[name]
        if name in self.broken_contracts:
            raise ContractError(f"contract {name!r} cannot be used: {self.broken_contracts[name]}")
        raise UsageError(f"no contract {name!r}: {_nearest(name, self.contracts)}`engang contracts` lists them")


def _nearest(name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return f"{hint} " if hint else ""


def contracts_folder() -> Path | None:
    """Return the folder of contracts that the settings name, None for the shipped ones; opens nothing."""
    return read_settings().contracts


def open_installation(home: Path | None = None) -> Installation:
    """Open the installation at `home` (default ENGANG_HOME); create what does not exist yet."""
    close_to_others()
    settings = read_settings(home)
    telemetry.configure(settings)
    check_lake_place(settings.lake)
    settings.home.mkdir(parents=True, exist_ok=True)
    return Installation(settings, open_ledger(settings.ledger_url))
