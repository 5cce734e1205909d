"""What rejects expect and advise is shown in Norwegian where the phrase is known."""

import re
import time

import pytest

from flows.check_page.phrases import PHRASE_FILE, sentence, translated
from flows.check_page.texts import TEXT_FOLDER, Language
from schemas.strict_yaml import read_mapping

PHRASES = read_mapping((TEXT_FOLDER / PHRASE_FILE).read_text(), PHRASE_FILE)["phrases"]


def places(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w)\}", text))


def test_every_phrase_has_both_languages_and_the_same_places() -> None:
    for phrase in PHRASES:
        assert places(phrase["en"]) == places(phrase["nb"]) == places(phrase["nn"]), phrase
    english = [phrase["en"] for phrase in PHRASES]
    assert len(english) == len(set(english))


@pytest.mark.parametrize(
    ("text", "nb", "nn"),
    [
        ("a number", "et tall", "eit tal"),
        ("one of 1, 2", "en av 1, 2", "ein av 1, 2"),
        ("a number of at least 0", "et tall på minst 0", "eit tal på minst 0"),
        ("a number of at least 0 and at most 9", "et tall fra 0 til 9", "eit tal frå 0 til 9"),
        ("one of {a}, \\1", "en av {a}, \\1", "ein av {a}, \\1"),
        ("quite another thing", None, None),
    ],
)
def test_known_phrases_are_translated_with_what_stands_in_their_places(
    text: str, nb: str | None, nn: str | None
) -> None:
    assert [translated(text, language) for language in ("nb", "nn", "en")] == [nb, nn, text]


@pytest.mark.parametrize("language", ["nb", "nn"])
def test_no_text_takes_long(language: Language) -> None:
    began = time.process_time()
    for text in ("a number of at least " * 200, "valid " + "a to b; on " * 50, "one of " + "x" * 100_000):
        translated(text, language)
    assert time.process_time() - began < 30, "an expression that backtracks would take for ever"


def test_an_advice_is_a_sentence() -> None:
    assert [sentence(text) for text in ("rett talet", "Was it cut short?")] == ["Rett talet.", "Was it cut short?"]
