"""What the demo prints about its incidents: events reported to two agencies, matched by the content of the reports."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from flows.demo.incidents import DemoIncidents
from flows.installation import Installation
from flows.matching.review_queue import review
from flows.releases import find_release, read_table
from schemas.kind import Kind

KIND: Final = "incident"


@dataclass(frozen=True)
class IncidentFindings:
    """What the current release contains about a month's incidents.

    items: rows of the kind. sources: rows of `<kind>_sources`, with `key`, the report's own case number. open: how many
    pairs wait for review, in the whole release. agencies: how many delivered.
    """

    kind: Kind
    items: pl.DataFrame
    sources: pl.DataFrame
    open: int
    agencies: int


def find_incidents(installation: Installation, ids: set[str]) -> IncidentFindings:
    """Return what the current release contains from these submissions."""
    release, kind = find_release(installation), installation.kind(KIND)
    own = pl.col("submission_id").is_in(ids)
    sources = read_table(installation, f"{KIND}_sources", release).filter(own).collect()
    items = read_table(installation, KIND, release).collect().join(sources, on="item_id", how="semi")
    agencies = {installation.contracts[name].agency for name in sources["contract"].unique()}
    keyed = sources.with_columns(pl.col("row_keys").list.first().alias("key"))
    return IncidentFindings(kind, items, keyed, review(installation, kind, 1).open, len(agencies))


def incident_lines(incidents: DemoIncidents, findings: IncidentFindings) -> Iterator[str]:
    """Yield the lines on incidents: how many, how many reported twice, one example, how many are uncertain."""
    twice = findings.items.filter(pl.col("reports") > 1)
    reports = findings.sources["report_id"].n_unique()
    yield f"  {findings.agencies} agencies received {reports} incident reports, each under its own case numbers;"
    yield f"  {len(incidents.corrected)} was corrected later. They describe {findings.items.height} incidents (items)."
    yield f"  {twice.height} incidents were reported to both agencies. No case number shows this: the reports were"
    yield "  matched by time, place, type and description. For example:"
    yield from _example_lines(findings, twice)
    yield f"  {findings.open} uncertain pairs wait for a decision (`engang review {KIND}`)."


def _example_lines(findings: IncidentFindings, twice: pl.DataFrame) -> Iterator[str]:
    item = _example(twice)
    reports = findings.sources.filter(pl.col("item_id") == item["item_id"]).sort("reported_by").to_dicts()
    yield f"  {item['type'].capitalize()} at {item['place']}, {item['occurred_on']:%d.%m.%Y}, item {item['item_id']}:"
    for report in reports:
        yield f"    {report['reported_by']} ({report['key']}): {report['story']}"
    names = [name for name, spec in findings.kind.fields.items() if spec.role != "text" and _differs(reports, name)]
    for name in names:
        values = " and ".join(f"{_value(report[name])} ({report['key']})" for report in reports)
        agreement = "conflict" if name in item["conflicting"] else "within tolerance"
        yield f"    {name}: {values}: {agreement}"


def _example(twice: pl.DataFrame) -> dict[str, Any]:
    """Return the item to show: the one with conflicts in most fields."""
    order = twice.sort(pl.col("conflicting").list.len(), pl.col("item_id"), descending=[True, False])
    return order.row(0, named=True)


def _differs(reports: list[dict[str, Any]], name: str) -> bool:
    return len({report[name] for report in reports}) > 1


def _value(value: object) -> str:
    return str(value) if value is not None else "nothing"


def next_commands(incidents: DemoIncidents, findings: IncidentFindings) -> Iterator[str]:
    """Yield commands to try next: explain the example, list uncertain pairs, ask why two reports are not one item."""
    twice = findings.items.filter(pl.col("reports") > 1)
    yield f"explain {_example(twice)['item_id']}"
    yield f"review {KIND} --list"
    item = dict(findings.sources.select("key", "item_id").iter_rows())
    separate = [pair for pair in sorted(incidents.uncertain) if item[pair[0]] != item[pair[1]]]
    if separate:
        yield f"why-not {item[separate[0][0]]} {item[separate[0][1]]}"
