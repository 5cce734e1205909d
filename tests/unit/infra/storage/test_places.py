"""Places: what a setting may name, and the path at which no lake can be kept."""

from pathlib import Path

import pytest

from infra.storage.places import Place, S3Place, check_lake_place, read_place
from schemas.errors import UsageError


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("/data/lake", Path("/data/lake")),
        ("lake", Path.cwd() / "lake"),
        ("s3://bucket", S3Place("bucket", "", "http://s3")),
        ("s3://bucket/", S3Place("bucket", "", "http://s3")),
        ("s3://my.bucket-1/a/b=c/", S3Place("my.bucket-1", "a/b=c", "http://s3")),
        ("s3://abc", S3Place("abc", "", "http://s3")),
        (f"s3://{'a' * 63}", S3Place("a" * 63, "", "http://s3")),
    ],
)
def test_a_folder_or_a_prefix_is_a_place(value: str, place: Place) -> None:
    assert read_place(value, "ENGANG_LAKE", "http://s3") == place


@pytest.mark.parametrize(
    "value",
    ["s3://", "s3://ab", f"s3://{'a' * 64}", "s3://Bucket", "s3://-bucket", "s3://bucket/a//b", "s3://bucket/a b"],
)
def test_a_malformed_prefix_is_refused(value: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_place(value, "ENGANG_LAKE", None)
    expected = "s3://bucket/prefix, the prefix of letters, digits, '.', '_', '=', '-' and '/'"
    assert str(raised.value) == f"ENGANG_LAKE: found {value!r}, expected {expected}"


@pytest.mark.parametrize("value", ["gs://bucket/x", "ftp://host/data", "S3://bucket"])
def test_another_scheme_is_refused(value: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_place(value, "ENGANG_LAKE", None)
    assert str(raised.value) == f"ENGANG_LAKE: found {value!r}, expected a folder or s3://bucket/prefix"


def test_a_place_is_written_and_extended_like_a_path() -> None:
    assert str(S3Place("b")) == "s3://b"
    assert str(S3Place("b", "x/y")) == "s3://b/x/y"
    assert S3Place("b", "", "e") / "claims" == S3Place("b", "claims", "e")
    assert S3Place("b", "x", "e") / "claims" == S3Place("b", "x/claims", "e")
    assert (S3Place("b").key("k"), S3Place("b", "x").key("k")) == ("k", "x/k")


@pytest.mark.parametrize(
    "name", ["a=b", "a*", "a?", "a|b", "a^", "a\\b", "[a]", "a]", "a%20b", "a%Ffb", "a\tb", "a\x7fb"]
)
def test_no_lake_is_kept_at_a_path_that_is_read_as_a_pattern(name: str) -> None:
    for place in (Path("/data") / name, S3Place("bucket", name)):
        with pytest.raises(UsageError, match="no lake can be kept at this path: found ") as raised:
            check_lake_place(place)
        assert str(raised.value).endswith("rename the folder, or let ENGANG_HOME or ENGANG_LAKE name another place")


@pytest.mark.parametrize("name", ["a b", "æøå", "a%b", "a%2", "a%zz", "a{b}", "a,b;c:d'e\"f", "a+b@c", "100%"])
def test_any_other_path_is_fine(name: str) -> None:
    check_lake_place(Path("/data") / name)
    check_lake_place(S3Place("bucket", name))
