"""A release's observations as SDMX-CSV: every item once, and a file of another kind is not replaced."""

from pathlib import Path

import polars as pl
import pytest

from flows.intake.deliveries import Delivery
from flows.intake.registration import receive
from flows.release.build import night
from flows.release.export_sdmx import export_sdmx_csv
from flows.releases import find_release
from schemas.errors import UsageError
from tests.support.small_installation import HEADER, open_small

pytestmark = pytest.mark.usefixtures("unchecked")


def test_every_observation_is_a_row(tmp_path: Path) -> None:
    home = open_small(tmp_path / "home")
    rows = "0301;01.01.2024;alle;5;\n4601;01.02.2024;alle;6;\n"
    assert list(receive(home, [Delivery("first.csv", f"{HEADER}{rows}".encode(), "folketall", "kommunen")]))
    night(home)
    release = find_release(home)
    file = export_sdmx_csv(home, release)
    found = pl.read_csv(file, infer_schema=False)
    assert found.columns[:3] == ["STRUCTURE", "STRUCTURE_ID", "ACTION"]
    assert sorted(found.select("UNIT_CODE", "OBS_VALUE").rows()) == [("0301", "5"), ("4601", "6")]
    assert export_sdmx_csv(home, release) == file, "an earlier one is replaced"
    other = tmp_path / "other.csv"
    other.write_text("a;b\n")
    with pytest.raises(UsageError, match=r"is no SDMX-CSV"):
        export_sdmx_csv(home, release, other)
    assert other.read_text() == "a;b\n"
