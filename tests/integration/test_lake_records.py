"""The lake's tables of record kinds: releases by version, what is retired, compaction, restoring, reading."""

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from small_home import open_small
from small_records import KIND, deliveries, of_items

from flows.installation import Installation
from flows.queries.sql import query
from flows.release.export import export_release
from flows.releases import kinds_of, table
from infra.checks.engine import check_rows
from infra.checks.expectations import shapes
from infra.lake import delta as lake
from infra.lake import kind_tables as lake_records
from infra.ledger import submissions as ledger
from schemas.claims import frame_schema
from schemas.errors import StoreError, UsageError
from schemas.kind import Kind
from schemas.record_tables import internal, published
from transforms.records.consolidate import consolidate_records

TEXT = "æøå 'quoted' 🚂"


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    installation = open_small(tmp_path / "home")
    installation.__dict__["kinds"] = {KIND.kind: KIND}  # a cached property, given instead of read
    return installation


class Lake:
    """A home's lake, written release by release."""

    def __init__(self, home: Installation) -> None:
        self.home, self.root = home, home.settings.lake

    def write(self, number: int, told: list[dict[str, Any]], retire: str = "", **items: str) -> dict[str, int]:
        """Write items of these deliveries as release `number`, retiring these ids; return its versions."""
        frame = deliveries(told)
        done = consolidate_records(frame, of_items(frame, **items), KIND)
        rows = {"mishap": done.items, "mishap_sources": done.sources, "mishap_conflicts": done.conflicts}
        blocks = [pl.lit(7, dtype=pl.Int64).alias(f"block_{n}") for n in range(len(KIND.rules()))]
        gone = [{"id": i, "what": what} for i in retire for what in ("item", "report")]
        rows["mishap_retired"] = pl.DataFrame(gone, schema={"id": pl.String, "what": pl.String})
        rows["mishap_reports"] = frame.select("report_id", *blocks)
        rows["mishap_changes"] = done.items.select("item_id", *empty_changes(), pl.lit("added").alias("change"))
        for name, each in rows.items():
            kept = each.with_columns(pl.lit(number, dtype=pl.Int32).alias("release"), pl.lit("all").alias("partition"))
            lake_records.append(self.root, KIND, name, kept)
        return self.versions()

    def edges(self, number: int, *pairs: tuple[str, str]) -> None:
        frame = pl.DataFrame(pairs, schema=["a", "b"], orient="row").with_columns(
            pl.lit(1.5).alias("weight"),
            pl.lit(number, dtype=pl.Int32).alias("release"),
            pl.lit("all").alias("partition"),
        )
        lake_records.append(self.root, KIND, "mishap_edges", frame)

    def versions(self) -> dict[str, int]:
        return lake.versions(self.root, lake_records.versioned([KIND]))

    def live(self, name: str, versions: dict[str, int] | None = None) -> pl.DataFrame:
        return lake_records.live(self.root, KIND, name, self.versions() if versions is None else versions).collect()

    def ids(self, name: str = "mishap", column: str = "item_id", versions: dict[str, int] | None = None) -> list[str]:
        return self.live(name, versions)[column].sort().to_list()


def empty_changes() -> list[pl.Expr]:
    null, count = pl.lit(None, dtype=pl.String), pl.lit(1, dtype=pl.Int32)
    return [null.alias("agreement_before"), pl.col("agreement").alias("agreement_after"),
            pl.lit(None, dtype=pl.Int32).alias("reports_before"), count.alias("reports_after")]  # fmt: skip


def named(versions: dict[str, int], number: int = 1) -> ledger.Release:
    told: Any = {
        "release": number, "run_id": None, "published_at": datetime(2026, 1, 1), "digest": "d", "digest_lanes": "0",
        "tables": versions, "counts": {}, "register_digest": "r", "rules_digest": "1",
    }  # fmt: skip
    return told


def released(home: Installation, versions: dict[str, int], number: int = 1) -> ledger.Release:
    """Put a release of these versions into the ledger."""
    release = named(versions, number)
    buckets = pl.DataFrame(schema={"submission_id": pl.String, "bucket": pl.String, "rows": pl.Int64})
    ledger.publish(home.engine, release, buckets, [], [])
    return release


