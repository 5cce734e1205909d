"""The demo: a month of invented deliveries, received and published like any other, and told in plain words."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.demo.figures import Month, demo_month
from flows.demo.incidents import Incidents, demo_incidents, truth_file
from flows.demo.report import FoundIncidents, find_incidents, next_commands, tell_incidents
from flows.installation import Installation
from flows.pipeline import Receipt, nightly, receive
from flows.releases import released, table
from infra.ledger import submissions as ledger
from infra.storage.store import bytes_of
from schemas.claims import REASONS
from schemas.errors import UsageError
from transforms.submissions import counting

FOUND_CHARACTERS: Final = 30
TRUTH: Final = "hendelser-truth.csv"
"""What is true of the incidents: for `engang evaluate`, delivered to nobody."""
QUERY: Final = "SELECT unit_name, concept, value, unit_measure FROM observations WHERE agreement = 'consistent'"


@dataclass(frozen=True)
class Found:
    """What the current release and the ledger say of the month's submissions.

    files: one row a submission. items, sources, conflicts: the release's rows about them. rejects: the ledger's.
    buckets: rows by bucket. hours: the month's burden of asking for the same figure twice.
    """

    release: int
    files: pl.DataFrame
    items: pl.DataFrame
    sources: pl.DataFrame
    conflicts: pl.DataFrame
    rejects: pl.DataFrame
    buckets: dict[str, int]
    hours: float


def run_demo(
    installation: Installation, seed: int = 1, echo: Callable[[str], None] = print, program: str = "engang"
) -> None:
    """Write the seed's month to `<home>/demo`, deliver it, publish a release and tell what was found.

    `program` is how to call the command. Done again it changes nothing, and says so. Raises `UsageError` in a home that
    holds deliveries which are not the demo's: invented figures never stand among real ones.
    """
    _alone(installation)
    month, incidents = demo_month(seed), demo_incidents(seed)
    folder = _write(installation.settings.home / "demo" / f"{month.start:%Y-%m}", month, incidents)
    echo(f"A month of invented figures about real municipalities: {month.start:%B %Y}, files in {folder}")
    echo("Delivering and publishing (the checks take some seconds to start) ...")
    receipts = [receipt for batch in receive(installation, month.deliveries) for receipt in batch]
    others = [receipt for batch in receive(installation, incidents.deliveries) for receipt in batch]
    done = nightly(installation)
    if not done.published:
        echo(f"Nothing changed: all of it was delivered before, and release {done.release} stands.")
    found = find(installation, {receipt.submission_id for receipt in receipts})
    events = find_incidents(installation, {receipt.submission_id for receipt in others})
    for line in tell(month, receipts, found):
        echo(line)
    for line in _tell_more(installation, incidents, found, events, program):
        echo(line)


def _alone(installation: Installation) -> None:
    others = {name for name in ledger.contracts(installation.engine)["contract"] if not name.startswith("demo-")}
    if others:
        raise UsageError(
            f"{installation.settings.home} holds deliveries for {', '.join(sorted(others))}, and the demo's figures "
            "are invented: give it a home of its own, `ENGANG_HOME=./engang-demo engang demo`"
        )


def _write(folder: Path, month: Month, incidents: Incidents) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for delivery in (*month.deliveries, *incidents.deliveries):
        (folder / delivery.filename).write_bytes(bytes_of(delivery.data))
    (folder / TRUTH).write_bytes(truth_file(incidents))
    return folder


def find(installation: Installation, ids: set[str]) -> Found:
    """Return what the current release and the ledger say of these submissions."""
    release, engine = released(installation), installation.engine
    mine = pl.col("submission_id").is_in(ids)
    agencies = {name: contract.agency for name, contract in installation.contracts.items()}
    agency = pl.col("contract").replace_strict(agencies, return_dtype=pl.String).alias("agency")
    files = counting(ledger.submissions(engine)).filter(mine).with_columns(agency)
    sources = table(installation, "sources", release).filter(mine).collect().with_columns(agency)
    items = table(installation, "observations", release).collect().join(sources, on="item_id", how="semi")
    conflicts = table(installation, "conflicts", release).filter(mine).collect().with_columns(agency)
    buckets = ledger.row_counts(engine, release["release"]).filter(mine).group_by("bucket").agg(pl.col("rows").sum())
    return Found(
        release["release"],
        files,
        items,
        sources,
        conflicts,
        ledger.rejects(engine).filter(mine),
        dict(buckets.iter_rows()),
        _hours(installation, sources, items),
    )


def _hours(installation: Installation, sources: pl.DataFrame, items: pl.DataFrame) -> float:
    """Return the hours spent on figures that another form gives too, the dearest form of each left out.

    A form is one contract about one unit; the hours it costs are shared evenly among its figures.
    """
    costs = {name: float(c.hours_per_report or 0) for name, c in installation.contracts.items()}
    told = sources.join(items.select("item_id", "unit_id"), on="item_id")
    hours = pl.col("contract").replace_strict(costs, return_dtype=pl.Float64) / pl.len().over("contract", "unit_id")
    forms = told.with_columns(hours.alias("hours")).group_by("item_id", "contract").agg(pl.col("hours").sum())
    spared = forms.group_by("item_id").agg(pl.col("hours").sum() - pl.col("hours").max())
    return float(spared["hours"].sum())


def tell(month: Month, receipts: list[Receipt], found: Found) -> Iterator[str]:
    """Yield the lines that tell a newcomer what figures came, and what was found of them."""
    yield "\nWhat came"
    yield from _came(receipts, found)
    yield "\nWhat was found"
    yield from _same(found)
    item_id = _story(found)
    if item_id in found.conflicts["item_id"]:
        yield "\nOne contradiction"
        yield from _contradiction(month, found, item_id)


def _tell_more(
    installation: Installation, incidents: Incidents, found: Found, events: FoundIncidents, program: str
) -> Iterator[str]:
    """Yield the lines on the incidents, what was published and what to try next."""
    yield "\nThe same event, two reports"
    yield from tell_incidents(incidents, events)
    yield "\nWhat was published"
    yield f"  Release {found.release}: every figure and every incident stands once, with all the reports behind it."
    yield f"  As plain files: {installation.settings.exports / str(found.release)}"
    yield "\nTry next"
    worst = found.files.sort("rejected", "submission_id", descending=True)["submission_id"][0]
    mine = [f'query "{QUERY}"', f"explain {_story(found)}", f"rejects {worst}"]
    for command in (*mine, *next_commands(incidents, events)):
        yield f"  {_home(installation.settings.home)}{program} {command}"


def _story(found: Found) -> str:
    """Return the item to tell of: one that is withheld before one that is settled, else any."""
    clashes = found.conflicts.sort(pl.col("outcome") != "withheld", "concept", "item_id")["item_id"]
    return str([*clashes, *found.items["item_id"]][0])


def _home(home: Path) -> str:
    return "" if home == Path(".engang").absolute() else f"ENGANG_HOME={shlex.quote(str(home))} "


def _came(receipts: list[Receipt], found: Found) -> Iterator[str]:
    count, units = found.buckets.get, found.items["unit_id"].n_unique()
    agencies, rows = found.files["agency"].n_unique(), found.files["delivered"].sum()
    yield f"  {len(receipts)} files from {agencies} agencies: {rows} rows about {units} municipalities."
    again, rewrapped = len(receipts) - found.files.height, found.files["rewraps"].count()
    yield f"  {again} file came twice and {rewrapped} a second time in another order: neither counts again."
    yield f"  {count('superseded', 0)} rows were replaced by a correction, {count('ignored', 0)} is a sum and no unit."
    warned = found.rejects.filter(pl.col("severity") == "warning").height
    yield f"  {count('rejected', 0)} rows were rejected and {warned} is kept with a warning:"
    for row in found.rejects.join(found.files, on="submission_id").sort("filename", "row").to_dicts():
        yield f"    {row['filename']} row {row['row']}, {_problem(row)}"


def _problem(reject: dict[str, Any]) -> str:
    if reject["reason"] == "rule":
        return f"warning: found {reject['found']}, expected {reject['expected']}"
    if reject["reason"] == "duplicate-key":
        return REASONS["duplicate-key"].partition(" where")[0]
    found = f"found {reject['found'][:FOUND_CHARACTERS]!r}" if reject["found"] else "found nothing"
    return f"{reject['column']}: {found}, expected {reject['expected'].partition(' with at most')[0]}"


def _same(found: Found) -> Iterator[str]:
    repeated = found.items.filter(pl.col("reports") > 1)
    items, reports = found.items.height, found.items["reports"].sum()
    yield f"  The {reports} reported figures that count are about {items} different figures (items)."
    yield f"  {repeated.height} of them were asked for by two agencies and could be asked for once:"
    asked = found.sources.join(repeated, on="item_id", how="semi")
    asked = asked.group_by("item_id").agg(pl.col("agency").unique().sort().alias("agencies"))
    pairs = (
        asked.group_by(pl.col("agencies").list.join(" and ")).len().sort("len", "agencies", descending=[True, False])
    )
    for pair, count in pairs.iter_rows():
        yield f"    {count:3} by {pair}"
    same, near, clash = (repeated.filter(agreement=name).height for name in ("complete", "consistent", "conflict"))
    yield f"  {same} of these say the same; {near} agree, one in kroner and one in 1000 kroner: the exact one stands;"
    yield f"  {clash} contradict each other."
    yield f"  Asking once would spare the municipalities about {found.hours:.0f} hours this month (what each contract"
    yield "  says its form costs, shared evenly among its figures; of the forms that ask, the dearest is kept)."


def _contradiction(month: Month, found: Found, item_id: str) -> Iterator[str]:
    places = found.sources.select("claim_id", "row", "column")
    files = found.files.select("submission_id", "filename")
    said = found.conflicts.filter(pl.col("item_id") == item_id).sort("agency")
    said = said.join(places, on="claim_id", maintain_order="left")
    claims = said.join(files, on="submission_id", maintain_order="left").to_dicts()
    yield f"  {claims[0]['concept'].replace('_', ' ').capitalize()} of {claims[0]['unit_name']}, {month.start:%B %Y}:"
    for claim in claims:
        figure = f"{claim['value']:,.9f}".rstrip("0").rstrip(".").replace(",", " ")
        yield f"    {figure} says {claim['agency']} ({claim['filename']} row {claim['row']}, {claim['column']})"
    if claims[0]["outcome"] == "withheld":
        yield "  No contract takes precedence, so the figure is withheld and both are shown: nothing is guessed."
    settled = found.conflicts.filter(pl.col("outcome") == "published").height
    yield f"  Contradictions settled because one contract is declared to rank first: {settled}."
