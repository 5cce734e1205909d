"""Decisions on pairs of reports: one item (`same`), two items (`different`), or undecidable (`unsure`).

A decision binds reports, not items, so it survives every rebuild. It is never changed, only withdrawn. The next
nightly applies it.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from flows.attribution import attribution
from flows.installation import Installation
from flows.queries.known_ids import known_reports, scan_records
from infra.ledger import decisions as ledger_decisions
from infra.ledger import records as ledger_records
from infra.ledger.decisions import Decision
from schemas.claims import VERDICTS
from schemas.errors import UsageError
from transforms.linkage.decisions import contradicted_decisions, tied_reports

HINT_PREFIX: Final = 6
"""Characters of an unknown id by which similar ones are found: fewer fit too many."""


@dataclass(frozen=True)
class RecordedDecision:
    """A decision in the ledger; `new` is false if the same person's same decision was there and is not withdrawn."""

    id: int
    decision: Decision
    new: bool
    warnings: list[str]


def decide(
    installation: Installation, pair: tuple[str, str], verdict: str, *, why: str, who: str | None = None
) -> RecordedDecision:
    """Record a decision on two reports or items, given by their ids; `who` is by default the user who runs this.

    Raises `UsageError` for an unknown id, for a pair that allows no decision, and where the kind forbids it. A decision
    that contradicts earlier ones is recorded with a warning for each.
    """
    if verdict not in VERDICTS:
        raise UsageError(f"verdict: found {verdict!r}, expected {', '.join(VERDICTS)}")
    a, b = sorted(_report_of(installation, id_.strip().lower()) for id_ in pair)
    author = attribution(who, why)
    earlier = ledger_decisions.read_decisions(installation.engine, active=True)
    reports = known_reports(installation, tied_reports(earlier, a, b) if verdict == "same" else {a, b})
    decision = Decision(_common_kind(installation, reports, a, b), a, b, verdict, **author)
    warnings = _warnings(installation, decision, reports, earlier)
    known = earlier.filter(kind=decision.kind, a=a, b=b, verdict=verdict, who=decision.who)["id"].to_list()
    if known:
        return RecordedDecision(known[0], decision, new=False, warnings=warnings)
    return RecordedDecision(
        ledger_decisions.add_decision(installation.engine, decision), decision, new=True, warnings=warnings
    )


def _report_of(installation: Installation, id_: str) -> str:
    """Return the report that an id stands for: its own, or for an item the report that was assigned to it first.

    Of an item's reports, a standing one goes before a withdrawn one.
    """
    for kind in installation.kinds:
        assigned = ledger_records.read_assignments_to(installation.engine, kind, [id_])
        if assigned.height:
            known = known_reports(installation, {id_, *assigned["report_id"]})
            ordered = assigned.join(known, on="report_id").sort(pl.col("standing").not_(), "release", "report_id")
            return id_ if id_ in known["report_id"] else str(ordered["report_id"][0])
    return id_


def _common_kind(installation: Installation, reports: pl.DataFrame, a: str, b: str) -> str:
    """Return the kind of both reports; `UsageError` for a pair that allows no decision."""
    kinds = dict(reports.select("report_id", "kind").iter_rows())
    for report in (a, b):
        if report not in kinds:
            raise UsageError(f"no report {report!r} was ever delivered: {_hint(installation, report)}")
    if a == b:
        raise UsageError(f"{a} was given twice: a decision is about two reports")
    if kinds[a] != kinds[b]:
        raise UsageError(f"{a} is of kind {kinds[a]}, {b} of kind {kinds[b]}: only reports of one kind can be one item")
    return str(kinds[a])


def _hint(installation: Installation, report: str) -> str:
    """Return ids that begin like the unknown one, or where to find ids."""
    similar = pl.col("report_id").str.starts_with(report[:HINT_PREFIX])
    for kind in installation.kinds.values() if len(report) >= HINT_PREFIX else []:
        ids = scan_records(installation, kind).filter(similar).select("report_id")
        near = ids.unique().sort("report_id").head(3).collect()["report_id"].to_list()
        if near:
            return f"did you mean {' or '.join(near)}?"
    return "`engang query` lists the ids, each of 24 hex digits: report_id and item_id of the sources of a kind"


def _warnings(
    installation: Installation, decision: Decision, reports: pl.DataFrame, earlier: pl.DataFrame
) -> list[str]:
    a, b = decision.a, decision.b
    withdrawn = reports.filter(pl.col("report_id").is_in([a, b]), ~pl.col("standing"))["report_id"].sort()
    warnings = [f"report {report} is withdrawn: the decision is inactive until redelivery" for report in withdrawn]
    if decision.verdict == "same" and installation.kinds[decision.kind].one_report_per_item:
        warnings += _reporter_conflicts(decision, reports)
    contradicted = contradicted_decisions(earlier, a, b, decision.verdict)
    for row in earlier.filter(pl.col("id").is_in(contradicted)).iter_rows(named=True):
        warnings.append(
            f"decision {row['id']} by {row['who']} has {row['verdict']!r} for {row['a']} and {row['b']}, "
            f"which contradicts this one: {_prevailing(decision.verdict, row['verdict'])}"
        )
    return warnings


def _prevailing(verdict: str, other: str) -> str:
    """Return which of two contradicting verdicts prevails."""
    if "unsure" in {verdict, other}:
        return f"{({verdict, other} - {'unsure'}).pop()!r} prevails, because 'unsure' decides nothing"
    return "'different' prevails until it is withdrawn"


def _reporter_conflicts(decision: Decision, reports: pl.DataFrame) -> list[str]:
    """Return warnings for reports of one reporter that decisions tie together; `UsageError` for the pair itself."""
    reporters = dict(reports.select("report_id", "reported_by").iter_rows())
    if reporters[decision.a] == reporters[decision.b]:
        raise UsageError(
            f"{decision.a} and {decision.b} are both reported by {reporters[decision.a]!r}, and kind {decision.kind} "
            "has one report an item: two reports of one reporter are two items"
        )
    repeated = reports.filter("standing").filter(pl.col("reported_by").is_duplicated())
    return [
        f"decisions tie {', '.join(group['report_id'].sort())} together, all reported by {reporter!r}: "
        "they cannot be one item, and the next nightly leaves out the ties that fail"
        for (reporter,), group in repeated.group_by("reported_by", maintain_order=True)
    ]


def withdraw_decision(installation: Installation, decision: int, *, why: str, who: str | None = None) -> bool:
    """Withdraw a decision: from the next nightly on, the release is as if it had never been made.

    Returns false if it was withdrawn before. Raises `UsageError` if there is no such decision.
    """
    if decision not in ledger_decisions.read_decisions(installation.engine)["id"]:
        raise UsageError(f"there is no decision {decision}: `engang decisions list` shows them")
    return ledger_decisions.write_withdrawal(installation.engine, decision, **attribution(who, why))


def list_decisions(installation: Installation, kind: str | None = None, *, withdrawn: bool = False) -> pl.DataFrame:
    """Return the decisions (`ledger_decisions.DECISION_SCHEMA`), oldest first; withdrawn ones only if wanted."""
    if kind is not None and kind not in installation.kinds:
        raise UsageError(f"no kind {kind!r}: found {', '.join(installation.kinds) or 'none'}")
    return ledger_decisions.read_decisions(installation.engine, kind, active=None if withdrawn else True)
