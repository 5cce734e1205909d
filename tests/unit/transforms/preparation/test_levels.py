"""The levels of e-mail, telephone, dates by part, names, sound and model numbers, on pairs that Splink scores."""

import polars as pl
import pytest

from schemas.kind import Kind, read_kind
from transforms.linkage.blocking import prepare_comparison
from transforms.linkage.comparisons import splink_settings
from transforms.linkage.model import Frequencies, MatchModel, WordWeights
from transforms.linkage.scoring import field_weights

HEAD = """
kind: thing
version: 1
title: {nb: T, nn: T, en: T}
one_report_per_item: false
blocking: [[a]]
"""
MISSING = "not told by both"


def kind_of(field: str, more: str = "", second: str = "{type: text, role: attribute, doc: B}") -> Kind:
    """Return a kind of the fields a and b, as given."""
    return read_kind(f"{HEAD}{more}\nfields:\n  a: {field}\n  b: {second}\n")


def level(kind: Kind, one: tuple[str | None, ...], other: tuple[str | None, ...]) -> str:
    """Return the label of the level that two values (of a, and of b) are on."""
    rows = [
        {"report_id": i, "reported_by": i, "a": v[0], "b": v[1] if len(v) > 1 else None}
        for i, v in zip("xy", (one, other), strict=True)
    ]
    reports = pl.DataFrame(
        rows, schema={"report_id": pl.String, "reported_by": pl.String, "a": pl.String, "b": pl.String}
    )
    settings = splink_settings(kind)
    for comparison in settings["comparisons"]:
        for each in comparison["comparison_levels"]:
            if not each.get("is_null_level"):
                each |= {"m_probability": 0.5, "u_probability": 0.25}
    settings["probability_two_random_records_match"] = 0.1
    compared = kind.compared()
    model = MatchModel(
        kind.kind, kind.match_digest(), settings,
        {name: Frequencies({}, 0.1) for name, f in compared.items() if f.term_frequency},
        {name: WordWeights({}, 5.0) for name in compared}, 0.0, {},
    )  # fmt: skip
    pairs = pl.DataFrame({"a": ["x"], "b": ["y"]})
    weights = field_weights(pairs, prepare_comparison(reports, kind, model), model)
    found: str = weights.filter(pl.col("field") != "(prior)")["level"].item()
    return found


CODE = "{{type: code, role: comparison, doc: A, compare: {}}}"
TEXT = "{{type: text, role: comparison, doc: A, compare: {}}}"


