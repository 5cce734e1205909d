"""One small installation with three releases and a package of each, for all tests of packages."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from flows.installation import Installation
from flows.intake.deliveries import Delivery
from flows.intake.registration import receive, withdraw
from flows.package.publish import package_night
from flows.release.build import night
from infra.checks import engine as checks
from schemas.concepts import VOCABULARY_FOLDER
from schemas.publication import Publication
from tests.support.paths import CONTRACTS
from tests.support.small_installation import open_small

HEADER = "kommune;dag;gruppe;antall;merknad;hemmelig\n"
SECRET = 718281
"""A value that only its sender may know."""
PERSON = "Kari Nordmann"
"""A text that is in no cell where it should be."""
FILES = (
    {"jan.csv": "0301;01.01.2024;alle;5;x;nei\n4601;01.01.2024;=alle;6;x;nei\n0301;02.02.2024;menn;7,5;x;nei\n"},
    {
        "secret.csv": f"0301;02.02.2024;menn;{SECRET};x;ja\n0301;01.01.2024;alle;8;x;nei\n",
        "gone.csv": "0301;01.03.2024;alle;2;x;nei\n",
    },
    {"bad.csv": f"0301;01.04.2024;alle;{PERSON};x;nei\n0301;02.04.2024;alle;3;x;nei\n"},
)
"""What is delivered before each release; a row of the first is corrected in the second, one file is withdrawn."""
SMALLEST = 4
"""The least count of persons that may be published."""
PUBLICATION = Publication(
    publisher="Etaten for prøver", publisher_id="https://example.org/etaten", contact="post@example.org",
    licence="CC-BY-4.0", address="https://example.org/data",
)  # fmt: skip


@dataclass(frozen=True)
class Packages:
    """An installation and the folder of its packages."""

    home: Installation
    root: Path

    @property
    def latest(self) -> Path:
        return self.root / "latest"


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """Give an installation with three releases, and the package of each."""
    folder = tmp_path_factory.mktemp("packages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "preload", lambda: None)
        patch.setattr(checks.TableCheck, "findings", lambda _: [])
        home = open_small(folder / "home", contracts=_contracts(folder / "contracts"))
        home = _with_packages(home, folder / "out", _vocabulary(folder / "vocabulary"))
        for number, files in enumerate(FILES):
            given = [Delivery(n, f"{HEADER}{rows}".encode(), "folketall", "kommunen") for n, rows in files.items()]
            receipts = [receipt for some in receive(home, given) for receipt in some]
            if number == 1:
                gone = receipts[1].submission_id
            if number == 2:
                assert withdraw(home, gone)
            done = night(home)
            assert package_night(home, done.release) is not None
            assert package_night(home, done.release) is None, "it is there already"
    return Packages(home, folder / "out")


def _with_packages(home: Installation, root: Path, vocabulary: Path) -> Installation:
    own = {"packages_at": root, "publication": PUBLICATION, "vocabulary": vocabulary}
    return replace(home, settings=replace(home.settings, **own))


def _vocabulary(folder: Path) -> Path:
    folder.mkdir()
    shipped = yaml.safe_load((VOCABULARY_FOLDER / "concepts.yml").read_text(encoding="utf-8"))["concepts"]
    population = {**shipped["population"], "suppress_below": SMALLEST}
    (folder / "own.yml").write_text(yaml.safe_dump({"concepts": {"population": population}}), encoding="utf-8")
    return folder


def _contracts(folder: Path) -> Path:
    folder.mkdir()
    text = (CONTRACTS / "folketall.yml").read_text(encoding="utf-8")
    text = text.replace("antall;merknad", "antall;merknad;hemmelig").replace("709 037;", "709 037;;nei")
    mark = '{column: hemmelig, map: {ja: "true", nei: "false"}}'
    text = text.replace("    column: antall\n", f"    column: antall\n    confidential: {mark}\n", 1)
    (folder / "folketall.yml").write_text(text, encoding="utf-8")
    return folder
