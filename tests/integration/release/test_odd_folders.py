"""An installation in a folder whose path a URL has to escape; a folder that cannot be read back from is refused."""

import shutil
import time
from pathlib import Path

import pytest

from infra.lake import delta as lake
from infra.settings import DEMO_CODELISTS
from infra.storage.folder_watch import QUIET_SECONDS
from infra.storage.places import S3Place
from schemas.errors import UsageError
from tests.support import wreck_installation
from tests.support.cli_runner import Run, engang
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER

pytestmark = pytest.mark.usefixtures("unchecked")
ODD = 'Kåre\'s #1 50% "ny" {a,b} ~&+@;:ß'
WRECK = {"number": 1, "railroad": "UP", "place": "Vik", "day": "2024-03-01"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an odd folder that holds all of an installation: contracts, kinds, deliveries, the home."""
    root = tmp_path / ODD
    for name, path in wreck_installation.folders(root).items():
        monkeypatch.setenv(name, path)
    monkeypatch.setenv("ENGANG_CODELISTS", str(DEMO_CODELISTS))
    shutil.copytree(CONTRACTS, root / "contracts", dirs_exist_ok=True)
    for name in ("ENGANG_LEDGER", "ENGANG_LANDING", "ENGANG_LAKE", "ENGANG_ARRIVALS"):
        monkeypatch.delenv(name, raising=False)
    return root


@pytest.fixture
def run(folder: Path) -> Run:
    """Give what runs the command in that folder, a model of its wrecks in force."""
    wreck_installation.open_wrecks(folder / "home")
    return engang


def test_the_whole_way_in_an_odd_folder(run: Run, folder: Path) -> None:
    nightly(run, folder, "709 037", WRECK)
    asked = run("query", "SELECT item_id, value FROM observations", "--format", "json").json
    assert [row["value"] for row in asked] == [709037]
    nightly(run, folder, "709 038", {**WRECK, "speed": 40, "number": 2, "railroad": "BNSF"})  # both retire what was
    (people,) = run("query", "SELECT item_id, value FROM observations", "--format", "json").json
    (wreck,) = run("query", "SELECT item_id, speed FROM wreck", "--format", "json").json
    assert (people["value"], wreck["speed"]) == (709038, 40), "a correction, and two reports of one wreck"
    for item in (people, wreck):
        assert run("explain", item["item_id"]).code == 0
    assert run("export", "--to", str(folder / "out")).code == 0
    assert list((folder / "out").glob("observations/*.parquet"))
    assert run("verify", "--json").json["same"]
    assert {p.name for p in folder.parent.iterdir()} == {ODD}, "nothing is kept beside it"


def nightly(run: Run, folder: Path, people: str, wreck: dict[str, object]) -> None:
    """Deliver a number of people and a wreck, one by command and one in the arrivals, and publish them."""
    (folder / "people.csv").write_text(f"{HEADER}0301;01.01.2024;alle;{people};\n")
    submitted = run("submit", folder / "people.csv", "--contract", "folketall", "--sender", "kommunen")
    assert submitted.code == 0, submitted.err
    arrivals = folder / "home" / "arrivals" / "agency" / "wrecks"
    arrivals.mkdir(parents=True, exist_ok=True)
    (arrivals / "wreck.csv").write_bytes(wreck_installation.csv(wreck))
    time.sleep(QUIET_SECONDS + 0.1)  # an arrival counts when it no longer grows
    done = run("nightly", "--json")
    assert done.code == 0, done.err
    assert done.json["published"]


@pytest.mark.parametrize("name", ["50%20 ny", "a=b", "wh*t", "wh?t", "[1]", "a|b", "a^b", "a\\b", "a\nb", "\udce5"])
def test_a_folder_that_no_lake_can_be_kept_in_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match="rename the folder, or let ENGANG_HOME or ENGANG_LAKE") as refused:
        lake.open_lake(tmp_path / name / "lake")
    str(refused.value).encode()
    (tmp_path / "link").symlink_to(tmp_path / name)
    with pytest.raises(UsageError, match="no lake can be kept at this path"):
        lake.open_lake(tmp_path / "link" / "lake")
    assert not list((tmp_path / name).iterdir())


def test_the_command_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(folder / "50%20 ny"))
    refused = engang("status")
    assert refused.code == 2, refused.err
    assert "found '%20' in it" in refused.err


def test_no_lake_is_kept_under_a_prefix_that_reads_as_a_partition() -> None:
    with pytest.raises(UsageError, match="found '=' in it"):
        lake.open_lake(S3Place("bucket", "year=2024/lake"))
