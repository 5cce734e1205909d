"""Commands for publishing and reading: nightly, releases, query, explain, export, verify, serve."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.query_output import OutputFormat, print_result
from flows.cli.terminal import (
    FOUND_PROBLEMS,
    JsonOption,
    ReleaseOption,
    app,
    one_line,
    open_here,
    plain_text,
    print_alarm,
    print_json,
    print_list,
    print_page,
    print_progress,
    print_table,
    print_text,
    print_warning,
)
from flows.export_mode import ExportMode
from schemas.errors import UsageError

if TYPE_CHECKING:
    from flows.installation import Installation
    from flows.queries.observation_story import ObservationStory
    from schemas.kind import Kind


ConfidentialOption = Annotated[
    bool,
    typer.Option(
        "--confidential",
        help="With the values that senders marked as confidential, and with small counts, if you may see them; a query "
        "finds the former in confidential_claims.",
    ),
]


MOST_WORKERS = 512


@app.command("nightly")
def nightly_command(
    *,
    export: Annotated[
        ExportMode, typer.Option(help="Also write plain Parquet; auto: for up to a million items.")
    ] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_WORKERS, help="Read deliveries in so many processes of this machine; needs the extra dask."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Publish everything delivered as one release, or nothing if a check fails (exit code 1).

    After an upgrade with other rules, all items are consolidated again, and the changes are published.
    """
    from flows.pipeline import nightly

    night = nightly(open_here(), print_progress, export=export, workers=workers)
    if json:
        fields = {"release": night.release, "published": night.published, "digest": night.digest}
        print_json({**fields, "counts": night.counts})
        return
    if not night.published:
        print_text(
            f"nothing new: release {night.release} stays current" if night.release else "nothing is delivered yet"
        )
        return
    print_text(f"release {night.release} published, digest {night.digest}")
    print_table([{"what": name.replace("_", " "), "count": n} for name, n in night.counts.items()])
    print_text('query it: engang query "SELECT * FROM observations LIMIT 10"')


@app.command("releases")
def releases_command(*, json: JsonOption = False) -> None:
    """List the releases, oldest first."""
    from flows.releases import list_releases

    print_list(list_releases(open_here()), _release_row, empty="nothing is released yet", json=json)


def _release_row(release: dict[str, Any]) -> dict[str, Any]:
    return {**{k: v for k, v in release.items() if k != "counts"}, "items": release["counts"]["items"]}


@app.command("query")
def query_command(
    sql: Annotated[
        str,
        typer.Argument(
            help="DuckDB SQL over observations, sources, conflicts, changes, submissions, rejects, releases, "
            "record_warnings and each kind's tables. TABLE_at_N is a table as release N had it."
        ),
    ],
    form: Annotated[OutputFormat, typer.Option("--format", "-f", help="How to print the result.")] = OutputFormat.TABLE,
    release: ReleaseOption = None,
    *,
    spreadsheet: Annotated[
        bool,
        typer.Option(
            "--spreadsheet",
            help="CSV for a Norwegian spreadsheet: semicolons, decimal commas, a byte order mark; a text that it would "
            "run as a formula (=, +, -, @) gets an apostrophe before it. Without this, CSV is the exact data, as "
            "delivered: do not open it in a spreadsheet.",
        ),
    ] = False,
    confidential: ConfidentialOption = False,
) -> None:
    """Query a release in SQL.

    Time, memory and rows are limited: ENGANG_QUERY_SECONDS, ENGANG_QUERY_MEMORY, ENGANG_QUERY_ROWS.
    """
    from flows.queries.sql import query

    if spreadsheet and form is OutputFormat.JSON:
        raise UsageError("--spreadsheet is for CSV: found --format json")
    result = query(open_here(), sql, release, confidential=confidential)
    print_result(result, OutputFormat.CSV if spreadsheet else form, spreadsheet=spreadsheet)


@app.command("explain")
def explain_command(
    item_id: Annotated[
        str, typer.Argument(help="Id of an item; for a record kind also a former id, or the id of a report.")
    ],
    release: ReleaseOption = None,
    *,
    chart: Annotated[
        Path | None, typer.Option(help="Write the match weights of a record item's pairs to a file, .svg or .png.")
    ] = None,
    confidential: ConfidentialOption = False,
    json: JsonOption = False,
) -> None:
    """Explain an item: every claim, the cell it came from, why they are one item, why this value is published."""
    from flows.queries.known_ids import kind_of

    installation = open_here()
    kind = kind_of(installation, item_id)
    if kind is not None:
        _explain_record(installation, kind, (item_id, release), chart, confidential=confidential, json=json)
        return
    if chart is not None:
        raise UsageError("--chart is for items of a record kind: observations are identified by key, without weights")
    from flows.queries.observation_story import explain_observation

    story = explain_observation(installation, item_id, release, confidential=confidential)
    if json:
        print_json({"observation": story.observation, "claims": story.claims, "why": story.why})
    else:
        _print_observation(story)
        print_page(installation, "items", item_id, release)


