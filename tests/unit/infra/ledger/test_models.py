"""Models and pins: stored once, as they were, and a kind's last pin in force."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from infra.ledger import backfills, models
from infra.ledger.models import StoredModel
from infra.ledger.sql import write_transaction
from schemas.errors import StoreError
from tests.support.submission_rows import add, submission

TRAINED = datetime(2026, 3, 1, 12)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def model(digest: str, kind: str = "mishap", **stated: Any) -> StoredModel:
    row: dict[str, Any] = {"digest": digest, "kind": kind, "text": "{}", "trained_at": TRAINED, "about": {}}
    return StoredModel(**{**row, **stated})


def test_a_model_is_stored_once_and_never_changes(engine: Engine) -> None:
    assert models.add_model(engine, model("d1", text="first"))
    assert not models.add_model(engine, model("d1", text="second", about={"a": 1}))
    found = models.find_model(engine, "d1")
    assert found is not None
    assert (found["text"], found["about"], found["trained_at"]) == ("first", {}, TRAINED)
    assert models.find_model(engine, "d2") is None


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=5), ANY_JSON, max_size=3), st.integers(0))
def test_whatever_is_stored_as_json_comes_back(engine: Engine, value: dict[str, Any], number: int) -> None:
    digest = f"{number:x}-{hash(repr(value)):x}"
    models.add_model(engine, model(digest, about=value))
    found = models.find_model(engine, digest)
    assert found is not None
    assert found["about"] == value


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=5), ANY_JSON, max_size=3))
def test_what_was_asked_of_a_backfill_and_what_it_changes_come_back(engine: Engine, value: dict[str, Any]) -> None:
    add(engine, submission("s1"))
    number = backfills.open_backfill(engine, ("c", "d1"), value, models.read_pins(engine).clear().select(
        submission_id="kind", batch_before="kind"
    ))  # fmt: skip
    backfills.write_dry_run(engine, number, 1, value)
    found = backfills.find_backfill(engine, number)
    assert found is not None
    assert (found["asked"], found["diff"]) == (value, value)


def test_models_are_listed_by_when_they_were_trained(engine: Engine) -> None:
    models.add_model(engine, model("b", trained_at=TRAINED.replace(hour=13)))
    models.add_model(engine, model("c"))
    models.add_model(engine, model("a"))
    models.add_model(engine, model("x", kind="person"))
    assert models.read_models(engine, "mishap")["digest"].to_list() == ["a", "c", "b"]
    assert models.read_models(engine)["digest"].to_list() == ["a", "c", "x", "b"]
    assert models.read_models(engine, "other").is_empty()


def test_the_last_pin_of_a_kind_is_in_force_and_the_same_one_changes_nothing(engine: Engine) -> None:
    for digest, kind in (("a", "mishap"), ("b", "mishap"), ("x", "person")):
        models.add_model(engine, model(digest, kind=kind))
    assert models.find_pinned_model(engine, "mishap") is None
    assert models.write_pin(engine, "mishap", "a", who="kari", why="first")
    assert models.write_pin(engine, "person", "x", who="kari", why="only")
    assert not models.write_pin(engine, "mishap", "a", who="ola", why="again")
    assert models.write_pin(engine, "mishap", "b", who="ola", why="better")
    assert models.write_pin(engine, "mishap", "a", who="kari", why="back")
    pinned = models.find_pinned_model(engine, "mishap")
    assert pinned is not None
    assert pinned["digest"] == "a"
    assert {kind: (pin["digest"], pin["why"]) for kind, pin in models.pins_in_force(engine).items()} == {
        "mishap": ("a", "back"), "person": ("x", "only"),
    }  # fmt: skip
    assert models.read_pins(engine, "mishap")["why"].to_list() == ["first", "better", "back"]


@pytest.mark.parametrize(("kind", "digest"), [("mishap", "z"), ("person", "a")])
def test_a_model_that_the_kind_has_not_is_not_pinned(engine: Engine, kind: str, digest: str) -> None:
    models.add_model(engine, model("a"))
    with pytest.raises(StoreError, match=f"kind {kind} has no model {digest}: `engang train {kind}` makes one"):
        models.write_pin(engine, kind, digest, who="kari", why="x")
    assert models.pins_in_force(engine) == {}


def test_a_pin_goes_with_its_transaction(engine: Engine) -> None:
    models.add_model(engine, model("a"))

    def fail_after() -> None:
        with write_transaction(engine) as connection:
            assert models.add_pin(connection, "mishap", "a", who="kari", why="x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after()
    assert models.pins_in_force(engine) == {}
