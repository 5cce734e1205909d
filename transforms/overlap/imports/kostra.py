"""Statistics Norway's descriptions of KOSTRA's record formats: YAML, a document for each form, with its fields."""

from collections.abc import Iterator
from typing import Any, Final

import polars as pl
import yaml

from schemas.errors import UsageError
from transforms.overlap.imports.declared import declared_frame

PUBLISHER: Final = "Statistisk sentralbyrå"
MOST_FORMS: Final = 1000
_SCHEME: Final = "kostra"


def read_kostra(data: bytes) -> pl.DataFrame:
    """Return the forms of a file as obligations, one or several documents; the items of a form are its fields' names.

    A name means the same in every form. Raises `UsageError` for another file.
    """
    try:
        return declared_frame([_row(form) for form in _forms(data)], _SCHEME)
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problem = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        raise UsageError(f"no descriptions of KOSTRA's forms ({problem[:120]})") from error


def _forms(data: bytes) -> Iterator[dict[str, Any]]:
    number = 0
    for form in yaml.load_all(data.decode("utf-8-sig"), Loader=yaml.CSafeLoader):
        number += 1
        if number > MOST_FORMS:
            raise ValueError(f"more than {MOST_FORMS} documents")
        yield form
    if not number:
        raise ValueError("no document")


def _row(form: dict[str, Any]) -> dict[str, Any]:
    name = _text(form.get("id") or form["title"])
    return {
        "register_id": name,
        "title": _text(form["title"] or name),
        "agency": PUBLISHER,
        "purpose": form.get("description"),
        "rhythm": "yearly",
        "items": sorted({_text(field["name"]) for field in form["fields"]}),
    }


def _text(value: object) -> str:
    """Return a plain value as text. A list may name itself again and again, and would be written out each time."""
    if isinstance(value, list | dict):
        raise ValueError("a list or mapping where a text is expected")  # noqa: TRY004  as any other wrong value
    return str(value)
