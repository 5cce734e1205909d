"""The three languages have the same texts, and a browser's wishes choose one."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from flows.check_page.texts import LANGUAGES, Language, choose_language, number_text, reason_text, texts_of
from schemas.claims import REASONS


def places(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield the key of every text, and the places in it that are filled in."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from places(part, (*path, key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from places(part, (*path, str(number)))
    else:
        yield path, tuple(sorted(re.findall(r"\{(\w+)\}", value)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts_with_the_same_places(language: Language) -> None:
    own, english = ({k: v for k, v in texts_of(each).items() if k != "phrases"} for each in (language, "en"))
    assert dict(places(own)) == dict(places(english))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_is_explained(language: Language) -> None:
    assert sorted(texts_of(language)["reasons"]) == sorted(REASONS)
    assert all(all(reason_text(reason, language)) for reason in REASONS)


def test_a_reason_without_a_text_is_still_named() -> None:
    assert reason_text("quite-new", "nn") == ("quite-new", "")


@pytest.mark.parametrize(
    ("wanted", "accepted", "chosen"),
    [
        (None, None, "nb"),
        (None, "", "nb"),
        ("en", "nb", "en"),
        ("xx", "nn-NO,nn;q=0.9,en;q=0.8", "nn"),
        (None, "en-GB,en;q=0.5,nb;q=0.9", "en"),
        (None, "fr, en;q=0.2, no;q=0.7", "nb"),
        (None, "de;q=1.0, ;;q=q, *", "nb"),
        (None, "nn;q=0, fr", "nb"),
        (None, "nn;q=0.0, en;q=0.001", "en"),
        (None, "nn;q=0, en;q=1.5", "en"),
        (None, "fr," * 5000 + "en", "nb"),
        ("../../etc/passwd", None, "nb"),
    ],
)
def test_the_language_is_the_chosen_one_or_the_browsers(wanted: str | None, accepted: str | None, chosen: str) -> None:
    assert choose_language(wanted, accepted) == chosen


def test_numbers_are_written_as_the_language_does() -> None:
    assert [number_text(1234567, language) for language in LANGUAGES] == [
        "1\u202f234\u202f567",
        "1\u202f234\u202f567",
        "1,234,567",
    ]
