"""The history of an id of a record kind: its current item, and every event with its cause as sentences."""

from typing import Any

import polars as pl

from flows.queries.kind_release import KindRelease
from flows.queries.known_ids import known_reports
from infra.ledger import decisions as ledger_decisions
from infra.ledger import submissions as ledger_submissions


def current_item_sentence(snapshot: KindRelease, id_: str, item: str | None) -> str:
    """Return a sentence: which item an id belongs to in a release, or why it belongs to none."""
    release = f"release {snapshot.number}"
    if item is None:
        return _missing_sentence(snapshot, id_)
    if item == id_:
        return f"{id_} is an item of {release}"
    assigned = snapshot.live("sources").filter(pl.col("report_id") == id_).select("item_id").head(1).collect()
    founded = snapshot.live("history").filter(pl.col("item_id") == id_).head(1).collect()
    if founded.height:
        return f"item {id_} no longer exists: in {release} its reports belong to item {item}"
    return f"report {id_} belongs to item {assigned['item_id'].item()} in {release}"


def _missing_sentence(snapshot: KindRelease, id_: str) -> str:
    release = f"release {snapshot.number}"
    known = known_reports(snapshot.installation, {id_})
    if known.is_empty():
        return f"item {id_} is retired: none of its reports counts in {release}"
    if not known["standing"].item():
        return f"report {id_} is withdrawn: it is in no item of {release}"
    if snapshot.current:
        return f"report {id_} is delivered and not released yet: `engang nightly` publishes it"
    return f"report {id_} is not in {release}: it was delivered later, or did not count then"


def read_item_history(snapshot: KindRelease, ids: set[str]) -> list[dict[str, Any]]:
    """Return the events of these ids up to the release, oldest first: rows of `<kind>_history` and `because`."""
    is_wanted = pl.col("item_id").is_in(sorted(ids)) | pl.col("other_id").is_in(sorted(ids))
    rows = snapshot.live("history").filter(is_wanted).drop("partition").collect()
    causes = _causes(snapshot, rows)
    ordered = rows.sort("release", "event", "item_id", "other_id").iter_rows(named=True)
    return [{**row, "because": _because(row, causes)} for row in ordered]


def event_sentence(event: dict[str, Any]) -> str:
    """Return an event of `history_of` as a sentence."""
    count = f"{event['reports']} report{'' if event['reports'] == 1 else 's'}"
    item, other = event["item_id"], event["other_id"]
    change = {
        "merged": f"item {item} was merged into {other} ({count})",
        "split": f"{count} of item {item} became item {other}",
        "moved": f"{count} of item {item} moved to item {other}",
        "retired": f"item {item} was retired ({count} left)",
        "renewed": f"item {item} is back ({count})",
    }[event["event"]]
    return f"release {event['release']}: {change}" + (f", by {event['because']}" if event["because"] else "")


def _causes(snapshot: KindRelease, rows: pl.DataFrame) -> dict[tuple[str, str], str]:
    """Return a description of each cause (cause, id)."""
    causes = rows.drop_nulls("cause_id").select("cause", pl.col("cause_id").str.split(",")).explode("cause_id").unique()
    ids = {cause: group["cause_id"].to_list() for (cause,), group in causes.group_by("cause")}
    descriptions = {("model", digest): f"model {digest}" for digest in ids.get("model", [])}
    files = ledger_submissions.read_submissions(
        snapshot.installation.engine, ids=ids.get("submission", []), columns=["submission_id", "filename"]
    )
    descriptions |= {("submission", s): f"submission {s} ({name})" for s, name in files.iter_rows()}
    if ids.get("decision"):
        decisions = ledger_decisions.read_decisions(snapshot.installation.engine, snapshot.kind.kind)
        for row in decisions.filter(pl.col("id").cast(pl.String).is_in(ids["decision"])).iter_rows(named=True):
            descriptions["decision", str(row["id"])] = decision_sentence(row)
    return descriptions


def decision_sentence(row: dict[str, Any]) -> str:
    """Return a sentence: who decided what and why."""
    withdrawal = f", withdrawn by {row['withdrawn_by']}: {row['withdrawn_why']}" if row.get("withdrawn_at") else ""
    return f"decision {row['id']} by {row['who']} ({row['verdict']}: {row['why']}{withdrawal})"


def _because(row: dict[str, Any], causes: dict[tuple[str, str], str]) -> str:
    ids = (row["cause_id"] or "").split(",")
    return ", ".join(causes.get((row["cause"], id_), f"{row['cause']} {id_}") for id_ in ids if id_)