def test_nothing_is_there_before_there_are_records(home: Installation) -> None:
    kept = Lake(home)
    assert set(kept.versions()) == set(lake.VERSIONED)
    for name in lake_records.tables(KIND):
        assert not lake.exists(kept.root, name)
        for frame in (
            lake_records.scan(kept.root, KIND, name),
            lake_records.live(kept.root, KIND, name, kept.versions()),
        ):
            rows = frame.collect()
            assert (rows.height, rows.schema) == (0, frame_schema(lake_records.tables(KIND)[name]))
    assert not lake_records.compact(kept.root, KIND)
    assert query_ids(home, released(home, kept.versions())) == []


def query_ids(home: Installation, release: ledger.Release) -> list[str]:
    return query(home, "SELECT item_id FROM mishap ORDER BY 1", release["release"])["item_id"].to_list()


def test_what_is_kept_comes_back_as_it_was(home: Installation) -> None:
    kept = Lake(home)
    told = {"place": TEXT, "speed": Decimal("0.000000001"), "causes": ["", TEXT], "story": "", "indoors": False}
    kept.write(1, [{**told, "at": datetime(2005, 1, 2, 3, 4, 5, 6), "row_keys": ["17"], "report_id": "a"}])
    (row,) = kept.live("mishap").to_dicts()
    assert {n: row[n] for n in told} == {**told, "story": [""]}
    assert row["at"] == datetime(2005, 1, 2, 3, 4, 5, 6)
    (behind,) = kept.live("mishap_sources").to_dicts()
    assert (behind["row_keys"], behind["rows"], behind["story"]) == (["17"], [2], "")
    frame = deliveries([told]).with_columns(pl.lit("b1").alias("batch"))
    lake_records.append(kept.root, KIND, "mishap_records", frame)
    assert lake_records.scan(kept.root, KIND, "mishap_records").collect().equals(frame)
    assert "mishap_records" not in kept.versions()


def test_a_later_release_replaces_an_items_rows_and_an_older_one_keeps_them(home: Installation) -> None:
    kept = Lake(home)
    before = kept.versions()
    first = kept.write(1, [{"report_id": "a"}, {"report_id": "b", "hurt": 1}, {"report_id": "c", "hurt": 2}], c="b")
    second = kept.write(2, [{"report_id": "b"}], retire="b")  # c was withdrawn
    assert kept.ids(versions=before) == []
    assert kept.ids(versions=first) == kept.ids(versions=second) == ["a", "b"]
    assert kept.live("mishap", first).sort("item_id")["reports"].to_list() == [1, 2]
    assert kept.live("mishap", second).sort("item_id")["reports"].to_list() == [1, 1]
    assert kept.ids("mishap_sources", "report_id", first) == ["a", "b", "c"]
    assert kept.ids("mishap_sources", "report_id", second) == ["a", "b"]
    assert (kept.live("mishap_conflicts", first).height, kept.live("mishap_conflicts", second).height) == (2, 0)
    assert kept.live("mishap_changes", second)["release"].sort().to_list() == [1, 1, 2]


def test_reports_are_retired_by_report_and_edges_by_both_their_reports(home: Installation) -> None:
    kept = Lake(home)
    kept.write(1, [{"report_id": r} for r in "abcd"])
    kept.edges(1, ("a", "b"), ("b", "c"), ("c", "d"))
    assert kept.live("mishap_edges").height == 3
    lake_records.append(kept.root, KIND, "mishap_retired", retired("report", "b", 2))
    kept.edges(2, ("a", "b"))
    assert kept.live("mishap_edges").sort("a").select("a", "release").rows() == [("a", 2), ("c", 1)]
    assert kept.ids("mishap_reports", "report_id") == ["a", "c", "d"]
    assert kept.ids() == ["a", "b", "c", "d"]  # an item of that name is another thing
    lake_records.append(kept.root, KIND, "mishap_retired", retired("item", "d", 2))
    assert kept.ids() == ["a", "b", "c"]
    assert kept.ids("mishap_reports", "report_id") == ["a", "c", "d"]


def retired(what: str, one: str, number: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"id": [one], "what": [what], "release": [number], "partition": ["all"]}, schema_overrides={"release": pl.Int32}
    )