@pytest.mark.parametrize(
    ("field", "one", "other", "expected"),
    [
        (CODE.format("{by: email}"), "Ann@x.no", "ann@x.no", "the same"),
        (CODE.format("{by: email}"), "ann@x.no", "ann@y.no", "the same mailbox, another provider"),
        (CODE.format("{by: email}"), "ann.berg@x.no", "ann.brg@y.no", "mailboxes alike to 0.92"),
        (CODE.format("{by: email}"), "ann@x.no", "ole@x.no", "differ"),
        (CODE.format("{by: email}"), "ann@x.no", None, MISSING),
        (CODE.format("{by: telephone}"), "22 33 44 55", "22334455", "the same"),
        (CODE.format("{by: telephone}"), "+47 22 33 44 55", "22334455", "the last 8 digits the same"),
        (CODE.format("{by: telephone}"), "22334455", "22334545", "one digit wrong"),
        (CODE.format("{by: telephone}"), "22334455", "99887766", "differ"),
        (CODE.format("{by: telephone}"), "none", "99887766", MISSING),
        (CODE.format("{by: date_parts}"), "1971-02-05", "1971-02-05", "the same"),
        (CODE.format("{by: date_parts}"), "1971-02-05", "1971-05-02", "day and month exchanged"),
        (CODE.format("{by: date_parts}"), "19710205", "1971-02-06", "one digit wrong"),
        (CODE.format("{by: date_parts}"), "1971-02-05", "1971-02-28", "two parts the same"),
        (CODE.format("{by: date_parts}"), "1971-02-05", "05.02.1988", "two parts the same"),
        (CODE.format("{by: date_parts}"), "1971-02-05", "1971-11-28", "the same year"),
        (CODE.format("{by: date_parts}"), "1971-02-05", "1988-11-28", "differ"),
        (CODE.format("{by: date_parts, years: 13}"), "1971-02-05", "1984-11-28", "at most 13 years from each other"),
        (CODE.format("{by: date_parts, years: 13}"), "1971-02-05", "1985-11-28", "differ"),
        (TEXT.format("{by: phonetic}"), "Christiansen", "Kristianson", "sound alike"),
        (TEXT.format("{by: phonetic}"), "Hansen", "Berg", "differ"),
        (TEXT.format("{by: model_numbers}"), "TV KDL-40W", "Sony kdl40w", "a model number the same"),
        (TEXT.format("{by: model_numbers}"), "TV KDL-40W", "Sony kdl40", "model numbers begin alike"),
        (TEXT.format("{by: model_numbers}"), "TV KDL-40W", "Sony x900", "differ"),
        (TEXT.format("{by: model_numbers}"), "TV KDL-40W", "Sony", MISSING),
        (TEXT.format("{by: first_of, of: [{by: phonetic}, {by: edits, levels: [1]}]}"), "vik", "wik", "sound alike"),
        (TEXT.format("{by: first_of, of: [{by: phonetic}, {by: edits, levels: [1]}]}"), "vik", "vis", "1 edits apart"),
        (
            TEXT.format("{by: first_of, of: [{by: edits, levels: [1]}, {by: words, levels: [4]}]}"),
            "oak tree hill",
            "hill farm",
            "share 4 bits",
        ),
        (TEXT.format("{by: cosine, levels: [0.9, 0.4]}"), "oak tree", "tree oak", "words alike to 0.9"),
        (TEXT.format("{by: cosine, levels: [0.9, 0.4]}"), "oak tree hill", "hill farm", "words alike to 0.4"),
        (TEXT.format("{by: cosine, levels: [0.9, 0.4]}"), "oak tree hill", "hill farm mill", "differ"),
        (TEXT.format("{by: cosine}"), "oak tree", "-", MISSING),
        (
            TEXT.format("{by: first_of, of: [{by: similarity, levels: [0.92]}, {by: cosine, levels: [0.75]}]}"),
            "hotel bel-air",
            "bel-air hotel",
            "words alike to 0.75",
        ),
        (
            TEXT.format("{by: first_of, of: [{by: edits, levels: [1]}, {by: words, levels: [4]}]}"),
            "oak",
            "oak",
            "the same",
        ),
    ],
)
def test_levels(field: str, one: str, other: str | None, expected: str) -> None:
    assert level(kind_of(field), (one,), (other,)) == expected
    assert level(kind_of(field), (other,), (one,)) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("Anna", "Berg"), ("anna", "berg"), "the same"),
        (("Anna", "Berg"), ("Berg", "Anna"), "given name and surname exchanged"),
        (("Anna Marie", "Berg"), ("Annamarie", "Berg"), "run together"),
        (("Anna", "Berg"), ("BergAnna", None), "run together"),
        (("Annika", "Bergstrom"), ("Annica", "Bergstroem"), "both alike to 0.8"),
        (("Annika", "Bergstrom"), ("Bergstrm", "Anika"), "both alike to 0.8"),
        (("Anna", "Berg"), (None, "Berg"), "one the same, the other missing"),
        (("Anna", "Berg"), ("Ole", "Berg"), "one the same"),
        (("Anna", "Berg"), ("Ole", "Vik"), "differ"),
        (("Anna", "Berg"), (None, None), MISSING),
    ],
)
def test_levels_of_names(
    one: tuple[str | None, str | None], other: tuple[str | None, str | None], expected: str
) -> None:
    more = (
        "comparisons: {whole: {fields: [a, b], doc: Name, compare: {by: names, levels: [0.8]}, term_frequency: near}}"
    )
    kind = kind_of("{type: text, role: attribute, doc: A}", more)
    assert level(kind, one, other) == expected
    assert level(kind, other, one) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("Anna", "Berg"), ("A", "Berg"), "the given name an initial"),
        (("Anna", "Berg"), ("O", "Berg"), "differ"),
        (("Anna", "Berg"), (None, "Berg"), "one the same, the other missing"),
        (("Anna", "Berg"), ("Anna", "Vik"), "the given name alike"),
        (("Anna", "Berg"), ("Ole", "Anna"), "the given name alike"),
        (("Anna", "Berg"), (None, "Vik"), "a given name missing"),
        (("Anna", "Berg"), ("Ole", "Berg"), "differ"),
    ],
)
def test_a_surname_alone_is_that_of_a_household(
    one: tuple[str | None, str | None], other: tuple[str | None, str | None], expected: str
) -> None:
    more = "comparisons: {whole: {fields: [a, b], doc: Name, compare: {by: names, alone: given}}}"
    kind = kind_of("{type: text, role: attribute, doc: A}", more)
    assert level(kind, one, other) == expected
    assert level(kind, other, one) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("Storgata 7 Vik", "+47 22334455"), ("Lia 2 Moen", "22334455"), "one of them the same"),
        (("Storgata 7 Vik", None), ("storgata 7 vik", "22334455"), "one of them the same"),
        (("Storgata 7 Vik", "22334455"), ("Lia 2 Moen", "22334545"), "one of them nearly the same"),
        (("Storgata 7 Vik", None), ("Storgatta 7 Vik", None), "one of them nearly the same"),
        (("Storgata 7 Vik", None), ("Storgata 19 Viken", None), "addresses alike to 0.85"),
        (("Storgata 7 Vik", "22334455"), ("Lia 2 Moen", "99887766"), "differ"),
        (("Storgata 7 Vik", "112"), ("Lia 2 Moen", "112"), "one of them nearly the same"),
        (("Storgata 7 Vik", None), (None, "22334455"), MISSING),
    ],
)
def test_levels_of_a_contact(
    one: tuple[str | None, str | None], other: tuple[str | None, str | None], expected: str
) -> None:
    more = "comparisons: {home: {fields: [a, b], doc: Home, compare: {by: contact, telephone: b}}}"
    kind = kind_of(
        "{type: text, role: attribute, doc: A}", more, "{type: code, role: attribute, doc: B, clean: [digits]}"
    )
    assert level(kind, one, other) == expected
    assert level(kind, other, one) == expected


def test_fields_are_joined_and_cleaned() -> None:
    more = "comparisons: {whole: {fields: [a, b], doc: W, clean: [accents, spaces], compare: {by: exact}}}"
    kind = kind_of("{type: text, role: attribute, doc: A, clean: [legal_forms]}", more)
    assert level(kind, ("Vik AS", "Øst"), ("VIKØ", "st")) == "the same"


def test_near_levels_count_rarity_by_half() -> None:
    near = kind_of(TEXT.format("{by: edits, levels: [1]}, term_frequency: near"))
    plain = kind_of(TEXT.format("{by: edits, levels: [1]}, term_frequency: true"))
    sides = [
        [each.get("tf_adjustment_weight") for each in splink_settings(k)["comparisons"][0]["comparison_levels"]]
        for k in (near, plain)
    ]
    assert sides == [[None, 1.0, 0.5, None], [None, 1.0, None, None]]
