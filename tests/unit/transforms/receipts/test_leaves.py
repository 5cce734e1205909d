"""The content of leaves: text that hides nothing and gives nothing away, and what several of them state in the end."""

import json
from typing import Any

from transforms.receipts.leaves import fates_digest, head_text, leaf_text, nonce_of, packed, stated_rows, unpacked

USUAL: dict[str, Any] = {"nonce": "00", "previous": None, "whole": True, "rest": None, "rows": [], "buckets": {}}


def leaf(**stated: Any) -> dict[str, Any]:
    return dict(json.loads(leaf_text("s1", 3, **{**USUAL, **stated})))


def test_a_leaf_is_canonical_json() -> None:
    text = leaf_text("s1", 3, **USUAL | {"rows": [(2, "PP")], "buckets": {"published": 2}})
    assert text == (
        '{"buckets":{"published":2},"nonce":"00","previous":null,"release":3,"rest":null,"rows":[[2,"PP"]],'
        '"submission":"s1","whole":true}'
    )
    assert unpacked(packed(text)) == text
    assert len(packed(text.replace("PP", "P" * 100_000))) < 1000


def test_the_first_leaf_of_a_submission_is_whole() -> None:
    assert leaf(whole=False)["whole"]
    assert not leaf(whole=False, previous=7)["whole"]


def test_later_leaves_change_what_earlier_ones_stated() -> None:
    first = leaf(rows=[(2, "PP.D"), (9, "R")])
    change = leaf(previous=0, whole=False, rows=[(3, "C..")])
    assert stated_rows([first]) == ({2: "published", 3: "published", 5: "duplicate", 9: "rejected"}, None)
    assert stated_rows([first, change])[0][3] == "conflict"
    gone = leaf(previous=1, rest="withdrawn", rows=[(9, "R")])
    assert stated_rows([first, change, gone]) == ({9: "rejected"}, "withdrawn")
    assert stated_rows([first, gone, first]) == stated_rows([first])
    assert stated_rows([]) == ({}, None)


def test_the_digest_of_fates_depends_on_each_row_but_rejected_ones() -> None:
    states = [("s1", {2: "published", 3: "duplicate", 4: "rejected"}, None), ("s2", {}, "withdrawn")]
    known = fates_digest(states)
    assert fates_digest([("s1", {3: "duplicate", 2: "published"}, None), states[1]]) == known
    others = [
        [("s1", {2: "published", 3: "conflict"}, None), states[1]],
        [("s1", {2: "published", 4: "duplicate"}, None), states[1]],
        [("s3", states[0][1], None), states[1]],
        [states[0], ("s2", {}, None)],
        states[:1],
    ]
    assert len({known, *map(fates_digest, others)}) == len(others) + 1


def test_a_nonce_is_the_same_for_the_same_leaf_and_no_other() -> None:
    nonces = [nonce_of(secret, s, n) for secret in (b"a", b"b") for s in ("s1", "s2") for n in (1, 2)]
    assert len(set(nonces)) == 8
    assert nonces[0] == nonce_of(b"a", "s1", 1)
    assert {len(nonce) for nonce in nonces} == {64}


def test_a_head_names_what_it_is() -> None:
    head = json.loads(head_text(3, "d", 5, b"\x01\x02"))
    assert head == {"digest": "d", "format": "engang tree head 1", "release": 3, "root": "0102", "size": 5}
