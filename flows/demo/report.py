"""What the demo tells of its incidents: events that two agencies were told of, found by what the reports say."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from flows.demo.incidents import Incidents
from flows.installation import Installation
from flows.matching.review_queue import review
from flows.releases import released, table
from schemas.kind import Kind

KIND: Final = "incident"


@dataclass(frozen=True)
class FoundIncidents:
    """What the current release says of a month's incidents.

    items: rows of the kind. sources: those of `<kind>_sources`, with `key`, the report's own number. open: how many
    pairs wait for a person, in the release as a whole. agencies: how many delivered.
    """

    kind: Kind
    items: pl.DataFrame
    sources: pl.DataFrame
    open: int
    agencies: int


def find_incidents(installation: Installation, ids: set[str]) -> FoundIncidents:
    """Return what the current release says of these submissions."""
    release, kind = released(installation), installation.kind(KIND)
    mine = pl.col("submission_id").is_in(ids)
    sources = table(installation, f"{KIND}_sources", release).filter(mine).collect()
    items = table(installation, KIND, release).collect().join(sources, on="item_id", how="semi")
    agencies = {installation.contracts[name].agency for name in sources["contract"].unique()}
    keyed = sources.with_columns(pl.col("row_keys").list.first().alias("key"))
    return FoundIncidents(kind, items, keyed, review(installation, kind, 1).open, len(agencies))


def tell_incidents(incidents: Incidents, found: FoundIncidents) -> Iterator[str]:
    """Yield the lines on the incidents: how many, how many told twice, one of them, how many are uncertain."""
    twice = found.items.filter(pl.col("reports") > 1)
    reports = found.sources["report_id"].n_unique()
    yield f"  {found.agencies} agencies got {reports} reports of unwanted incidents, each under a number of its own;"
    yield f"  {len(incidents.corrected)} was corrected since. They are about {found.items.height} incidents (items):"
    yield f"  {twice.height} of them were told to both agencies. No number told so: when, where, what and the"
    yield "  words did. One of them:"
    yield from _example(found, twice)
    yield f"  {found.open} pairs are too uncertain to be joined or forgotten: they wait for a person (`review`)."


def _example(found: FoundIncidents, twice: pl.DataFrame) -> Iterator[str]:
    item = _shown(twice)
    told = found.sources.filter(pl.col("item_id") == item["item_id"]).sort("reported_by").to_dicts()
    yield f"  {item['type'].capitalize()} at {item['place']}, {item['occurred_on']:%d.%m.%Y}, item {item['item_id']}:"
    for report in told:
        yield f"    {report['reported_by']} ({report['key']}): {report['story']}"
    differ = [name for name, spec in found.kind.fields.items() if spec.role != "text" and _several(told, name)]
    for name in differ:
        said = " and ".join(f"{_plain(report[name])} ({report['key']})" for report in told)
        mark = "they contradict each other" if name in item["conflicting"] else "near enough"
        yield f"    {name}: {said}, {mark}"


def _shown(twice: pl.DataFrame) -> dict[str, Any]:
    """Return the item to tell of: the one whose reports contradict each other on most fields."""
    order = twice.sort(pl.col("conflicting").list.len(), pl.col("item_id"), descending=[True, False])
    return order.row(0, named=True)


def _several(told: list[dict[str, Any]], name: str) -> bool:
    return len({report[name] for report in told}) > 1


def _plain(value: object) -> str:
    return str(value) if value is not None else "nothing"


def next_commands(incidents: Incidents, found: FoundIncidents) -> Iterator[str]:
    """Yield the commands that go on from here: the example's story, what is uncertain, why two are not one."""
    twice = found.items.filter(pl.col("reports") > 1)
    yield f"explain {_shown(twice)['item_id']}"
    yield f"review {KIND} --list"
    item = dict(found.sources.select("key", "item_id").iter_rows())
    apart = [pair for pair in sorted(incidents.barely) if item[pair[0]] != item[pair[1]]]
    if apart:
        yield f"why-not {item[apart[0][0]]} {item[apart[0][1]]}"
