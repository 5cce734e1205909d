"""What became of an id of a record kind: the item it is now, every event with its cause in words."""

from typing import Any

import polars as pl

from flows.matching.decisions import known_reports
from flows.queries.kind_release import KindRelease
from infra.ledger import records as ledger_records
from infra.ledger import submissions as ledger


def now_in_words(read: KindRelease, id_: str, item: str | None) -> str:
    """Return where an id is in a release: as an item's or a report's, or why nothing answers to it."""
    release = f"release {read.number}"
    if item is None:
        return _gone(read, id_)
    if item == id_:
        return f"{id_} is an item of {release}"
    stands = read.live("sources").filter(pl.col("report_id") == id_).select("item_id").head(1).collect()
    founded = read.live("history").filter(pl.col("item_id") == id_).head(1).collect()
    if founded.height:
        return f"item {id_} is no more: in {release} its reports are of item {item}"
    return f"report {id_} is of item {stands['item_id'].item()} in {release}"


def _gone(read: KindRelease, id_: str) -> str:
    release = f"release {read.number}"
    known = known_reports(read.installation, {id_})
    if known.is_empty():
        return f"item {id_} is retired: none of its reports stands in {release}"
    if not known["standing"].item():
        return f"report {id_} is withdrawn: it is in no item of {release}"
    if read.current:
        return f"report {id_} is delivered and not released yet: `engang nightly` publishes it"
    return f"report {id_} is not in {release}: it came later, or did not stand then"


def history_of(read: KindRelease, ids: set[str]) -> list[dict[str, Any]]:
    """Return what became of these ids up to the release, oldest first: rows of `<kind>_history` and `because`."""
    named = pl.col("item_id").is_in(sorted(ids)) | pl.col("other_id").is_in(sorted(ids))
    rows = read.live("history").filter(named).drop("partition").collect()
    causes = _causes(read, rows)
    ordered = rows.sort("release", "event", "item_id", "other_id").iter_rows(named=True)
    return [{**row, "because": _because(row, causes)} for row in ordered]


def event_in_words(event: dict[str, Any]) -> str:
    """Return an event of `history_of` as a sentence."""
    count = f"{event['reports']} report{'' if event['reports'] == 1 else 's'}"
    item, other = event["item_id"], event["other_id"]
    told = {
        "merged": f"item {item} was merged into {other} ({count})",
        "split": f"{count} of item {item} became item {other}",
        "moved": f"{count} of item {item} went to item {other}",
        "retired": f"item {item} was retired ({count} left)",
        "renewed": f"item {item} is back ({count})",
    }[event["event"]]
    return f"release {event['release']}: {told}" + (f", by {event['because']}" if event["because"] else "")


def _causes(read: KindRelease, rows: pl.DataFrame) -> dict[tuple[str, str], str]:
    """Return what each cause (cause, id) is in words."""
    each = rows.drop_nulls("cause_id").select("cause", pl.col("cause_id").str.split(",")).explode("cause_id").unique()
    ids = {cause: group["cause_id"].to_list() for (cause,), group in each.group_by("cause")}
    found = {("model", digest): f"model {digest}" for digest in ids.get("model", [])}
    files = ledger.submissions(
        read.installation.engine, ids=ids.get("submission", []), columns=["submission_id", "filename"]
    )
    found |= {("submission", s): f"submission {s} ({name})" for s, name in files.iter_rows()}
    if ids.get("decision"):
        made = ledger_records.decisions(read.installation.engine, read.kind.kind)
        for row in made.filter(pl.col("id").cast(pl.String).is_in(ids["decision"])).iter_rows(named=True):
            found["decision", str(row["id"])] = decision_in_words(row)
    return found


def decision_in_words(row: dict[str, Any]) -> str:
    """Return who decided what and why."""
    taken = f", withdrawn by {row['withdrawn_by']}: {row['withdrawn_why']}" if row.get("withdrawn_at") else ""
    return f"decision {row['id']} by {row['who']} ({row['verdict']}: {row['why']}{taken})"


def _because(row: dict[str, Any], causes: dict[tuple[str, str], str]) -> str:
    told = (row["cause_id"] or "").split(",")
    return ", ".join(causes.get((row["cause"], one), f"{row['cause']} {one}") for one in told if one)
