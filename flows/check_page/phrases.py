"""What a reject expects and advises, in Norwegian where the phrase is known: the product states it in English."""

import functools
import re
from typing import Final

from flows.check_page.texts import TEXT_FOLDER, Language
from schemas.strict_yaml import read_mapping

PHRASE_FILE: Final = "phrases.yml"
PLACE: Final = re.compile(r"\\\{([a-d])\\\}")
"""A place of a phrase, escaped: any text stands there."""
REMEMBERED: Final = 4096
LONGEST_PHRASE: Final = 600
"""Characters of a text beyond which none is looked for."""


@functools.lru_cache(REMEMBERED)
def translated(text: str, language: Language) -> str | None:
    """Return a phrase in a language; None if it is not known there."""
    if language == "en":
        return text
    for pattern, phrase in _phrases() if len(text) <= LONGEST_PHRASE else ():
        found = pattern.fullmatch(text)
        if found:
            return phrase[language].format(**found.groupdict())
    return None


@functools.cache
def _phrases() -> list[tuple[re.Pattern[str], dict[str, str]]]:
    """Return the pattern and the translations of each phrase; the first that matches is the phrase."""
    listed = read_mapping((TEXT_FOLDER / PHRASE_FILE).read_text(encoding="utf-8"), PHRASE_FILE)["phrases"]
    return [(re.compile(PLACE.sub(r"(?P<\1>.+)", re.escape(phrase["en"])), re.DOTALL), phrase) for phrase in listed]


def sentence(phrase: str) -> str:
    """Return a phrase as a sentence of its own."""
    return phrase[:1].upper() + phrase[1:] + ("" if phrase.endswith((".", "?", "!")) else ".")
