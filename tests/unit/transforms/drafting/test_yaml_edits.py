"""A value is set at its place; comments, order and the style of everything else stay."""

import pytest

from transforms.drafting.yaml_edits import line_of, scalars, set_value

TEXT = """\
# what it is
version: 1  # raised by hand
claims:
  - concept: a
    column: x  # the figure

    # the parties
    breakdown:
      p:
        column: P
        map:
          1: A
    precedence: 3
  - {concept: b, column: y}
examples:
  - given: "a\\n\\
      b\\n"
    claims:
      - concept: a
        breakdown: '{"p":"A"}'
      - {row: 3, breakdown: '{"p":"B"}'}
"""


def test_a_scalar_is_replaced_and_its_comment_stays() -> None:
    assert set_value(TEXT, ("version",), 2) == TEXT.replace("version: 1  #", "version: 2  #")
    assert set_value(TEXT, ("claims", 1, "concept"), "c") == TEXT.replace("concept: b", "concept: c")


def test_a_block_is_replaced_by_a_block_and_what_follows_stays() -> None:
    new = set_value(TEXT, ("claims", 0, "breakdown"), {"q": {"column": "P", "map": {"1": "X", "no": "01"}}})
    before, after = TEXT.split("      p:\n", maxsplit=1)[0], "    precedence: 3\n"
    block = "      q:\n        column: P\n        map:\n          '1': X\n          'no': '01'\n"
    assert new == before + block + after + TEXT.partition(after)[2]


def test_a_new_key_is_added_in_the_style_of_its_mapping() -> None:
    assert "  - {concept: b, column: y, scale: 1000}\n" in set_value(TEXT, ("claims", 1, "scale"), 1000)
    assert "    precedence: 3\n    scale: 1000\n  - {" in set_value(TEXT, ("claims", 0, "scale"), 1000)
    new = set_value(TEXT, ("claims", 0, "more"), {f"k{n}": "v" for n in range(20)})
    assert "    precedence: 3\n    more:\n      k0: v\n      k1: v\n" in new


def test_scalars_are_found_below_a_path_and_what_is_set_reads_as_it_was_given() -> None:
    found = list(scalars(TEXT, ("examples",), "breakdown"))
    assert [text for _, text in found] == ['{"p":"A"}', '{"p":"B"}']
    new = TEXT
    for path, _ in found:
        new = set_value(new, path, '{"q":"Ærlig"}')
    assert [text for _, text in scalars(new, ("examples",), "breakdown")] == ['{"q":"Ærlig"}'] * 2
    assert list(scalars(TEXT, ("none",), "breakdown")) == []
    with pytest.raises(KeyError):
        set_value(TEXT, ("claims", 7, "concept"), "c")


def test_the_line_of_a_value_or_of_what_would_hold_it() -> None:
    text = "# a comment\na: {b: 1}\nc:\n  d:\n    - e: x\n    - e: y\n"
    assert [line_of(text, path) for path in (("a", "b"), ("c", "d", 1, "e"), ("c", "d", "f"), ("z",))] == [
        2,
        6,
        5,
        None,
    ]
