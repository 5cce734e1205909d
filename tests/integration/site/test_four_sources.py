"""The site of real input: petroleum payments, an election counted twice, population, in one home."""

from pathlib import Path

import pytest

from flows.installation import Installation, open_installation
from flows.intake.registration import receive
from flows.release.build import night
from flows.site.build import write_site
from tests.support.four_sources import deliveries_of, lay_out
from tests.support.paths import DATA

pytestmark = [
    pytest.mark.usefixtures("unchecked"),
    pytest.mark.real,
    pytest.mark.skipif(not (DATA / "valg").is_dir(), reason=f"real input is absent: {DATA} (eiti, valg, population)"),
]


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    for name, value in lay_out(folder).items():
        monkeypatch.setenv(name, value)
    return open_installation()


def test_a_home_of_four_sources_has_a_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = opened(tmp_path, monkeypatch)
    assert home.broken_contracts == {}
    receipts = [each for some in receive(home, deliveries_of(home, ["2013"])) for each in some]
    assert {receipt.status for receipt in receipts} == {"registered"}
    assert night(home).published
    done = write_site(home, to=tmp_path / "site")
    pages = {path.relative_to(done.folder / "en").as_posix() for path in (done.folder / "en").rglob("*.html")}
    assert pages >= {f"concepts/{name}.html" for name in ("petroleum_payment", "votes", "population")}
    assert done.pages == 3 * len(pages)
    conflicts = (done.folder / "en" / "conflicts.html").read_text(encoding="utf-8")
    assert "petroleum" in conflicts.lower()
    home.engine.dispose()
