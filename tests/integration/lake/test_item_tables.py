"""The lake's tables of record kinds: releases by version, what is retired, compaction, restoring, reading."""

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.installation import Installation
from flows.published_tables import kinds_of
from flows.queries.sql import query
from flows.release.export import export_release
from flows.releases import read_table
from infra.checks.expectations import shapes
from infra.lake import delta as lake
from infra.lake import item_tables
from infra.lake.item_tables import kind_tables, versioned_tables
from infra.ledger import releases as ledger_releases
from infra.ledger.releases import Release
from schemas.claims import frame_schema
from schemas.errors import StoreError, UsageError
from schemas.kind import Kind
from schemas.record_tables import internal_kind_tables, published_kind_tables
from tests.support.mishap_frames import KIND, consolidate_deliveries, deliveries, of_items
from tests.support.small_installation import open_small
from tests.support.table_checks import check_rows

TEXT = "æøå 'quoted' 🚂"


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    return open_small(tmp_path / "home").with_presets(kinds={KIND.kind: KIND})


class Lake:
    """A home's lake, written release by release."""

    def __init__(self, home: Installation) -> None:
        self.home, self.root = home, home.settings.lake

    def write(self, number: int, reports: list[dict[str, Any]], retire: str = "", **items: str) -> dict[str, int]:
        """Write items of these deliveries as release `number`, retiring these ids; return its versions."""
        frame = deliveries(reports)
        done = consolidate_deliveries(frame, of_items(frame, **items), KIND)
        rows = {"mishap": done.items, "mishap_sources": done.sources, "mishap_conflicts": done.conflicts}
        blocks = [pl.lit(7, dtype=pl.Int64).alias(f"block_{n}") for n in range(len(KIND.rules()))]
        retired = [{"id": i, "what": what} for i in retire for what in ("item", "report")]
        rows["mishap_retired"] = pl.DataFrame(retired, schema={"id": pl.String, "what": pl.String})
        rows["mishap_reports"] = frame.select("report_id", *blocks)
        rows["mishap_changes"] = done.items.select("item_id", *empty_changes(), pl.lit("added").alias("change"))
        for name, each in rows.items():
            appended = each.with_columns(
                pl.lit(number, dtype=pl.Int32).alias("release"), pl.lit("all").alias("partition")
            )
            kind_tables(self.root, KIND).append(name, appended)
        return self.versions()

    def edges(self, number: int, *pairs: tuple[str, str]) -> None:
        frame = pl.DataFrame(pairs, schema=["a", "b"], orient="row").with_columns(
            pl.lit(1.5).alias("weight"),
            pl.lit(number, dtype=pl.Int32).alias("release"),
            pl.lit("all").alias("partition"),
        )
        kind_tables(self.root, KIND).append("mishap_edges", frame)

    def versions(self) -> dict[str, int]:
        return lake.newest_versions(self.root, versioned_tables([KIND]))

    def live(self, name: str, versions: dict[str, int] | None = None) -> pl.DataFrame:
        return kind_tables(self.root, KIND).live(name, self.versions() if versions is None else versions).collect()

    def ids(self, name: str = "mishap", column: str = "item_id", versions: dict[str, int] | None = None) -> list[str]:
        return self.live(name, versions)[column].sort().to_list()


def empty_changes() -> list[pl.Expr]:
    null, count = pl.lit(None, dtype=pl.String), pl.lit(1, dtype=pl.Int32)
    return [null.alias("agreement_before"), pl.col("agreement").alias("agreement_after"),
            pl.lit(None, dtype=pl.Int32).alias("reports_before"), count.alias("reports_after")]  # fmt: skip


def release_of(versions: dict[str, int], number: int = 1) -> Release:
    fields: Any = {
        "release": number, "run_id": None, "published_at": datetime(2026, 1, 1), "digest": "d", "digest_lanes": "0",
        "tables": versions, "counts": {}, "register_digest": "r", "rules_digest": "1",
    }  # fmt: skip
    return fields


def released(home: Installation, versions: dict[str, int], number: int = 1) -> Release:
    """Put a release of these versions into the ledger."""
    release = release_of(versions, number)
    buckets = pl.DataFrame(schema={"submission_id": pl.String, "bucket": pl.String, "rows": pl.Int64})
    ledger_releases.publish_release(home.engine, release, buckets, [], [])
    return release


