"""A receipt in a file proves what is signed and nothing else, whatever else the file holds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.receipts import checked, offline
from flows.receipts.checked import check_receipt_file, write_receipt
from infra.signing import public_key, sign
from schemas.errors import UsageError
from transforms.receipts.fates import BUCKET_LETTERS, UNSTATED
from transforms.receipts.leaves import HEAD_FORMAT, head_text, leaf_text
from transforms.receipts.merkle import (
    append_leaves,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_of,
    subtree_levels,
)

KEY = bytes(range(32))
Receipt = dict[str, Any]


def leaf(release: int, letters: str, previous: int | None, *, first: int = 2, **stated: Any) -> str:
    fields: dict[str, Any] = {"whole": False, "rest": None, "rows": [(first, letters)], "buckets": {"published": 9}}
    return leaf_text("s1", release, nonce="n", previous=previous, **{**fields, **stated})


OTHER = leaf_text("s2", 1, nonce="n", previous=None, whole=True, rest=None, rows=[], buckets={})
LEAVES = [OTHER, leaf(1, "PDR", None), OTHER, leaf(2, "A.C", 1, first=3)]
LEVELS = subtree_levels([leaf_hash(text.encode()) for text in LEAVES])


def signed(size: int, key: bytes = KEY, **changed: Any) -> dict[str, str]:
    """Return the signed head of the tree of the first leaves."""
    root = root_of(append_leaves([], 0, LEVELS[0][:size]))
    text = json.dumps({**json.loads(head_text(size, "digest", size, root)), **changed})
    return {"head": text, "signature": sign(key, text), "public_key": public_key(key)}


def proof(at: int) -> dict[str, Any]:
    path = [node.hex() for node in inclusion_path(LEVELS, at, len(LEAVES))]
    return {"index": at, "leaf": LEAVES[at], "path": path}


def receipt(**changed: Any) -> Receipt:
    whole: Receipt = {"format": "engang receipt 1", "head": signed(4), "leaves": [proof(1), proof(3)], "earlier": None}
    return {**whole, **changed}


def extension(size: int) -> dict[str, Any]:
    return {"head": signed(size), "path": [node.hex() for node in consistency_path(LEVELS, size, len(LEAVES))]}


def file_of(folder: Path, content: object) -> Path:
    return write_receipt(folder / "receipt.json", content) if isinstance(content, dict) else _raw(folder, content)


def _raw(folder: Path, content: object) -> Path:
    file = folder / "receipt.json"
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return file


def test_the_later_leaf_adds_to_the_one_before(tmp_path: Path) -> None:
    proved, problem = check_receipt_file(file_of(tmp_path, receipt(earlier=extension(3))))
    assert (problem, proved is None) == ("", False)
    assert proved is not None
    assert (proved["submission"], proved["release"], proved["previous"]) == ("s1", 2, 3)
    assert proved["rows"] == {2: "published", 3: "additive", 4: "rejected", 5: "conflict"}
    assert proved["public_key"] == public_key(KEY)
    assert proved["head"]["size"] == 4


def test_a_whole_leaf_replaces_what_was_stated_before_it() -> None:
    leaves = [leaf(1, "PD", None), leaf(2, "A", 0, whole=True, rest="withdrawn", first=3)]
    levels = subtree_levels([leaf_hash(text.encode()) for text in leaves])
    head = {"size": 2, "root": root_of(append_leaves([], 0, levels[0])).hex()}
    stated = [
        {"index": at, "leaf": text, "path": [node.hex() for node in inclusion_path(levels, at, 2)]}
        for at, text in enumerate(leaves)
    ]
    found = offline.check_leaves(stated, head)
    assert (found["rows"], found["rest"]) == ({3: "additive"}, "withdrawn")


def test_a_head_alone_proves_no_submission(tmp_path: Path) -> None:
    proved, problem = check_receipt_file(file_of(tmp_path, receipt(leaves=[], earlier=extension(0))))
    assert (problem, proved and proved["submission"]) == ("", None)


def test_letters_are_those_that_a_night_writes() -> None:
    assert {letter: bucket for bucket, letter in BUCKET_LETTERS.items()} == offline.BUCKET_BY_LETTER
    assert UNSTATED == "."
    assert offline.SIGNED_FORMAT == HEAD_FORMAT


def _changed(path: tuple[Any, ...], value: object) -> Callable[[], Receipt]:
    """Return what makes a receipt in which one part is another."""

    def make() -> Receipt:
        whole = receipt(earlier=extension(3))
        part: Any = whole
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value
        return whole

    return make


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (
            _changed(("head",), signed(4, digest="other") | {"signature": signed(4)["signature"]}),
            "the signature is not",
        ),
        (_changed(("head", "public_key"), public_key(bytes(32))), "the signature is not good"),
        (_changed(("head", "public_key"), "00"), "32 bytes"),
        (_changed(("head", "public_key"), "no hex"), "non-hexadecimal"),
        (_changed(("head", "signature"), ""), "the signature is not good"),
        (_changed(("head", "head"), 7), "encode"),
        (_changed(("head",), signed(4, format="an order")), "what is signed is no head of a tree"),
        (_changed(("head",), []), "list indices"),
        (_changed(("head",), signed(3)), "the later tree does not extend the earlier one"),
        (_changed(("earlier", "head"), signed(3, root="00" * 32)), "the later tree does not extend the earlier one"),
        (_changed(("earlier", "path"), []), "out of range"),
        (_changed(("earlier", "path"), 3), "not iterable"),
        (_changed(("leaves", 0, "path"), []), "a path is too short"),
        (_changed(("leaves", 0, "path"), ["00" * 32] * 9), "a path is too long"),
        (_changed(("leaves", 0, "path"), ["00" * 32] * 2), "leaf 1 is not in the tree"),
        (_changed(("leaves", 0, "index"), 0), "leaf 0 is not in the tree"),
        (_changed(("leaves", 0, "index"), -3), "leaf -3 is not in the tree"),
        (_changed(("leaves", 0, "index"), "1"), "unsupported operand"),
        (_changed(("leaves", 0, "leaf"), OTHER), "leaf 1 is not in the tree"),
        (_changed(("leaves",), [proof(3)]), "leaf 3 does not follow the one before it"),
        (_changed(("leaves",), [proof(1), proof(1)]), "leaf 1 does not follow the one before it"),
        (_changed(("leaves",), [proof(3), proof(1)]), "leaf 3 does not follow the one before it"),
        (_changed(("leaves",), {"a": 1}), "string indices"),
        (dict, "head"),
        (lambda: {"head": None}, "NoneType"),
    ],
)
def test_what_was_changed_proves_nothing(make: Callable[[], Receipt], problem: str, tmp_path: Path) -> None:
    proved, found = check_receipt_file(file_of(tmp_path, make()))
    assert proved is None
    assert problem in found


@pytest.mark.parametrize(
    ("content", "problem"),
    [([], "list indices"), ("text", "string indices"), (None, "NoneType"), (7, "not subscriptable")],
)
def test_json_that_is_no_receipt_proves_nothing(content: object, problem: str, tmp_path: Path) -> None:
    proved, found = check_receipt_file(file_of(tmp_path, content))
    assert (proved, problem in found) == (None, True)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 200_000, b"a;b"])
def test_a_file_that_is_no_json_is_wrong_use(content: bytes, tmp_path: Path) -> None:
    file = file_of(tmp_path, content)
    with pytest.raises(UsageError, match="is no receipt: expected the file that `engang receipt --out` writes"):
        check_receipt_file(file)


def test_a_file_that_is_larger_than_any_receipt_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "LARGEST_RECEIPT", 10)
    with pytest.raises(UsageError, match=r"receipt\.json is larger than 10 bytes, the limit for such a file"):
        check_receipt_file(file_of(tmp_path, receipt()))


def test_a_receipt_that_cannot_be_written_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent/r\.json cannot be written: No such file or directory"):
        write_receipt(tmp_path / "absent" / "r.json", receipt())