def test_compacting_changes_no_release(home: Installation) -> None:
    kept = Lake(home)
    first = kept.write(1, [{"report_id": r, "hurt": n} for n, r in enumerate("abcdef")], b="a", d="c", f="e")
    kept.edges(1, ("a", "b"), ("c", "d"), ("e", "f"))
    names = [*published(KIND), *internal(KIND)]
    old = {n: kept.live(n, first) for n in names}
    kept.write(2, [{"report_id": "a"}], retire="ab")
    now = {n: kept.live(n).sort(pl.all()) for n in names if n not in {"mishap_retired", "mishap_history"}}
    assert lake_records.compact(kept.root, KIND)
    assert {n: kept.live(n).sort(pl.all()) for n in now}.keys() == now.keys()
    for name, rows in now.items():
        assert kept.live(name).sort(pl.all()).equals(rows), name
        assert lake_records.scan(kept.root, KIND, name).collect().height == rows.height, name
    for name, rows in old.items():
        assert kept.live(name, first).equals(rows), name
    assert kept.live("mishap_retired").height == 0
    assert not lake_records.compact(kept.root, KIND)


def test_a_large_table_is_compacted_when_a_tenth_is_retired(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake, "COMPACT_ROWS", 10)
    kept = Lake(home)
    kept.write(1, [{"report_id": f"{n:02}"} for n in range(20)])
    lake_records.append(kept.root, KIND, "mishap_retired", pl.concat(retired(w, "00", 2) for w in ("item", "report")))
    assert not lake_records.compact(kept.root, KIND)
    some = [retired(w, f"{n:02}", 2) for w in ("item", "report") for n in (1, 2)]
    lake_records.append(kept.root, KIND, "mishap_retired", pl.concat(some))
    assert lake_records.compact(kept.root, KIND)
    assert len(kept.ids()) == 17


def test_all_may_be_retired(home: Installation) -> None:
    kept = Lake(home)
    kept.write(1, [{"report_id": "a"}])
    kept.write(2, [], retire="a")
    assert lake_records.compact(kept.root, KIND)
    assert (kept.ids(), kept.ids("mishap_reports", "report_id")) == ([], [])
    kept.write(3, [{"report_id": "a"}])
    assert kept.ids() == ["a"]
    assert not lake_records.compact(kept.root, KIND)


def test_what_was_written_after_the_last_release_is_put_back(home: Installation) -> None:
    kept = Lake(home)
    names = lake_records.versioned([KIND])
    kept.write(1, [{"report_id": "a"}])
    lake.restore(kept.root, {}, names)
    assert kept.ids() == []
    first = kept.write(1, [{"report_id": "b"}])
    kept.write(2, [{"report_id": "c"}], retire="b")
    lake_records.compact(kept.root, KIND)
    lake.restore(kept.root, first, names)
    assert kept.ids() == ["b"]


def changed(**fields: Any) -> Kind:
    return KIND.model_copy(update={"fields": {**KIND.fields, **fields}})


def test_a_kind_may_gain_a_field_and_lose_one(home: Installation) -> None:
    kept = Lake(home)
    first = kept.write(1, [{"report_id": "a", "case": "x"}])
    wider = changed(colour=KIND.fields["case"])
    assert lake_records.live(kept.root, wider, "mishap", first).collect()["colour"].to_list() == [None]
    frame = deliveries([{"report_id": "b", "colour": "red"}], wider)
    done = consolidate_records(frame, of_items(frame), wider)
    lake_records.append(kept.root, wider, "mishap", done.items.with_columns(pl.lit(2, dtype=pl.Int32).alias("release")))
    second = kept.versions()
    rows = lake_records.live(kept.root, wider, "mishap", second).sort("item_id").collect()
    assert rows["colour"].to_list() == [None, "red"]
    assert kept.live("mishap").columns == list(frame_schema(published(KIND)["mishap"]))
    home.__dict__["kinds"] = {"mishap": wider}
    for number, versions in enumerate((first, second), 1):
        told = query(
            home, 'SELECT colour, "case" FROM mishap ORDER BY item_id', released(home, versions, number)["release"]
        )
        assert told.rows() == [(None, "x"), ("red", None)][:number]


def test_a_field_that_became_something_else_is_refused(home: Installation) -> None:
    kept = Lake(home)
    kept.write(1, [{"report_id": "a"}])
    other = changed(hurt=KIND.fields["case"])
    frame = deliveries([{"report_id": "b", "hurt": "much"}], other)
    done = consolidate_records(frame, of_items(frame), other)
    with pytest.raises(StoreError, match=r"mishap\.hurt: found String in the kind's file, expected Int64"):
        lake_records.append(
            kept.root, other, "mishap", done.items.with_columns(pl.lit(2, dtype=pl.Int32).alias("release"))
        )


