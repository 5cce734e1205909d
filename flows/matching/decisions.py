"""What a person decides of two reports: that they are the same item, that they are not, that nobody can tell.

A decision binds on reports, not on items, so it outlives every rebuild; it is never changed, only withdrawn. The next
nightly applies it.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from flows.installation import Installation
from infra.lake import kind_tables as lake_records
from infra.ledger import records as ledger_records
from infra.ledger import submissions as ledger
from infra.ledger.records import Decision
from infra.settings import user_name
from schemas.claims import VERDICTS
from schemas.errors import UsageError
from transforms.linkage.decisions import LONGEST, against, tied
from transforms.records.consolidate import standing
from transforms.submissions import counting

KNOWN: Final = {"report_id": pl.String(), "kind": pl.String(), "reported_by": pl.String(), "standing": pl.Boolean()}
"""What is known of a report: its kind, whose it is, whether a delivery of it stands."""


@dataclass(frozen=True)
class Decided:
    """A decision as it is kept; `new` is false if the same person had decided the same, and that stands."""

    id: int
    decision: Decision
    new: bool
    warnings: list[str]


def decide(
    installation: Installation, pair: tuple[str, str], verdict: str, *, why: str, who: str | None = None
) -> Decided:
    """Keep what a person (by default who runs this) decides of two reports or items, given by their ids.

    Raises `UsageError` for an id that no report bears, for reports that cannot be decided on together, and where the
    kind forbids it. A decision that speaks against others is kept, and they are told.
    """
    if verdict not in VERDICTS:
        raise UsageError(f"verdict: found {verdict!r}, expected {', '.join(VERDICTS)}")
    a, b = sorted(_report_of(installation, id_.strip().lower()) for id_ in pair)
    said = {"verdict": verdict, "who": written("who", who or user_name()), "why": written("why", why)}
    made = ledger_records.decisions(installation.engine, active=True)
    whole = tied(made, a, b) if verdict == "same" else {a, b}
    told = known_reports(installation, whole)
    decision = Decision(_one_kind(installation, told, a, b), a, b, **said)
    warnings = _warnings(installation, decision, told, made)
    mine = made.filter(kind=decision.kind, a=a, b=b, verdict=verdict, who=decision.who)["id"].to_list()
    if mine:
        return Decided(mine[0], decision, new=False, warnings=warnings)
    return Decided(ledger_records.decide(installation.engine, decision), decision, new=True, warnings=warnings)


def _report_of(installation: Installation, id_: str) -> str:
    """Return the report that an id stands for: its own, or else, of an item, that which is longest at home there.

    Of those at home in the item, one that stands goes before one that is withdrawn.
    """
    for kind in installation.kinds:
        homes = ledger_records.at_home(installation.engine, kind, [id_])
        if homes.height:
            known = known_reports(installation, {id_, *homes["report_id"]})
            told = homes.join(known, on="report_id").sort(pl.col("standing").not_(), "release", "report_id")
            return id_ if id_ in known["report_id"] else str(told["report_id"][0])
    return id_


def known_reports(installation: Installation, reports: set[str]) -> pl.DataFrame:
    """Return what is known (`KNOWN`) of those of the reports that were ever delivered."""
    found = [_of_kind(installation, kind, sorted(reports)) for kind in installation.kinds]
    return pl.concat([pl.DataFrame(schema=KNOWN), *found])


def _kept(installation: Installation, kind: str) -> pl.LazyFrame:
    return lake_records.scan(installation.settings.lake, installation.kinds[kind], f"{kind}_records")


def _of_kind(installation: Installation, kind: str, reports: list[str]) -> pl.DataFrame:
    rows = _kept(installation, kind).filter(pl.col("report_id").is_in(reports))
    judged = ["report_id", "submission_id", "row", "version", "action", "content"]
    deliveries = rows.select(*judged, "batch", "contract", "sender", "reported_by").collect()
    if deliveries.is_empty():
        return pl.DataFrame(schema=KNOWN)
    engine = installation.engine
    pairs = deliveries.select("contract", "sender").unique().iter_rows()
    files = pl.concat([counting(ledger.submissions(engine, contract=c, sender=s)) for c, s in pairs])
    told = deliveries.join(files.select("submission_id", "batch", "counts"), on=["submission_id", "batch"])
    stands = standing(told.filter("counts")).filter("standing")["report_id"]
    known = told.group_by("report_id").agg(pl.col("reported_by").first())
    return known.with_columns(
        pl.lit(kind).alias("kind"), pl.col("report_id").is_in(stands.implode()).alias("standing")
    ).select(list(KNOWN))


def _one_kind(installation: Installation, told: pl.DataFrame, a: str, b: str) -> str:
    """Return the kind that both reports are of; refuse what cannot be decided."""
    known = {row["report_id"]: row for row in told.iter_rows(named=True)}
    for report in (a, b):
        if report not in known:
            raise UsageError(f"no report {report!r} was ever delivered: {_hint(installation, report)}")
    if a == b:
        raise UsageError(f"{a} was given twice: a decision is about two reports")
    kinds = [known[report]["kind"] for report in (a, b)]
    if kinds[0] != kinds[1]:
        raise UsageError(f"{a} is of kind {kinds[0]}, {b} of kind {kinds[1]}: only reports of one kind can be one item")
    return str(kinds[0])


def _hint(installation: Installation, report: str) -> str:
    """Return how to find the id that was meant: those that begin like it, or where ids stand."""
    begins = pl.col("report_id").str.starts_with(report[:6])
    for kind in installation.kinds if len(report) >= 6 else []:  # noqa: PLR2004  fewer characters say little
        ids = _kept(installation, kind).filter(begins).select("report_id")
        near = ids.unique().sort("report_id").head(3).collect()["report_id"].to_list()
        if near:
            return f"did you mean {' or '.join(near)}?"
    return "`engang query` has the ids, each of 24 hex digits: report_id and item_id of the sources of a kind"


def _warnings(installation: Installation, decision: Decision, told: pl.DataFrame, made: pl.DataFrame) -> list[str]:
    a, b = decision.a, decision.b
    asleep = told.filter(pl.col("report_id").is_in([a, b]), ~pl.col("standing"))["report_id"].sort()
    warnings = [f"report {report} is withdrawn: the decision sleeps until it is delivered again" for report in asleep]
    if decision.verdict == "same" and installation.kinds[decision.kind].one_report_per_item:
        warnings += _one_reporter(decision, told)
    spoken = against(made, a, b, decision.verdict)
    for row in made.filter(pl.col("id").is_in(spoken)).iter_rows(named=True):
        warnings.append(
            f"decision {row['id']} by {row['who']} says that {row['a']} and {row['b']} are {row['verdict']!r}, "
            f"against this one: {_prevails(decision.verdict, row['verdict'])}"
        )
    return warnings


def _prevails(verdict: str, other: str) -> str:
    """Return what holds of two decisions that cannot both."""
    if "unsure" in {verdict, other}:
        return f"{(({verdict, other}) - {'unsure'}).pop()!r} holds, for 'unsure' decides nothing"
    return "'different' holds until it is withdrawn"


def _one_reporter(decision: Decision, told: pl.DataFrame) -> list[str]:
    """Refuse to make two reports of one reporter one item; tell where others are tied so."""
    by = dict(told.select("report_id", "reported_by").iter_rows())
    if by[decision.a] == by[decision.b]:
        raise UsageError(
            f"{decision.a} and {decision.b} are both reported by {by[decision.a]!r}, and kind {decision.kind} has one "
            "report an item: two reports of one reporter are two items, always"
        )
    twice = told.filter(pl.col("standing")).filter(pl.col("reported_by").is_duplicated())
    return [
        f"decisions tie {', '.join(group['report_id'].sort())} together, all reported by {reporter!r}: "
        "that cannot be one item, and the night leaves out what does not hold"
        for (reporter,), group in twice.group_by("reported_by", maintain_order=True)
    ]


def written(name: str, text: str) -> str:
    """Return a name or reason as it is kept; `UsageError` if it is empty, too long or cannot be printed."""
    told = text.strip()
    if not 0 < len(told) <= LONGEST or not told.isprintable():
        raise UsageError(f"--{name}: expected 1 to {LONGEST} characters that can be printed")
    return told


def withdraw_decision(installation: Installation, decision: int, *, why: str, who: str | None = None) -> bool:
    """Withdraw a decision: from the next nightly on, it is as if it had never been made.

    Returns whether it stood until now. Raises `UsageError` if there is none of this id.
    """
    if decision not in ledger_records.decisions(installation.engine)["id"]:
        raise UsageError(f"there is no decision {decision}: `engang decisions list` shows them")
    told = {"who": written("who", who or user_name()), "why": written("why", why)}
    return ledger_records.withdraw_decision(installation.engine, decision, **told)


def list_decisions(installation: Installation, kind: str | None = None, *, withdrawn: bool = False) -> pl.DataFrame:
    """Return the decisions that stand, those withdrawn too if asked, oldest first (`ledger_records.DECISION`)."""
    if kind is not None and kind not in installation.kinds:
        raise UsageError(f"no kind {kind!r}: found {', '.join(installation.kinds) or 'none'}")
    return ledger_records.decisions(installation.engine, kind, active=None if withdrawn else True)