def test_nothing_is_there_before_there_are_records(home: Installation) -> None:
    store = Lake(home)
    assert set(store.versions()) == set(lake.VERSIONED)
    for name in kind_tables(store.root, KIND).columns:
        assert not lake.exists(store.root, name)
        for frame in (
            kind_tables(store.root, KIND).scan(name),
            kind_tables(store.root, KIND).live(name, store.versions()),
        ):
            rows = frame.collect()
            assert (rows.height, rows.schema) == (0, frame_schema(kind_tables(store.root, KIND).columns[name]))
    assert not kind_tables(store.root, KIND).compact()
    assert query_ids(home, released(home, store.versions())) == []


def query_ids(home: Installation, release: Release) -> list[str]:
    return query(home, "SELECT item_id FROM mishap ORDER BY 1", release["release"])["item_id"].to_list()


def test_what_is_kept_comes_back_as_it_was(home: Installation) -> None:
    store = Lake(home)
    fields = {"place": TEXT, "speed": Decimal("0.000000001"), "causes": ["", TEXT], "story": "", "indoors": False}
    store.write(1, [{**fields, "at": datetime(2005, 1, 2, 3, 4, 5, 6), "row_keys": ["17"], "report_id": "a"}])
    (row,) = store.live("mishap").to_dicts()
    assert {n: row[n] for n in fields} == {**fields, "story": [""]}
    assert row["at"] == datetime(2005, 1, 2, 3, 4, 5, 6)
    (behind,) = store.live("mishap_sources").to_dicts()
    assert (behind["row_keys"], behind["rows"], behind["story"]) == (["17"], [2], "")
    frame = deliveries([fields]).with_columns(pl.lit("b1").alias("batch")).drop("arrival")  # the night's own column
    kind_tables(store.root, KIND).append("mishap_records", frame)
    assert kind_tables(store.root, KIND).scan("mishap_records").collect().equals(frame)
    assert "mishap_records" not in store.versions()


def test_a_later_release_replaces_an_items_rows_and_an_older_one_keeps_them(home: Installation) -> None:
    store = Lake(home)
    before = store.versions()
    first = store.write(1, [{"report_id": "a"}, {"report_id": "b", "hurt": 1}, {"report_id": "c", "hurt": 2}], c="b")
    second = store.write(2, [{"report_id": "b"}], retire="b")  # c was withdrawn
    assert store.ids(versions=before) == []
    assert store.ids(versions=first) == store.ids(versions=second) == ["a", "b"]
    assert store.live("mishap", first).sort("item_id")["reports"].to_list() == [1, 2]
    assert store.live("mishap", second).sort("item_id")["reports"].to_list() == [1, 1]
    assert store.ids("mishap_sources", "report_id", first) == ["a", "b", "c"]
    assert store.ids("mishap_sources", "report_id", second) == ["a", "b"]
    assert (store.live("mishap_conflicts", first).height, store.live("mishap_conflicts", second).height) == (2, 0)
    assert store.live("mishap_changes", second)["release"].sort().to_list() == [1, 1, 2]


def test_reports_are_retired_by_report_and_edges_by_both_their_reports(home: Installation) -> None:
    store = Lake(home)
    store.write(1, [{"report_id": r} for r in "abcd"])
    store.edges(1, ("a", "b"), ("b", "c"), ("c", "d"))
    assert store.live("mishap_edges").height == 3
    kind_tables(store.root, KIND).append("mishap_retired", retired("report", "b", 2))
    store.edges(2, ("a", "b"))
    assert store.live("mishap_edges").sort("a").select("a", "release").rows() == [("a", 2), ("c", 1)]
    assert store.ids("mishap_reports", "report_id") == ["a", "c", "d"]
    assert store.ids() == ["a", "b", "c", "d"]  # an item of that name is another thing
    kind_tables(store.root, KIND).append("mishap_retired", retired("item", "d", 2))
    assert store.ids() == ["a", "b", "c"]
    assert store.ids("mishap_reports", "report_id") == ["a", "c", "d"]


def retired(what: str, one: str, number: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"id": [one], "what": [what], "release": [number], "partition": ["all"]}, schema_overrides={"release": pl.Int32}
    )


