"""Whether contracts may ask for the same breakdown."""

from schemas.contract_parts import Take
from transforms.overlap.breakdowns import fixed_codes, may_be_equal, may_overlap


def test_codes_of_constants_maps_and_columns() -> None:
    codes = fixed_codes(
        {
            "sex": Take(value="F"),
            "stage": Take(column="s", map={"1": "primary", "2": "lower"}),
            "party": Take(column="p"),
        }
    )
    assert codes == {"sex": {"F"}, "stage": {"primary", "lower"}, "party": None}
    default = Take(column="s", map={"1": "primary"}, map_default="other")
    kept = Take(column="s", map={"1": "primary"}, unmapped="keep")
    assert fixed_codes({"stage": default, "level": kept}) == {"stage": {"primary", "other"}, "level": None}


def test_breakdowns_share_an_item_only_with_the_same_dimensions_and_a_common_code() -> None:
    women, any_sex, both = {"sex": frozenset("F")}, {"sex": None}, {"sex": frozenset("FM")}
    assert may_overlap(women, any_sex)
    assert may_overlap(women, both)
    assert not may_overlap(women, {"sex": frozenset("M")})
    assert not may_overlap(women, {})
    assert may_be_equal(women, '{"sex":"F"}')
    assert not may_be_equal(women, '{"sex":"M"}')
    assert not may_be_equal(women, "{}")
