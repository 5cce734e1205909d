"""Partitions are put together up to a limit of rows, and of partitions."""

import pytest

from infra.lake.partitions import group_partitions


@pytest.mark.parametrize(
    ("rows_limit", "most", "groups"),
    [
        (10, None, ["abc", "d"]), (9, None, ["ab", "c", "d"]), (1, None, ["a", "b", "c", "d"]),
        (99, 2, ["ab", "cd"]), (99, None, ["abcd"]),
    ],
)  # fmt: skip
def test_partitions_are_grouped_up_to_a_limit(rows_limit: int, most: int | None, groups: list[str]) -> None:
    sizes = [("a", 3), ("b", 3), ("c", 4), ("d", 20)]
    assert list(group_partitions(sizes, rows_limit, most)) == [list(group) for group in groups]
    assert list(group_partitions([], rows_limit, most)) == []
