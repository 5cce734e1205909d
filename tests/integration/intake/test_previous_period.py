"""The rule that compares with the previous period: within a file, and with what the current release has."""

from pathlib import Path

import pytest

from flows.installation import Installation, open_installation
from flows.intake.deliveries import make_delivery
from flows.intake.registration import list_rejects, receive
from flows.release import build as night
from tests.support.small_contracts import BEDS_CONTRACT

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "beds.yml").write_text(BEDS_CONTRACT)
    monkeypatch.setenv("ENGANG_CONTRACTS", str(tmp_path / "contracts"))
    monkeypatch.delenv("ENGANG_CODELISTS", raising=False)
    monkeypatch.setattr(night, "check_staged", lambda *_: [])  # the release's checks have tests of their own
    return open_installation(tmp_path / "home")


def warned(installation: Installation, rows: str) -> list[tuple[int, str]]:
    data = f"u;p;v\n{rows}".encode()
    ((receipt,),) = receive(installation, [make_delivery(installation, "f.csv", data, "beds", sender="s", period=None)])
    found = list_rejects(installation, receipt.submission_id)
    assert receipt.warnings == found.height
    assert receipt.rejected == 0
    assert set(found["severity"]) <= {"warning"}
    return found.select("row", "found").rows()


def test_a_jump_inside_the_file_is_warned_of(installation: Installation) -> None:
    assert warned(installation, "0301;2024-01;100\n0301;2024-02;150\n0301;2024-03;300\n") == [(4, "300 after 150")]


def test_a_jump_from_the_current_release_is_warned_of_and_kept(installation: Installation) -> None:
    assert warned(installation, "0301;2024-01;100\n") == []
    assert warned(installation, "0301;2024-02;10\n") == []  # nothing is released yet
    assert night.night(installation).counts["items"] == 2
    assert warned(installation, "0301;2024-03;16\n") == [(2, "16 after 10")]
    assert warned(installation, "0301;2024-03;15\n") == []
    assert night.night(installation).counts["conflict"] == 0  # the sender corrected itself
