"""What the checks condense of staged rows, without the engine that evaluates them."""

import polars as pl
import pytest

from infra.checks import engine
from infra.checks.expectations import Shape
from schemas.claims import Column

SHAPE = Shape(
    (
        Column("agreement", pl.String, "How", values=("single", "conflict")),
        Column("conflicting", pl.List(pl.String), "Which", nullable=True),
        Column("name", pl.String, "What"),
    ),
    filled_where=(("conflicting", "agreement", "conflict"),),
)


def test_of_a_list_only_whether_it_has_elements_is_checked() -> None:
    lists = [[], ["a"], ["a", "b", "c"], ["b", "c"]]
    rows = pl.DataFrame({"agreement": ["single", *["conflict"] * 3], "conflicting": lists, "name": list("wxyz")})
    kinds = engine._kinds_of_rows(SHAPE, rows)  # noqa: SLF001  what the engine is given
    assert sorted(kinds.select("agreement", "conflicting", engine._ROWS, "name").rows()) == [  # noqa: SLF001
        ("conflict", 1, 3, True), ("single", 0, 1, True),
    ]  # fmt: skip


def test_a_null_is_a_kind_of_row_only_where_there_may_be_none() -> None:
    rows = pl.DataFrame({"agreement": ["single"] * 3, "conflicting": [[], None, []], "name": ["x", "y", None]})
    kinds = engine._kinds_of_rows(SHAPE, rows.cast({"conflicting": pl.List(pl.String)}))  # noqa: SLF001  see above
    found = kinds.select("conflicting", engine._ROWS, "name").rows()  # noqa: SLF001
    assert set(found) == {(0, 1, True), (None, 1, True), (0, 1, None)}
    nullable = [SHAPE.may_be_null(column.name) for column in SHAPE.columns]
    assert nullable == [False, True, False]


@pytest.mark.parametrize("nested", [False, True])
def test_what_the_engine_could_not_evaluate_is_an_error(nested: bool) -> None:
    def info(raised: bool) -> dict[str, object]:
        each = {"raised_exception": raised, "exception_message": "no"}
        return {"a": {**each, "raised_exception": False}, "b": each} if nested else each

    engine._raise_engine_error("w", info(raised=False))  # noqa: SLF001  few frames make the engine fail
    with pytest.raises(engine.CheckEngineError, match="w: the engine failed: no"):
        engine._raise_engine_error("w", info(raised=True))  # noqa: SLF001


@pytest.mark.parametrize(
    ("keys", "times"), [(["b", "a", "c"], {1: 3}), (["b", "a", "b"], {1: 1, 2: 2}), (["b", None, None], {1: 1, 2: 2})]
)
def test_rows_are_counted_by_how_often_their_key_occurs(keys: list[str | None], times: dict[int, int]) -> None:
    counted = engine._times(pl.Series("key", keys))  # noqa: SLF001  what the engine is given
    assert dict(counted.rows()) == times


@pytest.mark.parametrize(("removed", "least"), [({}, ["observations"]), ({"removed_submissions": 1}, [])])
def test_a_table_may_shrink_only_where_a_submission_was_removed(removed: dict[str, int], least: list[str]) -> None:
    summary = engine.ReleaseSummary({"observations": 5}, 5, 5, {"published": 5}, 0, {"observations": 9}, **removed)
    suite = engine._release_suite(summary, 0.1)  # noqa: SLF001  what the engine is given
    found = [each["kwargs"] for each in suite if each["kwargs"].get("min_value") is not None]
    assert found == [{"column": f"{table} rows", "min_value": 9} for table in least]


def test_the_engine_is_imported_by_a_thread_that_no_command_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_asset", lambda: None)
    thread = engine.preload()
    thread.join()
    assert thread.daemon
