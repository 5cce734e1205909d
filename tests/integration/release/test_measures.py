"""The tables of overlap of a release: filled by the first night, by other hours, without what was erased, verified."""

import json
from decimal import Decimal

import polars as pl
import pytest
import sqlalchemy as sa

from flows.queries.sql import query
from flows.release.erase import erase
from flows.release.export import export_release
from flows.release.verify import verify
from flows.releases import find_release, read_table
from infra.lake import delta as lake
from infra.ledger import releases as ledger_releases
from infra.ledger import tables as ledger_tables
from schemas.overlap import COVERAGE, MEASURED_TABLES, OVERLAP_COUNTS
from tests.support.measured_tables import assert_measured
from tests.support.observation_deliveries import Home, Row, Sent, contracts, new_home

pytestmark = pytest.mark.usefixtures("unchecked")
COUNTS = "SELECT items, agreeing, conflicting, expected FROM overlap ORDER BY period_start"


def report(contract: str, sender: str, *figures: tuple[str, str], month: str = "2024-01") -> Sent:
    """Return a delivery about Oslo: (group, figure) a row."""
    return Sent(contract, sender, tuple(Row("0301", month, group, figure) for group, figure in figures))


def published(home: Home) -> None:
    """Publish a release with two obligations: one item of both, two of one."""
    both = report("rettelse", "anna", ("a", "50"), ("b", "7")), report("samlet", "berit", ("a", "5"), ("c", "1"))
    home.deliver(both)
    home.night()


def made_older(home: Home) -> None:
    """Make the release one of a version of Engang that had no tables of overlap."""
    release, engine = find_release(home.installation), home.installation.engine
    known = {k: v for k, v in release["tables"].items() if k not in {*MEASURED_TABLES, *OVERLAP_COUNTS}}
    ledger_releases.update_tables(engine, release["release"], known)
    lanes = ",".join(release["digest_lanes"].split(",")[:4])
    counts = json.dumps({name: n for name, n in release["counts"].items() if not name.startswith("figures")})
    with engine.begin() as connection:
        connection.execute(sa.update(ledger_tables.releases).values(digest_lanes=lanes, counts=counts))


def test_the_first_night_fills_the_tables_of_an_older_home() -> None:
    with new_home() as home:
        published(home)
        assert query(home.installation, COUNTS).rows() == [(1, 1, 0, 3)]
        made_older(home)
        assert query(home.installation, COUNTS).rows() == [(1, 1, 0, 3)], "computed"
        assert verify(home.installation).same
        home.deliver([report("samlet", "berit", ("b", "5"), month="2024-02")])
        home.night()
        assert_measured(home.installation)
        assert verify(home.installation).overlap_ledger
        assert query(home.installation, "SELECT sum(items) AS n FROM coverage")["n"].item() == 4


def test_other_hours_are_those_of_every_month_from_the_next_release_on() -> None:
    with new_home() as home:
        published(home)
        known = contracts()
        stated = known["rettelse"].model_copy(update={"hours_per_report": Decimal(4)})
        home.installation = home.installation.with_presets(contracts={**known, "rettelse": stated})
        home.deliver([report("samlet", "berit", ("b", "5"), month="2024-02")])
        home.night()
        sql = "SELECT obligation, hours_high, hours_elsewhere_low, hours_basis, elsewhere FROM burden ORDER BY ALL"
        assert query(home.installation, sql).rows() == [
            ("omsorg", 4.0, 2.0, "declared", ["tilsyn"]),
            ("tilsyn", None, None, None, []),
            ("tilsyn", None, None, None, ["omsorg"]),
        ]
        scopes = "SELECT reports, reports_unknown, hours_high, hours_elsewhere_high FROM redundancy WHERE release = 2"
        anna, berit, everything = (f"{scopes} AND name = '{name}'" for name in ("anna", "berit", "all"))
        assert query(home.installation, anna).rows() == [(1, 0, 4.0, 2.0)]
        assert query(home.installation, berit).rows() == [(2, 2, None, None)]
        assert query(home.installation, everything).rows() == [(3, 2, 4.0, 2.0)]
        reporters = "SELECT * EXCLUDE (concept, period_start, partition) FROM overlap_reporters"
        assert query(home.installation, reporters).rows() == [("anna", "berit", 1, 1, 0, 0)]
        assert query(home.installation, f"SELECT count(hours_high) AS n FROM ({sql})", 1)["n"].item() == 0  # noqa: S608
        assert verify(home.installation).same, "hours have no part in the digest"
        home.installation = home.installation.with_presets(contracts={"samlet": known["samlet"]})
        home.deliver([report("samlet", "berit", ("c", "5"), month="2024-02")])
        home.night()
        hours = query(home.installation, "SELECT count(hours_high) AS hours, count(*) AS n FROM burden")
        assert hours.rows() == [(0, 3)], "of an obligation without a contract nobody knows them"


def test_a_lake_with_another_count_is_found_by_verify() -> None:
    with new_home() as home:
        published(home)
        release, root = find_release(home.installation), home.installation.settings.lake
        rows = read_table(home.installation, "coverage", release).with_columns(pl.col("items") + 1).collect()
        lake.overwrite(root, "coverage", ["2024-01"], rows, COVERAGE)
        newest = lake.newest_versions(root, ["coverage"])
        ledger_releases.update_tables(home.installation.engine, 1, release["tables"] | newest)
        verdict = verify(home.installation)
        assert (verdict.same, verdict.ledger == verdict.lake) == (False, True)
        assert verdict.overlap_ledger == verdict.overlap_rebuilt != verdict.overlap_lake


def test_an_erased_submission_leaves_no_count_and_no_name() -> None:
    with new_home() as home:
        published(home)
        (receipt,) = home.deliver([report("melding", "cecilie", ("a", "50"))])
        home.night()
        scopes = "SELECT DISTINCT name FROM redundancy WHERE scope = 'sender' ORDER BY name"
        assert query(home.installation, scopes)["name"].to_list() == ["anna", "berit", "cecilie"]
        erase(home.installation, receipt.submission_id, why="a test")
        assert query(home.installation, scopes)["name"].to_list() == ["anna", "berit"]
        assert_measured(home.installation)
        counts = lake.scan(home.installation.settings.lake, "report_counts").collect()
        assert "cecilie" not in counts["reported_by"]


def test_redundancy_is_a_series_by_release_and_all_are_exported() -> None:
    with new_home() as home:
        published(home)
        home.deliver([report("rettelse", "anna", ("c", "10"))])
        home.night()
        names = "release, items, figures, figures_elsewhere, redundancy"
        sql = f"SELECT {names} FROM redundancy WHERE scope = 'all' ORDER BY ALL"  # noqa: S608
        assert query(home.installation, sql).rows() == [(1, 3, 4, 2, 0.25), (2, 3, 5, 4, 0.4)]
        folder = export_release(home.installation, find_release(home.installation))
        for name, columns in MEASURED_TABLES.items():
            rows = pl.read_parquet(folder / name / "*.parquet")
            assert rows.columns == [column.name for column in columns]
            assert rows.height or name == "suspected"
