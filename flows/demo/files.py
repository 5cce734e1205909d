"""The file formats of the demo's agencies; the same rows always give the same bytes."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import xlsxwriter

CARE_HEADER: Final = ("Kommunenr", "Kommune", "Måned", "Versjon", "Plasser", "Beboere", "Timeverk", "Utgifter")
SUPERVISION_HEADER: Final = (
    "Kommune", "Måned", "Beboere", "Utgifter (1000 kr)", "Elever 1.-7. trinn", "Elever 8.-10. trinn",
)  # fmt: skip
HOURS_HEADER: Final = ("kommunenr", "arbeidssted", "sektor", "måned", "timer")
INCIDENT_HEADER: Final = (
    "Meldingsnr", "Versjon", "Melder", "Kommunenr", "Kommune", "Sted", "Dato", "Klokken", "Hendelse", "Alvor", "Skadde",
    "Beskrivelse",
)  # fmt: skip
WORKBOOK_CREATED: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""The creation time in every workbook, so that its bytes do not depend on the clock."""


def norwegian_number(figure: Decimal | int) -> str:
    """Return a number as in Norwegian forms: a no-break space between thousands, a decimal comma."""
    return f"{figure:,}".replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")


def care_file(rows: Sequence[Sequence[str]]) -> bytes:
    """Return the care report: CSV with semicolons, in cp1252."""
    return _semicolons([CARE_HEADER, *rows])


def doctors_file(rows: Iterable[Sequence[str]]) -> bytes:
    """Return the municipal doctors' incident reports: CSV with semicolons, in cp1252."""
    return _semicolons([INCIDENT_HEADER, *rows])


def _semicolons(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerows(rows)
    return text.getvalue().encode("cp1252")


def cases_file(month: str, rows: Iterable[dict[str, Any]]) -> bytes:
    """Return the supervisor's incident cases: a JSON document."""
    return json.dumps({"uttrekk": month, "saker": list(rows)}, ensure_ascii=False, indent=1).encode()


def supervision_workbook(rows: Sequence[Sequence[str | int | None]]) -> bytes:
    """Return the supervisor's form: a workbook with the header in its third row."""
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    book.set_properties({"created": WORKBOOK_CREATED})
    sheet = book.add_worksheet("Kommuner")
    sheet.write(0, 0, "Kommunetilsynet: månedlig tilsynsskjema")
    for number, row in enumerate([SUPERVISION_HEADER, *rows], start=2):
        sheet.write_row(number, 0, row)
    book.close()
    return content.getvalue()


def schools_file(month: str, rows: Sequence[dict[str, Any]], indent: int | None) -> bytes:
    """Return the school register: a JSON document, on one line or indented."""
    document = {"register": "Skoleregisteret", "måned": month, "skoler": rows}
    return json.dumps(document, ensure_ascii=False, indent=indent).encode()


def hours_file(rows: Sequence[Sequence[str]]) -> bytes:
    """Return the hours by workplace: tab-separated, decimal point, UTF-8 with a byte order mark."""
    return "".join("\t".join(row) + "\n" for row in (HOURS_HEADER, *rows)).encode("utf-8-sig")