def test_a_release_is_asked_in_sql(home: Installation) -> None:
    kept = Lake(home)
    none = released(home, kept.versions(), 1)
    kept.write(2, [{"report_id": r, "causes": ["x", r], "story": TEXT, "hurt": n} for n, r in enumerate("abc")], b="a")
    first = released(home, kept.versions(), 2)
    kept.write(3, [{"report_id": "a"}], retire="a")
    second = released(home, kept.versions(), 3)
    assert [query_ids(home, r) for r in (none, first, second)] == [[], ["a", "c"], ["a", "c"]]
    sql = "SELECT causes[2], story, len(conflicting), reports, first_reported FROM mishap ORDER BY item_id"
    assert query(home, sql, 2).rows() == [("a", [TEXT], 2, 2, None), ("c", [TEXT], 0, 1, None)]
    assert query(home, sql, 3).rows()[0] == (None, None, 0, 1, None)
    assert query(home, "SELECT count(*) FROM mishap_sources", 3).item() == 2
    assert query(home, "SELECT * FROM mishap_history", 3).columns[0] == "event"
    for number in (1, 2):
        for name, columns in published(KIND).items():
            told = query(home, f"FROM {name}", number)
            assert told.columns == list(frame_schema(columns)), name
    assert query(home, "SELECT * FROM mishap", 1).schema["causes"] == pl.List(pl.String)
    with pytest.raises(UsageError, match="mishap_records"):
        query(home, "SELECT * FROM mishap_records")


def test_a_release_is_read_by_name(home: Installation) -> None:
    kept = Lake(home)
    none = named(kept.versions())
    release = named(kept.write(1, [{"report_id": "a"}]))
    assert [table(home, "mishap", r).collect().height for r in (none, release)] == [0, 1]
    assert [kinds_of(home, r) for r in (none, release)] == [[], [KIND]]
    with pytest.raises(UsageError, match="no table 'mishap_edges'"):
        table(home, "mishap_edges", release)


def test_an_export_holds_the_kinds_of_its_release(home: Installation, tmp_path: Path) -> None:
    kept = Lake(home)
    none = export_release(home, named(kept.versions()), tmp_path / "none")
    assert "mishap" not in json.loads((none / "release.json").read_text())["dictionary"]
    kept.write(1, [{"report_id": "a"}])
    folder = export_release(home, named(kept.write(2, [{"report_id": "b", "story": TEXT}]), 2), tmp_path / "some")
    assert pl.read_parquet(folder / "mishap" / "all.parquet")["story"].to_list() == [None, [TEXT]]
    assert pl.read_parquet(folder / "mishap_changes" / "all.parquet")["item_id"].to_list() == ["b"]
    assert list((folder / "mishap_conflicts").iterdir()) == []
    told = json.loads((folder / "release.json").read_text())["dictionary"]
    assert [c["column"] for c in told["mishap"]] == list(frame_schema(published(KIND)["mishap"]))
    assert {c["column"]: c["type"] for c in told["mishap"]}["story"] == "List(String)"
    assert {c["column"]: c["means"] for c in told["mishap"]}["hurt"] == "How many"


def test_the_checks_know_the_tables(home: Installation) -> None:
    """The suites are those of tests/integration/test_record_checks.py: here that a table as it is read passes."""
    kept = Lake(home)
    kept.write(1, [{"report_id": r, "hurt": n} for n, r in enumerate("abc")], b="a")
    for name in ("mishap", "mishap_sources", "mishap_conflicts"):
        assert [f for f in check_rows(name, kept.live(name), shapes(KIND)[name]) if not f.success] == []


def test_the_settings_of_a_home_may_name_other_kinds(home: Installation, tmp_path: Path) -> None:
    text = """
        kind: thing
        version: 1
        title: {en: T, nb: T, nn: T}
        one_report_per_item: false
        fields: {a: {type: code, role: identity, doc: A}}
        """
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds" / "thing.yml").write_text(text)
    other = Installation(replace(home.settings, kinds=tmp_path / "kinds"), home.engine)
    assert table(other, "thing", named(Lake(home).versions())).collect().columns[:2] == ["item_id", "a"]