def test_compacting_changes_no_release(home: Installation) -> None:
    store = Lake(home)
    first = store.write(1, [{"report_id": r, "hurt": n} for n, r in enumerate("abcdef")], b="a", d="c", f="e")
    store.edges(1, ("a", "b"), ("c", "d"), ("e", "f"))
    names = [*published_kind_tables(KIND), *internal_kind_tables(KIND)]
    old = {n: store.live(n, first) for n in names}
    store.write(2, [{"report_id": "a"}], retire="ab")
    now = {n: store.live(n).sort(pl.all()) for n in names if n not in {"mishap_retired", "mishap_history"}}
    assert kind_tables(store.root, KIND).compact()
    assert {n: store.live(n).sort(pl.all()) for n in now}.keys() == now.keys()
    for name, rows in now.items():
        assert store.live(name).sort(pl.all()).equals(rows), name
        assert kind_tables(store.root, KIND).scan(name).collect().height == rows.height, name
    for name, rows in old.items():
        assert store.live(name, first).equals(rows), name
    assert store.live("mishap_retired").height == 0
    assert not kind_tables(store.root, KIND).compact()


def test_a_large_table_is_compacted_when_a_tenth_is_retired(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_tables, "COMPACT_ROWS", 10)
    store = Lake(home)
    store.write(1, [{"report_id": f"{n:02}"} for n in range(20)])
    kind_tables(store.root, KIND).append("mishap_retired", pl.concat(retired(w, "00", 2) for w in ("item", "report")))
    assert not kind_tables(store.root, KIND).compact()
    some = [retired(w, f"{n:02}", 2) for w in ("item", "report") for n in (1, 2)]
    kind_tables(store.root, KIND).append("mishap_retired", pl.concat(some))
    assert kind_tables(store.root, KIND).compact()
    assert len(store.ids()) == 17


def test_all_may_be_retired(home: Installation) -> None:
    store = Lake(home)
    store.write(1, [{"report_id": "a"}])
    store.write(2, [], retire="a")
    assert kind_tables(store.root, KIND).compact()
    assert (store.ids(), store.ids("mishap_reports", "report_id")) == ([], [])
    store.write(3, [{"report_id": "a"}])
    assert store.ids() == ["a"]
    assert not kind_tables(store.root, KIND).compact()


def test_what_was_written_after_the_last_release_is_put_back(home: Installation) -> None:
    store = Lake(home)
    names = versioned_tables([KIND])
    store.write(1, [{"report_id": "a"}])
    lake.restore(store.root, {}, names)
    assert store.ids() == []
    first = store.write(1, [{"report_id": "b"}])
    store.write(2, [{"report_id": "c"}], retire="b")
    kind_tables(store.root, KIND).compact()
    lake.restore(store.root, first, names)
    assert store.ids() == ["b"]


def changed(**fields: Any) -> Kind:
    return KIND.model_copy(update={"fields": {**KIND.fields, **fields}})


def test_a_kind_may_gain_a_field_and_lose_one(home: Installation) -> None:
    store = Lake(home)
    first = store.write(1, [{"report_id": "a", "case": "x"}])
    wider = changed(colour=KIND.fields["case"])
    assert kind_tables(store.root, wider).live("mishap", first).collect()["colour"].to_list() == [None]
    frame = deliveries([{"report_id": "b", "colour": "red"}], wider)
    done = consolidate_deliveries(frame, of_items(frame), wider)
    kind_tables(store.root, wider).append("mishap", done.items.with_columns(pl.lit(2, dtype=pl.Int32).alias("release")))
    second = store.versions()
    rows = kind_tables(store.root, wider).live("mishap", second).sort("item_id").collect()
    assert rows["colour"].to_list() == [None, "red"]
    assert store.live("mishap").columns == list(frame_schema(published_kind_tables(KIND)["mishap"]))
    home = home.with_presets(kinds={"mishap": wider})
    for number, versions in enumerate((first, second), 1):
        result = query(
            home, 'SELECT colour, "case" FROM mishap ORDER BY item_id', released(home, versions, number)["release"]
        )
        assert result.rows() == [(None, "x"), ("red", None)][:number]


