"""Code maps follow from pairs of breakdowns; what no map can state is an error that names it."""

import pytest

from schemas.errors import UsageError
from transforms.discovery.code_maps import DimensionMap, map_breakdowns


def test_codes_of_another_dimension_are_mapped_and_those_of_the_same_stay() -> None:
    pairs = [
        ({"x": code, "sex": sex}, {"party": party, "sex": sex})
        for code, party in (("1", "A"), ("2", "H"))
        for sex in "FM"
    ]
    found = map_breakdowns(pairs)
    assert found == {
        "party": DimensionMap("x", {"1": "A", "2": "H"}),
        "sex": DimensionMap("sex", {"F": "F", "M": "M"}),
    }
    assert found["sex"].is_identity("sex")
    assert not found["party"].is_identity("party")


def test_a_dimension_without_a_counterpart_is_a_constant() -> None:
    pairs = [({"x": code}, {"party": code, "stage": "final"}) for code in "AH"]
    assert map_breakdowns(pairs)["stage"] == DimensionMap(None, {}, "final")
    assert map_breakdowns([({}, {"party": "A"})]) == {"party": DimensionMap(None, {}, "A")}
    assert map_breakdowns([({"x": "1"}, {})]) == {}


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([({"x": "1"}, {"p": "A"}), ({"x": "2"}, {"p": "A"})], "the same as one"),
        ([({"x": "1"}, {"p": "A"}), ({"x": "1"}, {"p": "B"})], "no dimension gives the codes of 'p'"),
        ([({"x": "1"}, {"p": "A"}), ({"y": "2"}, {"p": "B"})], "different dimensions: x and y"),
        ([({"x": "1", "y": "1"}, {"p": "A"}), ({"x": "2", "y": "2"}, {"p": "B"})], "'y' has no counterpart"),
    ],
)
def test_what_no_map_states_is_left_to_a_person(
    pairs: list[tuple[dict[str, str], dict[str, str]]], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        map_breakdowns(pairs)
