"""The ways in which the demo's agencies write their files; a seed gives the same bytes for ever."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import xlsxwriter

CARE: Final = ("Kommunenr", "Kommune", "Måned", "Versjon", "Plasser", "Beboere", "Timeverk", "Utgifter")
SUPERVISION: Final = (
    "Kommune", "Måned", "Beboere", "Utgifter (1000 kr)", "Elever 1.-7. trinn", "Elever 8.-10. trinn",
)  # fmt: skip
HOURS: Final = ("kommunenr", "arbeidssted", "sektor", "måned", "timer")
INCIDENTS: Final = (
    "Meldingsnr", "Versjon", "Melder", "Kommunenr", "Kommune", "Sted", "Dato", "Klokken", "Hendelse", "Alvor", "Skadde",
    "Beskrivelse",
)  # fmt: skip
MADE: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""What workbooks say of when they were made."""


def spaced(figure: Decimal | int) -> str:
    """Return a number as Norwegian forms write it: a no-break space between thousands, a decimal comma."""
    return f"{figure:,}".replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")


def care_file(rows: Sequence[Sequence[str]]) -> bytes:
    """Return the care report: CSV with semicolons, in cp1252."""
    return _semicolons([CARE, *rows])


def doctors(rows: Iterable[Sequence[str]]) -> bytes:
    """Return the doctors' reports of incidents: CSV with semicolons, in cp1252."""
    return _semicolons([INCIDENTS, *rows])


def _semicolons(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerows(rows)
    return text.getvalue().encode("cp1252")


def cases(month: str, rows: Iterable[dict[str, Any]]) -> bytes:
    """Return the supervisor's cases of incidents: a JSON document."""
    return json.dumps({"uttrekk": month, "saker": list(rows)}, ensure_ascii=False, indent=1).encode()


def workbook(rows: Sequence[Sequence[str | int | None]]) -> bytes:
    """Return the supervisor's form: a workbook whose third row is the header."""
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    book.set_properties({"created": MADE})
    sheet = book.add_worksheet("Kommuner")
    sheet.write(0, 0, "Kommunetilsynet: månedlig tilsynsskjema")
    for number, row in enumerate([SUPERVISION, *rows], start=2):
        sheet.write_row(number, 0, row)
    book.close()
    return content.getvalue()


def schools(month: str, rows: Sequence[dict[str, Any]], indent: int | None) -> bytes:
    """Return the school register: a JSON document, on one line or indented."""
    document = {"register": "Skoleregisteret", "måned": month, "skoler": rows}
    return json.dumps(document, ensure_ascii=False, indent=indent).encode()


def hours(rows: Sequence[Sequence[str]]) -> bytes:
    """Return the hours by workplace: tabs, decimal point, UTF-8 with a byte order mark."""
    return "".join("\t".join(row) + "\n" for row in (HOURS, *rows)).encode("utf-8-sig")
