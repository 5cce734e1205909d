"""The demo: a month of invented deliveries, received and published like any other, and a report of the result."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.demo.figures import DemoMonth, demo_month
from flows.demo.incidents import DemoIncidents, demo_incidents, truth_file
from flows.demo.report import IncidentFindings, find_incidents, incident_lines, next_commands
from flows.installation import Installation
from flows.pipeline import Receipt, nightly, receive
from flows.releases import find_release, read_table
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.storage.store import bytes_of
from schemas.claims import REASONS
from schemas.errors import UsageError
from transforms.submissions import mark_counting

MAX_FOUND_CHARACTERS: Final = 30
TRUTH_FILE: Final = "hendelser-truth.csv"
"""Which incident reports are about the same event: input of `engang evaluate`, never delivered."""
EXAMPLE_QUERY: Final = "SELECT unit_name, concept, value, unit_measure FROM observations WHERE agreement = 'consistent'"


@dataclass(frozen=True)
class FigureFindings:
    """What the current release and the ledger contain from the month's submissions of figures.

    files: one row per submission. items, sources, conflicts: the release's rows. rejects: the ledger's. buckets: rows
    by bucket. overlap, burden, coverage: the release's rows of the month, obligations named by their agencies.
    """

    release: int
    files: pl.DataFrame
    items: pl.DataFrame
    sources: pl.DataFrame
    conflicts: pl.DataFrame
    rejects: pl.DataFrame
    buckets: dict[str, int]
    overlap: pl.DataFrame
    burden: pl.DataFrame
    coverage: pl.DataFrame


def run_demo(
    installation: Installation, seed: int = 1, echo: Callable[[str], None] = print, program: str = "engang"
) -> None:
    """Write the seed's month to `<home>/demo`, deliver it, publish a release and print a report.

    `program` is how to call the command. A second run changes nothing and prints so. Raises `UsageError` in a home with
    deliveries other than the demo's: invented figures must not mix with real ones.
    """
    _refuse_real_deliveries(installation)
    month, incidents = demo_month(seed), demo_incidents(seed)
    folder = _write_files(installation.settings.home / "demo" / f"{month.start:%Y-%m}", month, incidents)
    echo(f"One month of invented reports about real municipalities: {month.start:%B %Y}, files in {folder}")
    echo("Receiving and publishing (the checks take some seconds to start) ...")
    receipts = [receipt for batch in receive(installation, month.deliveries) for receipt in batch]
    incident_receipts = [receipt for batch in receive(installation, incidents.deliveries) for receipt in batch]
    night = nightly(installation)
    if not night.published:
        echo(f"Nothing changed: everything was delivered before, and release {night.release} stays current.")
    figures = find_figures(installation, {receipt.submission_id for receipt in receipts})
    events = find_incidents(installation, {receipt.submission_id for receipt in incident_receipts})
    for line in figure_lines(month, receipts, figures):
        echo(line)
    for line in _remaining_lines(installation, incidents, figures, events, program):
        echo(line)


def _refuse_real_deliveries(installation: Installation) -> None:
    contracts = ledger_submissions.read_contracts(installation.engine)["contract"]
    others = {name for name in contracts if not name.startswith("demo-")}
    if others:
        raise UsageError(
            f"{installation.settings.home} contains deliveries for {', '.join(sorted(others))}, and the demo's figures "
            "are invented: run it in a home of its own, `ENGANG_HOME=./engang-demo engang demo`"
        )


def _write_files(folder: Path, month: DemoMonth, incidents: DemoIncidents) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for delivery in (*month.deliveries, *incidents.deliveries):
        (folder / delivery.filename).write_bytes(bytes_of(delivery.data))
    (folder / TRUTH_FILE).write_bytes(truth_file(incidents))
    return folder


def find_figures(installation: Installation, ids: set[str]) -> FigureFindings:
    """Return what the current release and the ledger contain from these submissions."""
    release, engine = find_release(installation), installation.engine
    own = pl.col("submission_id").is_in(ids)
    agencies = {name: contract.agency for name, contract in installation.contracts.items()}
    agency = pl.col("contract").replace_strict(agencies, return_dtype=pl.String).alias("agency")
    files = mark_counting(ledger_submissions.read_submissions(engine)).filter(own).with_columns(agency)
    sources = read_table(installation, "sources", release).filter(own).collect().with_columns(agency)
    items = read_table(installation, "observations", release).collect().join(sources, on="item_id", how="semi")
    conflicts = read_table(installation, "conflicts", release).filter(own).collect().with_columns(agency)
    counts = ledger_releases.read_row_counts(engine, release["release"]).filter(own)
    buckets = dict(counts.group_by("bucket").agg(pl.col("rows").sum()).iter_rows())
    rejects = ledger_submissions.read_rejects(engine).filter(own)
    months = pl.col("period_start").is_in(items["period_start"].unique().implode())
    measures = [
        read_table(installation, name, release).filter(months).collect() for name in ("overlap", "burden", "coverage")
    ]
    duties = read_table(installation, "obligations", release).select("obligation", "agency").unique().collect()
    names = dict(duties.iter_rows())
    measures[0] = measures[0].with_columns(pl.col("obligation_a", "obligation_b").replace_strict(names))
    return FigureFindings(release["release"], files, items, sources, conflicts, rejects, buckets, *measures)


def figure_lines(month: DemoMonth, receipts: list[Receipt], findings: FigureFindings) -> Iterator[str]:
    """Yield the lines on figures: what was delivered, what was reported twice, one contradiction."""
    yield "\nDelivered"
    yield from _delivery_lines(receipts, findings)
    yield "\nReported twice"
    yield from _overlap_lines(findings)
    item_id = _example(findings)
    if item_id in findings.conflicts["item_id"]:
        yield "\nOne contradiction"
        yield from _conflict_lines(month, findings, item_id)


def _remaining_lines(
    installation: Installation,
    incidents: DemoIncidents,
    figures: FigureFindings,
    events: IncidentFindings,
    program: str,
) -> Iterator[str]:
    """Yield the lines on incidents, what was published and what to try next."""
    yield "\nThe same incident, two reports"
    yield from incident_lines(incidents, events)
    yield "\nPublished"
    yield f"  Release {figures.release}: every figure and every incident once, with all reports behind it."
    yield f"  As plain files: {installation.settings.exports / str(figures.release)}"
    yield "\nTry next"
    worst = figures.files.sort("rejected", "submission_id", descending=True)["submission_id"][0]
    commands = [f'query "{EXAMPLE_QUERY}"', f"explain {_example(figures)}", f"rejects {worst}"]
    for command in (*commands, *next_commands(incidents, events)):
        yield f"  {_home_setting(installation.settings.home)}{program} {command}"


def _example(findings: FigureFindings) -> str:
    """Return the item to show: a withheld one, else one whose conflict is settled, else any."""
    conflicts = findings.conflicts.sort(pl.col("outcome") != "withheld", "concept", "item_id")["item_id"]
    return str([*conflicts, *findings.items["item_id"]][0])


def _home_setting(home: Path) -> str:
    return "" if home == Path(".engang").absolute() else f"ENGANG_HOME={shlex.quote(str(home))} "


def _delivery_lines(receipts: list[Receipt], findings: FigureFindings) -> Iterator[str]:
    count, units = findings.buckets.get, findings.items["unit_id"].n_unique()
    agencies, rows = findings.files["agency"].n_unique(), findings.files["delivered"].sum()
    yield f"  {len(receipts)} files from {agencies} agencies: {rows} rows about {units} municipalities."
    again, rewrapped = len(receipts) - findings.files.height, findings.files["rewraps"].count()
    yield f"  {again} file came twice, and {rewrapped} came again in another row order: neither counts again."
    replaced, totals = count("superseded", 0), count("ignored", 0)
    yield f"  {replaced} rows were replaced by a correction; {totals} row is a total and is ignored."
    warned = findings.rejects.filter(pl.col("severity") == "warning").height
    yield f"  {count('rejected', 0)} rows were rejected, and {warned} was accepted with a warning:"
    for row in findings.rejects.join(findings.files, on="submission_id").sort("filename", "row").to_dicts():
        yield f"    {row['filename']} row {row['row']}, {_problem(row)}"


def _problem(reject: dict[str, Any]) -> str:
    if reject["reason"] == "rule":
        return f"warning: found {reject['found']}, expected {reject['expected']}"
    if reject["reason"] == "duplicate-key":
        return REASONS["duplicate-key"].partition(" where")[0]
    found = f"found {reject['found'][:MAX_FOUND_CHARACTERS]!r}" if reject["found"] else "found nothing"
    return f"{reject['column']}: {found}, expected {reject['expected'].partition(' with at most')[0]}"


def _overlap_lines(findings: FigureFindings) -> Iterator[str]:
    figures, hours, elsewhere = findings.burden.select("figures", "hours_high", "hours_elsewhere_high").sum().row(0)
    repeated = findings.coverage.filter(pl.col("obligations").list.len() > 1)["items"].sum()
    items = findings.coverage["items"].sum()
    yield f"  {figures} reported figures count. They describe {items} different figures (items)."
    yield f"  {repeated} of them were required by two agencies. One report each would be enough:"
    agencies = pl.concat_list("obligation_a", "obligation_b").list.sort().list.join(" and ").alias("agencies")
    pairs = findings.overlap.group_by(agencies).agg(pl.col("items").sum())
    for pair, count in pairs.sort("items", "agencies", descending=[True, False]).iter_rows():
        yield f"    {count:3} by {pair}"
    same, rounded, conflicts = findings.overlap.select("agreeing", "consistent", "conflicting").sum().row(0)
    yield f"  {same} pairs of reports are equal; {rounded} agree after rounding (kroner, 1000 kroner): the exact value"
    yield f"  is published; {conflicts} contradict each other."
    yield f"  The municipalities spend {hours:.0f} hours on these reports, about {elsewhere:.0f} hours this month on"
    yield "  figures that two agencies require. (Each contract states the hours of its form. They are divided equally"
    yield "  among the form's figures: tables `overlap` and `burden`.)"


def _conflict_lines(month: DemoMonth, findings: FigureFindings, item_id: str) -> Iterator[str]:
    places = findings.sources.select("claim_id", "row", "column")
    files = findings.files.select("submission_id", "filename")
    rows = findings.conflicts.filter(pl.col("item_id") == item_id).sort("agency")
    rows = rows.join(places, on="claim_id", maintain_order="left")
    claims = rows.join(files, on="submission_id", maintain_order="left").to_dicts()
    yield f"  {claims[0]['concept'].replace('_', ' ').capitalize()} of {claims[0]['unit_name']}, {month.start:%B %Y}:"
    for claim in claims:
        figure = f"{claim['value']:,.9f}".rstrip("0").rstrip(".").replace(",", " ")
        yield f"    {figure} reported to {claim['agency']} ({claim['filename']} row {claim['row']}, {claim['column']})"
    if claims[0]["outcome"] == "withheld":
        yield "  No contract takes precedence, so the figure is withheld and both values are listed."
    settled = findings.conflicts.filter(pl.col("outcome") == "published").height
    yield f"  Contradictions settled because one contract takes precedence: {settled}."
