"""Four kinds of real input in one home: petroleum payments, elections, a broadcaster's count of one, population."""

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from flows.installation import Installation
from flows.intake.archives import read_files
from flows.intake.deliveries import Delivery, make_delivery
from schemas.contract import CONTRACT_FOLDER
from tests.support.paths import DATA, ROOT

POPULATION: Final = {"census-csv": "co-est2019-alldata.csv.gz", "world-bank": "wb_population.csv"}
"""Two publications of different units: of counties in the USA, and of nations."""
ELECTIONS: Final = ("2013", "2021")
OWN_NORWAY: Final = "nation,NOR,"
"""The nation that the product's own list has under another code: two units of one name would make it ambiguous."""


def lay_out(folder: Path) -> dict[str, str]:
    """Write the contracts and code lists of all four sources below a folder; return the settings of the home there."""
    contracts, codelists = folder / "contracts", folder / "codelists"
    shutil.copytree(CONTRACT_FOLDER, contracts, ignore=lambda _, names: [n for n in names if n.startswith("demo-")])
    for name in POPULATION:
        shutil.copy(ROOT / "tests" / "support" / "population" / f"{name}.yml", contracts)
    shutil.copytree(DATA / "codelists", codelists)
    for file in (DATA / "population").glob("*.csv"):
        if file.name not in POPULATION.values():
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            (codelists / file.name).write_text("".join(x for x in lines if not x.startswith(OWN_NORWAY)), "utf-8")
    return {
        "ENGANG_HOME": str(folder / "home"),
        "ENGANG_CONTRACTS": str(contracts),
        "ENGANG_CODELISTS": str(codelists),
    }


def deliveries_of(installation: Installation, elections: Collection[str] = ELECTIONS) -> Iterator[Delivery]:
    """Yield all files, of these elections."""
    for path in sorted((DATA / "eiti").glob("eiti-*/*/dataset.original.csv")):
        yield from _read(installation, path, f"eiti-{path.parts[-2]}", path.parts[-3].removeprefix("eiti-"))
    for year in elections:
        yield from _read(installation, DATA / "valg" / f"deliveries-{year}.tar.xz", "valg-resultat")
    yield from _read(installation, DATA / "valg" / "nrk_stortingsvalg2013.tsv", "nrk-stortingsvalg", "2013")
    for contract, name in POPULATION.items():
        yield from _read(installation, DATA / "population" / name, contract)


def _read(installation: Installation, path: Path, contract: str, period: str | None = None) -> Iterator[Delivery]:
    for name, data in read_files(path, installation.settings):
        yield make_delivery(installation, name, data, contract, sender=None, period=period)
