"""YAML read strictly: what a scalar is, which keys are refused, and where the error is said to stand."""

from pathlib import Path

import pytest

from schemas.errors import ContractError
from schemas.kind import read_kind
from schemas.strict_yaml import load_declared, read_mapping


def test_scalars_are_what_they_look_like_and_nothing_more() -> None:
    text = "a: 0301\nb: no\nc: 12\nd: true\ne: null\nf: ~\ng: 1.5\nh: 2024-01-01\ni: -7\nj: '1'\nk: 0x1F\nl:"
    assert read_mapping(text, "t") == {
        "a": "0301", "b": "no", "c": 12, "d": True, "e": None, "f": None, "g": "1.5", "h": "2024-01-01", "i": -7,
        "j": "1", "k": "0x1F", "l": None,
    }  # fmt: skip


def test_a_key_that_yaml_merges_elsewhere_is_a_key() -> None:
    assert read_mapping("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2", "t")["c"] == {"<<": {"b": 1}, "d": 2}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\nb: 2\na: 3", "key 'a' occurs twice\n  in \"<unicode string>\", line 3, column 1"),
        ("a:\n  b: 1\n  b: 2", "key 'b' occurs twice\n  in \"<unicode string>\", line 3, column 3"),
        ("1: a\ntrue: b", "key True occurs twice"),
        ("a: 1\n[b, c]: 2", "key ['b', 'c'] is a list or a mapping\n  in \"<unicode string>\", line 2"),
        ("{a: 1}: 2", "key {'a': 1} is a list or a mapping"),
        ("a: &a [*a]", "found unconstructable recursive node"),
        ("a: !!python/object/apply:os.system [true]", "could not determine a constructor for the tag"),
        ("a: [", "while parsing a flow node"),
        ("a: \x07", "control characters are not allowed"),
    ],
)
def test_what_is_no_plain_mapping_is_refused_where_it_stands(text: str, found: str) -> None:
    with pytest.raises(ContractError) as refused:
        read_mapping(text, "fishing.yml")
    assert str(refused.value).startswith("fishing.yml: not YAML: ")
    assert found in str(refused.value)


@pytest.mark.parametrize(("text", "found"), [("- a", "list"), ("a", "str"), ("", "NoneType"), ("7", "int")])
def test_what_is_no_mapping_is_refused(text: str, found: str) -> None:
    with pytest.raises(ContractError, match=f"t.yml: expected a mapping of keys, found {found}"):
        read_mapping(text, "t.yml")


@pytest.mark.parametrize("text", ["\n".join(f"{' ' * n}a:" for n in range(3000)), "a: " + "[" * 5000])
def test_what_is_nested_without_end_is_refused(text: str) -> None:
    with pytest.raises(ContractError, match=r"t\.yml: not "):
        read_mapping(text, "t.yml")


def test_a_number_longer_than_any_is_text() -> None:
    assert read_mapping(f"a: {'9' * 5000}", "t")["a"] == "9" * 5000


@pytest.mark.parametrize("data", [b"\xff\xfea\x00", b"a: \xe5"], ids=["UTF-16", "Latin 1"])
def test_a_file_in_another_encoding_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "z.yml").write_bytes(data)
    with pytest.raises(ContractError, match=r"z\.yml: not UTF-8"):
        load_declared(tmp_path, read_kind, "kind")