def test_a_field_that_became_something_else_is_refused(home: Installation) -> None:
    store = Lake(home)
    store.write(1, [{"report_id": "a"}])
    other = changed(hurt=KIND.fields["case"])
    frame = deliveries([{"report_id": "b", "hurt": "much"}], other)
    done = consolidate_deliveries(frame, of_items(frame), other)
    with pytest.raises(StoreError, match=r"mishap\.hurt: found String in the kind's file, expected Int64"):
        kind_tables(store.root, other).append(
            "mishap", done.items.with_columns(pl.lit(2, dtype=pl.Int32).alias("release"))
        )


def test_a_release_is_asked_in_sql(home: Installation) -> None:
    store = Lake(home)
    none = released(home, store.versions(), 1)
    store.write(2, [{"report_id": r, "causes": ["x", r], "story": TEXT, "hurt": n} for n, r in enumerate("abc")], b="a")
    first = released(home, store.versions(), 2)
    store.write(3, [{"report_id": "a"}], retire="a")
    second = released(home, store.versions(), 3)
    assert [query_ids(home, r) for r in (none, first, second)] == [[], ["a", "c"], ["a", "c"]]
    sql = "SELECT causes[2], story, len(conflicting), reports, first_reported FROM mishap ORDER BY item_id"
    assert query(home, sql, 2).rows() == [("a", [TEXT], 2, 2, None), ("c", [TEXT], 0, 1, None)]
    assert query(home, sql, 3).rows()[0] == (None, None, 0, 1, None)
    assert query(home, "SELECT count(*) FROM mishap_sources", 3).item() == 2
    assert query(home, "SELECT * FROM mishap_history", 3).columns[0] == "event"
    for number in (1, 2):
        for name, columns in published_kind_tables(KIND).items():
            rows = query(home, f"FROM {name}", number)
            assert rows.columns == list(frame_schema(columns)), name
    assert query(home, "SELECT * FROM mishap", 1).schema["causes"] == pl.List(pl.String)
    with pytest.raises(UsageError, match="mishap_records"):
        query(home, "SELECT * FROM mishap_records")


def test_a_release_is_read_by_name(home: Installation) -> None:
    store = Lake(home)
    none = release_of(store.versions())
    release = release_of(store.write(1, [{"report_id": "a"}]))
    assert [read_table(home, "mishap", r).collect().height for r in (none, release)] == [0, 1]
    assert [kinds_of(home, r) for r in (none, release)] == [[], [KIND]]
    with pytest.raises(UsageError, match="no table 'mishap_edges'"):
        read_table(home, "mishap_edges", release)


def test_an_export_holds_the_kinds_of_its_release(home: Installation, tmp_path: Path) -> None:
    store = Lake(home)
    none = export_release(home, release_of(store.versions()), tmp_path / "none")
    assert "mishap" not in json.loads((none / "release.json").read_text())["dictionary"]
    store.write(1, [{"report_id": "a"}])
    folder = export_release(home, release_of(store.write(2, [{"report_id": "b", "story": TEXT}]), 2), tmp_path / "some")
    assert pl.read_parquet(folder / "mishap" / "all.parquet")["story"].to_list() == [None, [TEXT]]
    assert pl.read_parquet(folder / "mishap_changes" / "all.parquet")["item_id"].to_list() == ["b"]
    assert pl.read_parquet(folder / "mishap_conflicts" / "empty.parquet").is_empty()
    dictionary = json.loads((folder / "release.json").read_text())["dictionary"]
    assert [c["column"] for c in dictionary["mishap"]] == list(frame_schema(published_kind_tables(KIND)["mishap"]))
    assert {c["column"]: c["type"] for c in dictionary["mishap"]}["story"] == "List(String)"
    assert {c["column"]: c["means"] for c in dictionary["mishap"]}["hurt"] == "How many"


def test_the_checks_know_the_tables(home: Installation) -> None:
    """The suites are those of tests/integration/test_record_checks.py: here that a table as it is read passes."""
    store = Lake(home)
    store.write(1, [{"report_id": r, "hurt": n} for n, r in enumerate("abc")], b="a")
    for name in ("mishap", "mishap_sources", "mishap_conflicts"):
        assert [f for f in check_rows(name, store.live(name), shapes(KIND)[name]) if not f.success] == []


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
    assert read_table(other, "thing", release_of(Lake(home).versions())).collect().columns[:2] == ["item_id", "a"]
