"""The dossier page as HTML: every text that somebody else wrote is escaped by the template engine."""

import functools
import json
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flows.check_page.texts import Language, number_text
from flows.dossier_page.chart import PARTS, draw_columns, parts_of_column
from flows.dossier_page.drawings import HATCHED, MOST_DRAWN
from schemas.concepts import Vocabulary
from schemas.contract_parts import Titles
from schemas.strict_yaml import read_mapping

PAGE_FOLDER: Final = Path(__file__).parent
STYLE_FILE: Final = PAGE_FOLDER.parent / "check_page" / "static" / "page.css"
"""The style of all pages; a dossier has it in itself."""
EXCEPTIONS_SHOWN: Final = 100
"""Items whose values differ that the page lists; `--json` has more, and the SQL all."""
OUTCOMES: Final = {
    "droppable_exact": "success",
    "droppable_within_tolerance": "warning",
    "droppable_in_part": "warning",
    "not_enough_history": "warning",
    "not_droppable": "critical",
}
"""Verdict -> how its text is shown."""
SHOWN_COUNTS: Final = (
    "items", "covered", "summed", "compared", "agreeing", "tolerated", "units", "units_agreeing",
    "own_checks", "own_checks_agreeing",
)  # fmt: skip
DIGITS: Final = 6
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""Enough digits for any value that a contract accepts: the default ones refuse a large number."""


@dataclass(frozen=True)
class DossierPart:
    """A dossier as a part of a page: its heading and first sentence, as text, and what follows, as HTML."""

    heading: str
    lead: str
    html: str


def render_dossier(found: dict[str, Any], vocabulary: Vocabulary, language: Language) -> str:
    """Return the page of a dossier, which needs nothing else.

    found: `flows.overlap.dossier.describe_dossier`, with what `--without` adds if it was.
    """
    style = STYLE_FILE.read_text(encoding="utf-8")
    return _templates().get_template("dossier.html").render(_shown(found, vocabulary, language), style=style)


def dossier_part(found: dict[str, Any], vocabulary: Vocabulary, language: Language) -> DossierPart:
    """Return a dossier as a part of a page that has the style of all pages."""
    shown = _shown(found, vocabulary, language)
    return DossierPart(shown["heading"], shown["lead"], _templates().get_template("dossier_body.html").render(shown))


def _shown(found: dict[str, Any], vocabulary: Vocabulary, language: Language) -> dict[str, Any]:
    """Return what the templates show."""
    texts, columns = page_texts(language), found["columns"]
    labels = [column_label(column, vocabulary, language) for column in columns]

    def number(value: Decimal | float) -> str:
        """Return a number as the language writes it."""
        return _number(value, language)

    def labelled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return rows with the name of their column."""
        return [{**row, "label": column_label(row, vocabulary, language)} for row in rows]

    def figure(known: int, items: int) -> str:
        """Return so many of so many, in words."""
        return str(texts["of"].format(k=number(known), n=number(items)))

    return {
        "t": texts,
        "language": language,
        "found": found,
        "title": found["title"][language],
        "heading": texts["heading"].format(title=found["title"][language]),
        "lead": texts["lead"].format(
            agency=found["agency"] or texts["no_agency"], obligation=found["obligation"], release=found["release"]
        ),
        "outcome": OUTCOMES[found["verdict"]],
        "columns": [{**c, "label": label, **parts_of_column(c)} for c, label in zip(columns, labels, strict=True)],
        "losses": labelled(found["lost"]),
        "exceptions": labelled(found["differing_items"][:EXCEPTIONS_SHOWN]),
        "chart": draw_columns(columns, labels, (texts["chart"], texts["chart_text"]), figure),
        "drawn": min(len(columns), MOST_DRAWN),
        "legend": [(part, texts["part"][part]) for part in PARTS],
        "hatched": HATCHED,
        "parts": PARTS,
        "measures": SHOWN_COUNTS,
        "number": number,
    }


def column_label(column: dict[str, Any], vocabulary: Vocabulary, language: Language) -> str:
    """Return the name of a column: the title of its concept, and of the codes of its breakdown."""
    concept = vocabulary.concepts.get(column["concept"])
    name = _title(concept.title if concept else None, column["concept"], language)
    breakdown: dict[str, str] = json.loads(column["breakdown"])
    codes = [_code(dimension, code, vocabulary, language) for dimension, code in breakdown.items()]
    return ": ".join([name, ", ".join(codes)]) if codes else name


def _code(dimension: str, code: str, vocabulary: Vocabulary, language: Language) -> str:
    known = vocabulary.dimensions.get(dimension)
    return _title(known.codes.get(code) if known else None, code, language)


def _title(titles: Titles | None, name: str, language: Language) -> str:
    return name if titles is None else {"nb": titles.nb, "nn": titles.nn, "en": titles.en}[language]


def _number(value: Decimal | float, language: Language) -> str:
    """Return a number as the language writes it, without zeros at its end."""
    exact = _EXACT.quantize(Decimal(str(value)), Decimal((0, (1,), -DIGITS)))
    whole, _, places = f"{exact.copy_abs():f}".partition(".")
    places = places.rstrip("0")
    sign = "\N{MINUS SIGN}" if exact < 0 else ""
    mark = "." if language == "en" else ","
    return sign + number_text(int(whole), language) + (mark + places if places else "")


@functools.cache
def page_texts(language: Language) -> dict[str, Any]:
    """Return the texts of the page in a language."""
    file = PAGE_FOLDER / "texts" / f"{language}.yml"
    return read_mapping(file.read_text(encoding="utf-8"), file.name)


@functools.cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(PAGE_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
