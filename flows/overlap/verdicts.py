"""Verdicts of people on suspected double reporting: recorded in the ledger, shown in `suspected`, never changed."""

import json
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from flows.attribution import attribution
from flows.installation import Installation
from flows.overlap.release_statements import figures_of
from flows.overlap.sharing import obligations_not_shared
from flows.releases import find_release
from infra.lake import access as lake_access
from infra.ledger.overlap_verdicts import add_overlap_verdict, read_overlap_verdicts
from schemas.errors import UsageError
from schemas.overlap import SUSPECTED_VERDICTS
from schemas.suggestions import did_you_mean
from transforms.discovery.exceptions import differing_places
from transforms.discovery.series import series_of
from transforms.discovery.series_figures import SeriesFigures
from transforms.discovery.suspected import suspected_overlap
from transforms.discovery.verdicts import last_verdicts, suspected_row, with_verdicts

EXAMPLES_SHOWN: Final = 5
"""So many places at which two series differ are shown to a person."""


@dataclass(frozen=True)
class SuspectedQueue:
    """What is suspected of a release: every row with its verdict, and the figures behind them.

    closed: obligation -> those whose figures its agency may not be shown.
    """

    suspected: pl.DataFrame
    figures: SeriesFigures
    closed: dict[str, list[str]]

    def questions(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the rows that nobody has decided, most evidence first; those put off (`later`) come last."""
        later = self.suspected.filter(verdict="later")
        rows = pl.concat([self.suspected.filter(pl.col("verdict").is_null()), later])
        return (rows if limit is None else rows.head(limit)).to_dicts()

    def differing(self, row: dict[str, Any], limit: int = EXAMPLES_SHOWN) -> list[dict[str, Any]]:
        """Return places at which the series of a row differ: unit_id, period_start, value_a, value_b.

        None of two obligations of which one's agency may not be shown the other's figures.
        """
        obligations = {row["obligation_a"], row["obligation_b"] or row["obligation_a"]}
        obligations |= {part["obligation"] for part in json.loads(row["parts"] or "[]")}
        if any(obligations & set(self.closed.get(obligation, ())) for obligation in obligations):
            return []
        return differing_places(self.figures, row).head(limit).to_dicts()


@lake_access.scan_errors()
def open_suspected(installation: Installation, number: int | None = None) -> SuspectedQueue:
    """Return what is suspected of a release, the current one by default."""
    figures = series_of(figures_of(installation, find_release(installation, number)))
    found = with_verdicts(suspected_overlap(figures), read_overlap_verdicts(installation.engine))
    obligations = figures.names["obligation"].unique().sort().to_list()
    closed = {name: obligations_not_shared(installation, name) for name in obligations}
    return SuspectedQueue(found, figures, closed)


@dataclass(frozen=True)
class RecordedVerdict:
    """A verdict in the ledger, and the row of `suspected` that it is on."""

    id: int
    row: dict[str, Any]


def give_verdict(
    installation: Installation, row: dict[str, Any], verdict: str, *, why: str, who: str | None = None
) -> RecordedVerdict:
    """Record a verdict on a row of `suspected`; `who` is by default the user who runs this. The last one counts.

    Raises `UsageError` for an unknown verdict, and one that the kind of evidence does not allow.
    """
    if verdict not in SUSPECTED_VERDICTS:
        raise UsageError(f"verdict: found {verdict!r}, expected {', '.join(SUSPECTED_VERDICTS)}")
    allowed = {"same": ("same", "near"), "derivable": ("sum",)}.get(verdict)
    if allowed is not None and row["kind"] not in allowed:
        raise UsageError(f"verdict: found {verdict!r} on evidence of kind {row['kind']!r}, expected {_allowed(row)}")
    stored = {**row, "verdict": verdict}
    return RecordedVerdict(add_overlap_verdict(installation.engine, stored, verdict, **attribution(who, why)), stored)


def _allowed(row: dict[str, Any]) -> str:
    first = {"same": "same, ", "near": "same, ", "sum": "derivable, "}.get(row["kind"], "")
    return f"{first}different or later"


def verdict_on(
    installation: Installation, pair: tuple[str, str], verdict: str, *, why: str, who: str | None = None
) -> RecordedVerdict:
    """Record a verdict on two series given by their ids (`give_verdict`), in either order.

    Two series that are suspected no longer, since what was decided of them is in force, can be decided again.
    """
    suspected = open_suspected(installation).suspected
    row = suspected_row(suspected, *pair) or _decided_row(installation, pair)
    if row is None:
        known = [*suspected["series_a"], *suspected["series_b"]]
        unknown = next((id_ for id_ in pair if id_ not in known), None)
        hint = did_you_mean(unknown, known) if unknown else None
        end = hint or "`engang discover` lists what is"
        raise UsageError(f"{' and '.join(pair)} are not suspected: {end}")
    return give_verdict(installation, row, verdict, why=why, who=who)


def _decided_row(installation: Installation, pair: tuple[str, str]) -> dict[str, Any] | None:
    """Return the row on which the last verdict on two series was given."""
    decided = last_verdicts(read_overlap_verdicts(installation.engine))
    found = suspected_row(decided, *pair)
    return None if found is None else decode_evidence(found)


def decode_evidence(verdict: dict[str, Any]) -> dict[str, Any]:
    """Return the row of `suspected` that a verdict of the ledger was given on."""
    evidence: dict[str, Any] = json.loads(verdict["evidence"])
    return evidence


def list_overlap_verdicts(installation: Installation) -> list[dict[str, Any]]:
    """Return every verdict, oldest first: id, who, at, verdict, why, and the two series that it is on."""
    rows = []
    for row in read_overlap_verdicts(installation.engine).to_dicts():
        evidence = decode_evidence(row)
        rows.append({**{k: v for k, v in row.items() if k != "evidence"}, "on": evidence})
    return rows
