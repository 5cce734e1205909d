"""Norway's register of reporting obligations, as its open interface gives it: JSON, one object for each form."""

import json
from fractions import Fraction
from typing import Any, Final

import polars as pl

from schemas.errors import UsageError
from transforms.overlap.imports.declared import declared_frame

_SCHEME: Final = "oppgaveregisteret"
_MINUTES: Final = 60
_ALL_ON_PAPER: Final = 100


def read_oppgaveregisteret(data: bytes) -> pl.DataFrame:
    """Return the obligations of a file. The items are the kinds of content that each form states.

    Raises `UsageError` if the file is not such a list.
    """
    try:
        forms = json.loads(data)
        return declared_frame([_row(form) for form in ([forms] if isinstance(forms, dict) else forms)], _SCHEME)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise UsageError(f"no list of forms as Oppgaveregisteret gives them ({problem[:120]})") from error


def _hours(spent: dict[str, Any]) -> list[Fraction]:
    """Return the hours of one report, electronic and on paper, as far as they are stated and used."""
    on_paper = spent.get("prosentandelPapir") or 0
    minutes = [spent["elektronisk"]] if on_paper < _ALL_ON_PAPER else []
    minutes += [spent["papir"]] if on_paper else []
    return [Fraction(each) / _MINUTES for each in minutes if each is not None]


def _row(form: dict[str, Any]) -> dict[str, Any]:
    laws = [f"{law['tittel']} {law['henvisning'] or ''}".strip() for law in form["lovhjemler"]]
    uses = [use["navn"] for use in form["bruksomraader"]]
    return {
        "register_id": form["guid"],
        "title": form["navn"],
        "agency": form["eier"]["etatsnavn"],
        "legal_basis": "; ".join(laws) or None,
        "purpose": form["formaal"]["fritekst"] or "; ".join(uses) or None,
        "rhythm": _rhythm(form["bruksomraader"]),
        **_burden(form["tidsbruk"]),
        "items": [content["kode"].lower() for content in form["skjemainnhold"]],
    }


def _rhythm(uses: list[dict[str, Any]]) -> str:
    yearly = [use["antallPerioderPrAar"] for use in uses if use.get("antallPerioderPrAar")]
    return f"{yearly[0]} a year" if yearly else "unknown"


def _burden(spent: dict[str, Any]) -> dict[str, Any]:
    known = _hours(spent)
    return {
        "hours_low": min(known, default=None),
        "hours_high": max(known, default=None),
        "hours_basis": "declared" if known else None,
        "hours_source": "Oppgaveregisteret: tidsbruk" if known else None,
        "reports_a_year": spent["antallPrAar"],
    }
