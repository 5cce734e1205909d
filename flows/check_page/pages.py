"""The pages as HTML: every text that somebody else wrote is escaped by the template engine."""

import base64
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flows.check_page.check import Checked
from flows.check_page.fields import fields_of
from flows.check_page.known import LookedUp
from flows.check_page.phrases import sentence, translated
from flows.check_page.summary import in_order, outcome_of, receipt_csv
from flows.check_page.texts import LANGUAGES, Language, number_text, reason_text, texts_of
from flows.intake.receipt import group_rejects
from schemas.check_page import CheckPageSettings
from schemas.contract import Contract

TEMPLATE_FOLDER: Final = Path(__file__).parent / "templates"
LINES_SHOWN: Final = 1000
"""Rejects that one page lists; the CSV file has all."""
GROUPS_SHOWN: Final = 50
"""Faults of a file that are listed before its rows."""
MEGABYTE: Final = 2**20
COUNTS: Final = ("delivered", "claims", "rejected", "ignored", "warnings")


@dataclass(frozen=True)
class PageRequest:
    """What every page needs: the language, and the path of the same page, to change the language by."""

    language: Language
    path: str = "/"
    can_repeat: bool = True
    """Whether asking for the path again shows the same page; a receipt is shown once."""


class Pages:
    """Renders the pages."""

    def __init__(self, limits: CheckPageSettings) -> None:
        """Take the limits that pages state."""
        self._limits = limits
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATE_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {"texts_of": texts_of, "translated": translated, "sentence": sentence}

    def start(self, page: PageRequest, contracts: Iterable[Contract]) -> str:
        """Return the page that lists the reporting obligations, by agency."""
        ordered = sorted(contracts, key=lambda c: (c.agency.casefold(), title_of(c, page.language).casefold()))
        times = Counter(title_of(c, page.language) for c in ordered)
        agencies = [
            (agency, [(c.contract, title_of(c, page.language)) for c in several])
            for agency, several in groupby(ordered, key=lambda contract: contract.agency)
        ]
        return self._render("start.html", page, agencies=agencies, times=times)

    def form(
        self, page: PageRequest, contract: Contract, stated: Mapping[str, str], problems: Mapping[str, str]
    ) -> str:
        """Return the form of one contract, with what was stated before and what is wrong with it."""
        return self._render(
            "form.html",
            page,
            contract=contract,
            title=title_of(contract, page.language),
            fields=fields_of(contract),
            stated=stated,
            problems=problems,
            megabytes=self._limits.bytes // MEGABYTE,
            most_bytes=self._limits.bytes,
            offers_known=self._limits.known and bool(contract.claims),
        )

    def receipt(self, page: PageRequest, contract: Contract, results: Sequence[Checked]) -> str:
        """Return the receipts of an upload."""
        lines_left, files = LINES_SHOWN, []
        for checked in results:
            lines, groups = in_order(checked.rejects), group_rejects(checked.rejects)
            files.append(
                {
                    "receipt": checked.receipt,
                    "outcome": outcome_of(checked),
                    "groups": groups[:GROUPS_SHOWN],
                    "groups_cut": len(groups) > GROUPS_SHOWN,
                    "lines": lines[:lines_left],
                    "cut": len(lines) > lines_left,
                }
            )
            lines_left = max(0, lines_left - len(lines))
        csv = base64.b64encode(receipt_csv(results, page.language).encode()).decode("ascii")
        title = title_of(contract, page.language)
        return self._render("receipt.html", page, contract=contract, title=title, files=files, csv=csv, counts=COUNTS)

    def known(self, page: PageRequest, contract: Contract, asked: Mapping[str, str], found: LookedUp | None) -> str:
        """Return the page of what is known of a unit and period; only its form where nothing was asked yet."""
        title, lines = title_of(contract, page.language), found.rows[:LINES_SHOWN] if found else []
        return self._render("known.html", page, contract=contract, title=title, asked=asked, found=found, lines=lines)

    def error(self, page: PageRequest, key: str, detail: str | None) -> str:
        """Return the page of an error: a key of the texts, and what the product says about it."""
        title, text = self.error_text(page.language, key)
        return self._render("error.html", page, title=title, text=text, detail=detail)

    def error_text(self, language: Language, key: str) -> tuple[str, str]:
        """Return the title and the text of an error."""
        places = {"size": self._limits.bytes // MEGABYTE, "seconds": self._limits.seconds}
        error = texts_of(language)["errors"][key]
        return error["title"], error["text"].format(**places)

    def _render(self, template: str, page: PageRequest, **values: Any) -> str:
        language = page.language
        common = {
            "page": page,
            "language": language,
            "languages": LANGUAGES,
            "t": texts_of(language),
            "number": lambda value: number_text(value, language),
            "reason": lambda code: reason_text(code, language),
        }
        return self._templates.get_template(template).render(**common, **values)


def title_of(contract: Contract, language: Language) -> str:
    """Return the title of a contract's obligation."""
    return {"nb": contract.title.nb, "nn": contract.title.nn, "en": contract.title.en}[language]