def _explain_record(
    installation: "Installation",
    kind: "Kind",
    asked: tuple[str, int | None],
    chart: Path | None,
    *,
    confidential: bool,
    json: bool,
) -> None:
    """Explain an id of a record kind; asked: the id and the release."""
    from flows.cli.charts import write_waterfalls
    from flows.cli.record_stories import print_story
    from flows.queries.record_story import explain_record

    story = explain_record(installation, kind, *asked, confidential=confidential)
    if chart is not None:
        print_progress(str(write_waterfalls(story.pairs, chart)))
    if json:
        print_json(story.as_dict())
    else:
        print_story(story)
        print_page(installation, "records", kind.kind, asked[1])


def _print_observation(story: "ObservationStory") -> None:
    fact = story.observation
    if fact is not None:
        unit = f"{fact['unit_name']} ({fact['unit_kind']} {fact['unit_code'] or 'not in a register'})"
        print_text(one_line(f"{fact['concept']} {fact['breakdown']} of {unit}"))
        print_text(f"from {fact['period_start']} until {fact['period_end']} (that day excluded)")
        value = "withheld" if fact["value"] is None else f"{plain_text(fact['value'])} {fact['unit_measure']}"
        print_text(one_line(f"published: {value}, {fact['agreement']}"))
    print_text(story.why)
    print_text("")
    names = ["relation", "chosen", "value", "decimals", "original", "filename", "row", "column", "sender"]
    print_table(story.claims, [*names, "reported_by", "submission_id"])


class ExportFormat(StrEnum):
    """How a release is written."""

    parquet = "parquet"
    sdmx_csv = "sdmx-csv"
    package = "package"


@app.command("export")
def export_command(
    to: Annotated[Path | None, typer.Option(help="Folder or file; by default in `releases` of the home.")] = None,
    release: ReleaseOption = None,
    form: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="Every table as Parquet; the observations as SDMX-CSV 2.0; or a package for analysts, by default as "
            "ENGANG_EXPORTS states, or in `packages` of the home.",
        ),
    ] = ExportFormat.parquet,
    *,
    json: JsonOption = False,
) -> None:
    """Write a release as plain Parquet with a release.json (counts, digest, table versions, data dictionary).

    With `--format sdmx-csv` its observations are one file. With `--format package` every table is one file in Parquet
    and CSV, all are one DuckDB file, and datapackage.json describes them.
    """
    from flows.releases import find_release

    installation = open_here()
    found = find_release(installation, release)
    if form is ExportFormat.package:
        from flows.package.publish import write_package

        package = write_package(installation, found, to, print_progress)
        written, described = package.place, package.as_dict()
    else:
        from flows.release.export import export_release
        from flows.release.export_sdmx import export_sdmx_csv

        write = export_sdmx_csv if form is ExportFormat.sdmx_csv else export_release
        written = str(write(installation, found, to))
        described = {"release": found["release"], "place": written}
    if json:
        print_json(described)
    else:
        print_text(written)


@app.command("verify")
def verify_command(*, json: JsonOption = False) -> None:
    """Rebuild the release from the landing zone in a scratch folder; exit code 1 if the digests differ."""
    from flows.release.verify import verify

    verdict = verify(open_here(), print_progress)
    if json:
        print_json(verdict.as_dict())
    else:
        facts = {**verdict.as_dict(), "tree_faults": len(verdict.tree_faults)}
        print_table([{"what": name.replace("_", " "), "is": value} for name, value in facts.items()])
        for fault in verdict.tree_faults:
            print_alarm(fault)
    if verdict.register_changed and not verdict.same:
        advice = "`engang status` names rows that it has units for now; after their backfill, verify again"
        print_warning(f"the register of units has changed since release {verdict.release} was published: {advice}")
    if not verdict.same:
        raise typer.Exit(FOUND_PROBLEMS)


@app.command("serve")
def serve_command(
    port: Annotated[
        int, typer.Option(help="Port of the bundled Prefect server; unused if PREFECT_API_URL is set.")
    ] = 4200,
) -> None:
    """Receive deliveries and serve the flows, with the nightly at 02:00 Europe/Oslo, until stopped.

    Serves the check page too, on the address of ENGANG_CHECK_PAGE, unless that is `off`.
    """
    from flows.orchestration.serve import serve

    serve(port)


@app.command("check-page")
def check_page_command(
    host: Annotated[str | None, typer.Option(help="Where to listen; by default as ENGANG_CHECK_PAGE states.")] = None,
    port: Annotated[int | None, typer.Option(help="Its port; by default as ENGANG_CHECK_PAGE states, or 4201.")] = None,
) -> None:
    """Serve the page on which senders check a file in a browser, without Prefect and until stopped; stores nothing."""
    from flows.check_page.server import listen, serve_check_page

    installation = open_here()
    page = installation.settings.check_page
    with listen(host or page.host or "127.0.0.1", page.port if port is None else port) as listener:
        address, number, *_ = listener.getsockname()
        shown = f"[{address}]" if ":" in address else address
        print_progress(f"check page: http://{shown}:{number}/ (Ctrl-C stops it)")
        serve_check_page(installation, listener)
