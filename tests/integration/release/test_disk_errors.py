"""Errors of the operating system are one line, and nothing that was stored before is lost."""

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli_runner import Ran, engang
from tests.support.paths import CONTRACTS, ROOT
from tests.support.small_installation import HEADER

DISK_BYTES = 8 * 2**20
LOST = "Everything received or published before is safe"

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the home of the commands of a test; it is not there yet."""
    monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(CONTRACTS))
    for name in ("ENGANG_LEDGER", "ENGANG_CODELISTS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture
def disk(home: Path) -> Iterator[Path]:
    """Give the home as a small disk of its own, where the machine lets one be mounted."""
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(home)]
    try:
        refused = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    if refused.returncode:
        pytest.skip(f"no disk can be mounted here: {refused.stderr.strip()}")
    yield home
    subprocess.run(["umount", "-l", str(home)], check=True)


def submit(folder: Path, name: str, rows: str) -> Ran:
    file = folder / name
    file.write_text(HEADER + rows)
    return engang("submit", file, "-c", "folketall", "-s", "kommunen")


def release(folder: Path) -> None:
    """Deliver one file and publish it."""
    assert submit(folder, "jan.csv", "0301;01.01.2024;alle;709 037;\n").code == 0
    assert engang("nightly", "--export", "never").code == 0


def assert_one_line(ran: Ran, *words: str) -> None:
    """Check that a command ended as where a store fails: with one line that says what is refused and what to do."""
    assert ran.code == 1, ran.err
    (line,) = [each for each in ran.err.splitlines() if each.startswith("engang: ")]
    assert all(word in line for word in (*words, "run it again")), line
    assert "Traceback" not in ran.err


def test_a_file_where_the_home_should_be(home: Path) -> None:
    home.write_text("here I am")
    result = engang("status")
    assert_one_line(result, f"{home}: File exists; check what is at that path", LOST)
    home.unlink()
    home.parent.joinpath("outer").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGANG_HOME", str(home.parent / "outer" / "home"))
        assert_one_line(engang("status"), "Not a directory; check what is at that path", LOST)


def test_a_name_that_would_move_the_cursor_is_printed_safely(home: Path, tmp_path: Path) -> None:
    release(tmp_path)
    odd = home.with_name("a\x1b[31mb\udce5")
    odd.write_text("")
    result = engang("export", "--to", odd / "release")
    assert_one_line(result, "Not a directory; check what is at that path", LOST)
    assert "\x1b[31mb" not in result.err
    result.err.encode()


def test_a_full_disk_loses_nothing(disk: Path, tmp_path: Path) -> None:
    release(tmp_path)
    ballast = disk / "ballast"
    free = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
    assert_one_line(engang("export"), "No space left on device; free some space", LOST)
    refused = submit(tmp_path, "feb.csv", "0301;01.02.2024;alle;709 038;\n")
    assert refused.code == 1
    assert "Traceback" not in refused.err
    ballast.unlink()
    assert submit(tmp_path, "feb.csv", "0301;01.02.2024;alle;709 038;\n").code == 0
    assert engang("nightly", "--json").json["counts"]["items"] == 2
    assert engang("verify").code == 0


def test_a_disk_that_is_only_read_reports_it(disk: Path, tmp_path: Path) -> None:
    release(tmp_path)
    gc.collect()  # what the commands had opened to write
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for command in ("export", "nightly"):
        result = engang(command)
        assert result.code == 1, result.out
        assert "Traceback" not in result.err
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert engang("export").code == 0


def test_a_file_that_may_not_grow_is_reported(home: Path, tmp_path: Path) -> None:
    release(tmp_path)
    limited = ["bash", "-c", 'ulimit -f 0; exec "$@"', "bash", sys.executable, "-c"]
    export = [*limited, "from flows.cli.app import main; main()", "export"]
    ended = subprocess.run(export, cwd=ROOT, capture_output=True, text=True, check=False)
    assert_one_line(Ran(ended.returncode, ended.stdout, ended.stderr), "File too large; free some space", LOST)
    assert engang("export").code == 0
    assert list((home / "releases" / "1").rglob("*.parquet"))


def test_a_table_s_file_that_was_removed_is_reported(home: Path, tmp_path: Path) -> None:
    release(tmp_path)
    item = engang("query", "SELECT item_id FROM observations", "--format", "json").json[0]["item_id"]
    for file in (home / "lake" / "observations").rglob("*.parquet"):
        file.unlink()
    assert_one_line(engang("explain", item), "found nothing, expected ", "restore them from the lake's backup")
    asked = engang("query", "FROM observations")
    assert asked.code == 1, asked.err
    assert asked.err.startswith("engang: lake: ")
    assert ".parquet" in asked.err
    assert "\nLINE" not in asked.err
