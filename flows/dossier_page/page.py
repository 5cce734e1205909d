"""The dossier page as HTML: every text that somebody else wrote is escaped by the template engine."""

import functools
import json
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flows.check_page.texts import Language, number_text
from flows.dossier_page.chart import PARTS, draw_chart, parts_of_column
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
class PageLinks:
    """The links of a dossier that is part of a site: to the page above, and to itself (code, name, address).

    command: the one that gives the same, with its heading.
    """

    above: str
    above_name: str
    languages_name: str
    languages: tuple[tuple[str, str, str], ...]
    command: tuple[str, str | None]


def render_dossier(
    found: dict[str, Any], vocabulary: Vocabulary, language: Language, links: PageLinks | None = None
) -> str:
    """Return the page of a dossier (`flows.overlap.dossier.describe_dossier`, with what `--without` adds if it was).

    links: those of the site that it is part of; a page of its own has none.
    """
    labels = [column_label(column, vocabulary, language) for column in found["columns"]]
    texts = page_texts(language)
    return (
        _templates()
        .get_template("dossier.html")
        .render(
            t=texts,
            links=links,
            language=language,
            style=STYLE_FILE.read_text(encoding="utf-8"),
            found=found,
            title=found["title"][language],
            outcome=OUTCOMES[found["verdict"]],
            columns=[
                {**c, "label": label, **parts_of_column(c)} for c, label in zip(found["columns"], labels, strict=True)
            ],
            losses=[{**row, "label": column_label(row, vocabulary, language)} for row in found["lost"]],
            exceptions=[
                {**row, "label": column_label(row, vocabulary, language)}
                for row in found["differing_items"][:EXCEPTIONS_SHOWN]
            ],
            chart=draw_chart(found["columns"], labels),
            parts=PARTS,
            measures=SHOWN_COUNTS,
            number=lambda value: _number(value, language),
        )
    )


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
