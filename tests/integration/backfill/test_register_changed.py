"""A register that gains units: what was rejected as unknown is named by status, and a backfill rereads it."""

from pathlib import Path

import polars as pl
import pytest

from flows import pipeline
from flows.backfill.publish import finish_backfill, try_backfill
from flows.backfill.reread import BackfillRequest, start_backfill
from flows.installation import Installation
from flows.intake.deliveries import Delivery
from flows.monitoring.status import status
from flows.release.verify import verify
from flows.releases import find_release
from infra.lake.item_tables import observation_tables
from tests.support.measured_tables import assert_from_scratch
from tests.support.small_installation import HEADER, open_small
from transforms.register.lookup import Register

pytestmark = pytest.mark.usefixtures("unchecked")

KLEPP = "1120"
ROWS = HEADER + "0301;01.01.2024;alle;700 000;\n" + f"{KLEPP};01.01.2024;alle;20 000;\n9998;01.01.2024;alle;1;\n"


def without(register: Register, code: str) -> Register:
    """Return the register as it was before a unit was added."""
    added = register.units.filter(pl.col("code") == code)["unit_id"]
    others = ~pl.col("unit_id").is_in(added.implode())
    return Register(register.units.filter(others), register.names.filter(others), register.edges, "earlier")


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    """Give an installation that has read with a register without Klepp, and has the whole one now."""
    whole = open_small(tmp_path / "home")
    earlier = whole.with_presets(register=without(whole.register, KLEPP))
    assert [*pipeline.receive(earlier, [Delivery("a.csv", ROWS.encode(), "folketall", "ssb")])]
    only = HEADER + f"{KLEPP};01.02.2024;alle;20 001;\n"
    (receipts,) = pipeline.receive(earlier, [Delivery("b.csv", only.encode(), "folketall", "ssb")])
    assert receipts[0].status == "rejected", "all its rows are of a unit that is not known yet"
    assert pipeline.nightly(earlier).published
    return whole


def codes(home: Installation) -> list[str]:
    last = find_release(home)
    rows = observation_tables(home.settings.lake).live("observations", last["tables"])
    return sorted(rows.select("unit_code").collect().to_series().to_list())


def register_problems(home: Installation) -> list[str]:
    return [problem for problem in status(home).problems if "register has now" in problem]


def test_status_names_what_would_pass_and_a_backfill_rereads_it(home: Installation) -> None:
    assert register_problems(home.with_presets(register=without(home.register, KLEPP))) == []
    (problem,) = register_problems(home)
    assert problem.startswith(
        "2 rejected rows of contract folketall, in 2 submissions, name units that the register has now"
    )
    assert "`engang backfill --contract folketall`" in problem
    lines: list[str] = []
    assert not pipeline.nightly(home, lines.append).published
    assert problem in lines
    verdict = verify(home)
    assert (verdict.same, verdict.register_changed) == (False, True)
    started = start_backfill(home, BackfillRequest("folketall"))
    assert started.number is not None
    assert (started.submissions, started.left_out) == (2, {})
    outcome = try_backfill(home, started.number)
    assert finish_backfill(home, started.number).diff["digest"] == outcome.diff["digest"]
    assert codes(home) == ["0301", KLEPP, KLEPP]
    assert register_problems(home) == []
    assert_from_scratch(home)
    again = start_backfill(home, BackfillRequest("folketall"))
    assert (again.number, again.left_out) == (None, {"read by this version already": 2})
