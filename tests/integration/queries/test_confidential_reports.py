"""`explain --confidential` of a record: its reports with the values that the published tables leave out."""

from pathlib import Path

import pytest

from flows.installation import Installation
from flows.intake.deliveries import Delivery
from flows.intake.registration import receive
from flows.queries.record_story import explain_record
from flows.release.build import night
from tests.support import wreck_installation

pytestmark = pytest.mark.usefixtures("unchecked")
MARK = "  row_key: number\n  confidential: {column: secret, map: {'': 'false', x: 'true'}}\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Give an installation whose contract marks reports as confidential."""
    for name, value in wreck_installation.folders(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ENGANG_LEDGER", raising=False)
    text = wreck_installation.CONTRACT.replace("  row_key: number\n", MARK)
    text = text.replace(
        "causes,story\n      1,UP,,Vik,2024-03-01,40,,", "causes,story,secret\n      1,UP,,Vik,2024-03-01,40,,,"
    )
    (tmp_path / "contracts" / "wrecks.yml").write_text(text)
    return wreck_installation.open_wrecks()


def test_the_reports_of_an_item_show_what_the_release_leaves_out(home: Installation) -> None:
    header, rows = (
        ",".join((*wreck_installation.COLUMNS, "secret")),
        ("1,UP,,Vik,2024-03-01,40,fire|ice,it fell,x", "2,BNSF,,Vik,2024-03-01,40,,,"),
    )
    data = "\n".join((header, *rows, "")).encode()
    list(receive(home, [Delivery("wrecks.csv", data, "wrecks", "agency")]))
    night(home)
    kind, id_ = home.kinds["wreck"], wreck_installation.report("1", "UP")

    shown = explain_record(home, kind, id_, confidential=True)
    hidden = explain_record(home, kind, id_)
    (secret,) = [r for r in shown.reports if r["report_id"] == id_]
    (masked,) = [r for r in hidden.reports if r["report_id"] == id_]
    assert (secret["place"], secret["speed"], secret["causes"], secret["story"]) == (
        "Vik",
        40,
        ["fire", "ice"],
        "it fell",
    )
    assert (masked["place"], masked["speed"], masked["causes"], masked["story"]) == (None, None, None, None)
    assert shown.item == hidden.item, "what is published is the same for everybody"
    others = [[r for r in story.reports if r["report_id"] != id_] for story in (shown, hidden)]
    assert others[0] == others[1]
