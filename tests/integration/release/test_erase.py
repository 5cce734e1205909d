"""An erased submission is in no file of the home, its bytes are refused, and the release is as after a withdrawal."""

import os
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.support.cli_runner import engang
from tests.support.paths import CONTRACTS

pytestmark = pytest.mark.usefixtures("unchecked")

HEADER = "kommune;dag;gruppe;antall;merknad\n"
ONLY_HERE = "ONLYINTHISFILE"
SUBMISSIONS = "SELECT DISTINCT submission_id FROM sources"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENGANG_CONTRACTS", str(CONTRACTS))
    rows = f"0301;01.01.2024;alle;709037;\n1120;01.01.2024;{ONLY_HERE};20005;\n9998;01.01.2024;{ONLY_HERE};1;\n"
    (tmp_path / "a.csv").write_text(HEADER + rows)
    (tmp_path / "b.csv").write_text(f"{HEADER}0301;01.01.2024;alle;709037;\n1121;01.01.2024;alle;19000;\n")
    use(tmp_path / "home", monkeypatch)
    return tmp_path


def use(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(home))


def deliver(file: Path, sender: str) -> dict[str, Any]:
    (receipt,) = engang("submit", file, "-c", "folketall", "-s", sender, "--json").json
    return dict(receipt)


def digest() -> str:
    return str(engang("releases", "--json").json[-1]["digest"])


def holding(home: Path) -> list[str]:
    """Return the files of a home that hold the text of the erased file, whatever compresses them."""
    files = [path for path in home.rglob("*") if path.is_file()]
    return [str(path.relative_to(home)) for path in files if ONLY_HERE.encode() in content(path)]


def content(path: Path) -> bytes:
    if path.suffix != ".parquet":
        return path.read_bytes()
    rows = pl.read_parquet(path, hive_partitioning=False)
    return str(rows.select(pl.selectors.string()).rows()).encode()


def test_erase_removes_every_trace_and_nothing_else(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    erased, other = deliver(home / "a.csv", "en")["submission_id"], deliver(home / "b.csv", "to")["submission_id"]
    assert engang("nightly").code == 0
    assert engang("site").code == 0
    shown = engang("erase", erased, "--why", "a person asked")
    assert (shown.code, "nothing was changed" in shown.out) == (0, True)
    assert holding(home / "home")

    done = engang("erase", erased, "--why", "a person asked", "--who", "me", "--yes")
    assert (done.code, "erased; release 2 is without it" in done.out) == (0, True)
    assert holding(home / "home") == []
    assert [path.name for path in (home / "home" / "releases").iterdir()] == ["2"]
    assert sorted(path.name for path in (home / "home" / "site").iterdir()) == ["latest", "release-2"]
    assert engang("query", SUBMISSIONS, "-f", "json").json == [{"submission_id": other}]
    assert engang("query", "SELECT * FROM changes WHERE value_before IS NOT NULL", "-f", "json").json == []
    assert engang("query", "SELECT 1", "--release", "1").code == 2
    assert engang("verify").code == 0
    assert engang("nightly").code == 0
    after = digest()

    use(home / "withdrawn", monkeypatch)
    deliver(home / "b.csv", "to")
    assert engang("nightly").code == 0
    assert digest() == after


def test_erased_bytes_are_refused_and_stop_no_other_file(home: Path) -> None:
    erased = deliver(home / "a.csv", "en")["submission_id"]
    assert engang("erase", erased, "--why", "a person asked", "--who", "me", "--yes").code == 0
    both = engang("submit", home / "a.csv", home / "b.csv", "-c", "folketall", "-s", "en", "--json")
    first, second = both.json
    assert (both.code, first["status"], second["status"]) == (1, "rejected", "registered")
    assert "by me: a person asked" in first["problem"]
    assert holding(home / "home") == []
    assert engang("nightly").code == 0
    assert engang("query", "SELECT count(*) AS n FROM observations", "-f", "json").json == [{"n": 2}]
    assert engang("erase", erased, "--why", "again", "--yes").code == 0


def test_the_other_files_of_an_archive_with_erased_bytes_are_received(home: Path) -> None:
    erased = deliver(home / "a.csv", "en")["submission_id"]
    assert engang("erase", erased, "--why", "a person asked", "--who", "me", "--yes").code == 0
    arrivals = home / "home" / "arrivals" / "en" / "folketall"
    arrivals.mkdir(parents=True)
    for name, members in (("both.zip", ("a.csv", "b.csv")), ("only.zip", ("a.csv",))):
        with zipfile.ZipFile(arrivals / name, "w") as archive:
            for member in members:
                archive.write(home / member, member)
        os.utime(arrivals / name, (0, 0))  # complete for long
    assert engang("nightly").code == 0
    listed = engang("inbox", "list", "--json").json
    assert [(row["object"], row["reason"].endswith("me: a person asked")) for row in listed["parked"]] == [
        ("en/folketall/only.zip", True)
    ]
    (counted,) = engang("query", "SELECT filename FROM submissions WHERE in_release", "-f", "json").json
    assert counted == {"filename": "b.csv"}


def test_an_export_that_was_moved_and_linked_is_removed_too(home: Path) -> None:
    erased = deliver(home / "a.csv", "en")["submission_id"]
    deliver(home / "b.csv", "to")
    assert engang("nightly").code == 0
    releases, other = home / "home" / "releases", home / "other"
    (releases / "1").rename(home / "moved")
    (releases / "1").symlink_to(home / "moved")
    other.mkdir()
    (other / "file").touch()
    (releases / "7").symlink_to(other)
    assert engang("erase", erased, "--why", "a person asked", "--who", "me", "--yes").code == 0
    assert [path.name for path in releases.iterdir()] == ["2"]
    assert not (home / "moved").exists()
    assert (other / "file").exists(), "no export"


def test_the_bytes_of_another_submission_stay(home: Path) -> None:
    first, second = (deliver(home / "b.csv", sender)["submission_id"] for sender in ("en", "to"))
    assert engang("nightly").code == 0
    assert engang("erase", first, "--why", "a mistake", "--who", "me", "--yes").code == 0
    assert engang("query", SUBMISSIONS, "-f", "json").json == [{"submission_id": second}]
    assert engang("verify").code == 0


def test_an_erasure_that_was_cut_off_is_completed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.release import erase as erasing

    erased = deliver(home / "a.csv", "en")["submission_id"]
    deliver(home / "b.csv", "to")
    assert engang("nightly").code == 0
    for name in ("night", "_purge"):
        with monkeypatch.context() as patch:
            patch.setattr(erasing, name, lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            assert engang("erase", erased, "--why", "a person asked", "--who", "me", "--yes").code == 1
    assert engang("nightly").code == 0
    assert engang("erase", erased, "--why", "a person asked", "--who", "me", "--yes").code == 0
    assert holding(home / "home") == []
    assert engang("verify").code == 0


def test_an_unknown_submission_is_named(home: Path) -> None:
    assert home
    result = engang("erase", "nothing", "--why", "x", "--yes")
    assert (result.code, "no submission 'nothing'" in result.err) == (2, True)
