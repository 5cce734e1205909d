"""Which statements are set aside as copies of what another obligation has brought."""

import polars as pl
import pytest

from transforms.observations.copies import is_copy

Statement = tuple[str, str | None, str, str]
"""An item, whose copy the obligation is, the obligation and its contract."""


def marks(*statements: Statement) -> list[bool] | None:
    names = ["item_id", "copy_of", "obligation", "contract"]
    found = is_copy(pl.DataFrame(statements, schema=dict.fromkeys(names, pl.String), orient="row"))
    return None if found is None else found.to_list()


@pytest.mark.parametrize("original", ["register", "register-2024"])
def test_a_copy_is_set_aside_on_items_that_its_original_states(original: str) -> None:
    statements: list[Statement] = [
        ("i", original, "yearbook", "yearbook"), ("i", None, "register", "register-2024"),
        ("j", original, "yearbook", "yearbook"), ("j", None, "survey", "survey"), ("i", None, "survey", "survey"),
    ]  # fmt: skip
    assert marks(*statements) == [True, False, False, False, False]
    assert marks(*statements[::-1]) == [False, False, False, False, True]


def test_a_copy_of_a_copy_is_set_aside_with_it() -> None:
    assert marks(("i", "b", "c", "c"), ("i", "a", "b", "b"), ("i", None, "a", "a")) == [True, True, False]


def test_of_statements_that_repeat_each_other_in_a_circle_none_is_set_aside() -> None:
    circle: list[Statement] = [("i", "b", "a", "a"), ("i", "a", "b", "b")]
    assert marks(*circle) is None
    assert marks(*circle, ("i", None, "c", "c")) == [True, True, False]
    assert marks(*circle, ("j", "b", "a", "a"), ("j", None, "b", "b")) == [False, False, True, False]


def test_without_copies_there_is_nothing_to_set_aside() -> None:
    assert marks(("i", None, "a", "a")) is None
    assert marks(("i", "b", "a", "a"), ("i", None, "c", "c")) is None
    assert marks() is None
    assert is_copy(pl.DataFrame({"item_id": ["i"]})) is None
