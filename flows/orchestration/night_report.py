"""The artifact `night`, which an operator reads in the morning: what came, what did not get in, what is released."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.monitoring.rejected import rejected_sentence
from flows.monitoring.report import Status
from flows.orchestration.tasks import markdown_table
from flows.release.publish import Night
from flows.releases import PAGE_LANGUAGE, site_of
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from schemas.claims import COUNT_COLUMNS

MOST_LINES: Final = 20
"""Files of each kind that are listed; all are counted."""


def deliveries_since_last_release(installation: Installation, done: Night | None) -> pl.DataFrame:
    """Return the counts of what was received since the release before that of the night, by status.

    Columns: status, submissions and `COUNT_COLUMNS`.
    """
    published = ledger_releases.read_releases(installation.engine).select("release", "published_at")
    before = published.filter(pl.col("release") < done.release) if done and done.published else published
    last = max(before["published_at"].to_list(), default=None)
    counts = ledger_submissions.count_submissions(installation.engine, since=last)
    return counts.group_by("status").agg(pl.col("submissions", *COUNT_COLUMNS).sum()).sort("status")


def places_of(installation: Installation, release: int) -> dict[str, str]:
    """Return where a release is to be looked at: its site and its plain files, those that are there."""
    site, files = site_of(installation, release), installation.settings.exports.resolve() / str(release)
    pages = {"What changed": "changes.html", "Conflicts": "conflicts.html", "Deliveries": "operations.html"}
    places = {"Site": (site / "index.html").as_uri()} if site else {}
    if site:
        places |= {name: (site / PAGE_LANGUAGE / path).as_uri() for name, path in pages.items()}
    places |= {"Plain Parquet": files.as_uri()} if files.is_dir() else {}
    return places


def night_report(
    done: Night | None, failure: str | None, deliveries: pl.DataFrame, state: Status, places: Mapping[str, str]
) -> str:
    """Return what a night did, as Markdown. done: None if it failed; deliveries: `deliveries_since_last_release`."""
    parked = [f"`{row['object']}` of {row['sender']}" for row in state.inbox["parked_objects"][:MOST_LINES]]
    sections = {
        "What came": _counted(deliveries),
        "Rejected whole": _listed([rejected_sentence(each) for each in state.rejected], len(state.rejected)),
        "Parked": _listed(parked, state.inbox["parked"]),
        "Released": _released(done),
        "Where": [f"- {name}: <{address}>" for name, address in places.items()] or ["Nowhere yet."],
        "What needs a person": _listed(state.problems, len(state.problems)),
    }
    lines = [f"# {night_title(done)}", *(["", " ".join(failure.split())] if failure else [])]
    for title, body in sections.items():
        lines += ["", f"## {title}", "", *body]
    return "\n".join(lines)


def night_title(done: Night | None) -> str:
    """Return how a night ended. One that failed may have published its release before."""
    if done is None:
        return "The night failed"
    if done.release is None:
        return "Nothing was delivered yet"
    return f"Release {done.release} {'published' if done.published else 'is unchanged: there was nothing new'}"


def _counted(deliveries: pl.DataFrame) -> list[str]:
    if deliveries.is_empty():
        return ["Nothing since the last release."]
    states = {f"files {status}": files for status, files in deliveries.select("status", "submissions").iter_rows()}
    return markdown_table({**states, **{f"rows {name}": int(deliveries[name].sum()) for name in COUNT_COLUMNS}})


def _listed(lines: list[str], every: int) -> list[str]:
    shown = [f"- {' '.join(line.split())}" for line in lines[:MOST_LINES]]
    more = [f"- and {every - len(shown)} more"] if every > len(shown) else []
    return [*shown, *more] or ["None."]


def _released(done: Night | None) -> list[str]:
    if done is None:
        return ["`engang releases` shows which release is current: a night may fail after it has published."]
    if done.release is None:
        return ["Nothing."]
    return [f"Digest `{done.digest}`.", "", *markdown_table(done.counts)]
