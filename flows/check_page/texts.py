"""The texts of the page in three languages, and the choice of one."""

import functools
import re
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

from schemas.claims import REASONS
from schemas.strict_yaml import read_mapping

Language: TypeAlias = Literal["nb", "nn", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
TEXT_FOLDER: Final = Path(__file__).parent / "texts"
LANGUAGE_OF: Final[dict[str, Language]] = {"nb": "nb", "nn": "nn", "en": "en", "no": "nb", "da": "nb", "sv": "nb"}
"""What readers of a language get."""
MOST_WISHES: Final = 20
"""So many languages of a browser are looked at."""
NARROW_SPACE: Final = "\N{NARROW NO-BREAK SPACE}"


@functools.cache
def texts_of(language: Language) -> dict[str, Any]:
    """Return the texts of a language."""
    file = TEXT_FOLDER / f"{language}.yml"
    return read_mapping(file.read_text(encoding="utf-8"), file.name)


def choose_language(wanted: str | None, accepted: str | None) -> Language:
    """Return the language that was chosen, else the first of a browser's wishes that there is, else Bokmål."""
    for known in LANGUAGES:
        if wanted == known:
            return known
    wishes = [_wish(part) for part in (accepted or "").split(",")[:MOST_WISHES]]
    for weight, name in sorted(wishes, key=lambda wish: -wish[0]):
        if name in LANGUAGE_OF and weight:  # with 0 a browser refuses the language
            return LANGUAGE_OF[name]
    return "nb"


def _wish(part: str) -> tuple[float, str]:
    """Return the weight and the language of `nn-NO;q=0.8`."""
    weight = re.search(r";\s*q=([01](?:\.[0-9]{1,3})?)\s*$", part)
    return float(weight[1]) if weight else 1.0, re.split(r"[-;]", part.strip().lower(), maxsplit=1)[0]


def number_text(value: int, language: Language) -> str:
    """Return a whole number as the language writes it."""
    return f"{value:,}".replace(",", "," if language == "en" else NARROW_SPACE)


def reason_text(reason: str, language: Language) -> tuple[str, str]:
    """Return what a reason code means, and what to do."""
    known = texts_of(language)["reasons"].get(reason)
    if known is None:
        return REASONS.get(reason, reason), ""
    title, advice = known
    return title, advice
