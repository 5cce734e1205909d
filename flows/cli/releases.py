"""Commands for publishing and reading: nightly, releases, query, explain, export, verify, serve."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    print_json,
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
        help="With the values that senders marked as confidential, if you may see them; a query finds them in "
        "confidential_claims.",
    ),
]


@app.command("nightly")
def nightly_command(
    *,
    export: Annotated[
        ExportMode, typer.Option(help="Also write plain Parquet; auto: for up to a million items.")
    ] = "auto",
    json: JsonOption = False,
) -> None:
    """Publish everything delivered as one release, or nothing if a check fails (exit code 1)."""
    from flows.pipeline import nightly

    night = nightly(open_here(), print_progress, export=export)
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

    rows = list_releases(open_here())
    if json:
        print_json(rows)
    elif not rows:
        print_text("nothing is released yet")
    else:
        print_table([{**{k: v for k, v in r.items() if k != "counts"}, "items": r["counts"]["items"]} for r in rows])


@app.command("query")
def query_command(
    sql: Annotated[
        str,
        typer.Argument(
            help="DuckDB SQL over observations, sources, conflicts, changes, submissions, rejects, releases, "
            "record_warnings and each kind's tables."
        ),
    ],
    form: Annotated[OutputFormat, typer.Option("--format", "-f", help="How to print the result.")] = OutputFormat.TABLE,
    release: ReleaseOption = None,
    *,
    spreadsheet: Annotated[
        bool,
        typer.Option(
            "--spreadsheet",
            help="CSV for a spreadsheet: a text that it would run as a formula (=, +, -, @) gets an apostrophe before "
            "it. Without this, CSV is the exact data, as delivered: do not open it in a spreadsheet.",
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
        _explain_record(installation, kind, item_id, release, chart, json=json)
        return
    if chart is not None:
        raise UsageError("--chart is for items of a record kind: observations are identified by key, without weights")
    from flows.queries.observation_story import explain_observation

    story = explain_observation(installation, item_id, release, confidential=confidential)
    if json:
        print_json({"observation": story.observation, "claims": story.claims, "why": story.why})
    else:
        _print_observation(story)


def _explain_record(  # noqa: PLR0913  the command's own options
    installation: "Installation", kind: "Kind", id_: str, release: int | None, chart: Path | None, *, json: bool
) -> None:
    from flows.cli.charts import write_waterfalls
    from flows.cli.record_stories import print_story
    from flows.queries.record_story import explain_record

    story = explain_record(installation, kind, id_, release)
    if chart is not None:
        print_progress(str(write_waterfalls(story.pairs, chart)))
    if json:
        print_json(story.as_dict())
    else:
        print_story(story)


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


@app.command("export")
def export_command(
    to: Annotated[Path | None, typer.Option(help="Folder; by default `releases/<number>` in the home.")] = None,
    release: ReleaseOption = None,
) -> None:
    """Write a release as plain Parquet with a release.json (counts, digest, table versions, data dictionary)."""
    from flows.release.export import export_release
    from flows.releases import find_release

    installation = open_here()
    print_text(export_release(installation, find_release(installation, release), to))


@app.command("verify")
def verify_command(*, json: JsonOption = False) -> None:
    """Rebuild the release from the landing zone in a scratch folder; exit code 1 if the digests differ."""
    from flows.release.verify import verify

    verdict = verify(open_here(), print_progress)
    if json:
        print_json(verdict.as_dict())
    else:
        print_table([{"what": k.replace("_", " "), "is": v} for k, v in verdict.as_dict().items()])
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
    """Receive deliveries and serve the flows, with the nightly at 02:00 Europe/Oslo, until stopped."""
    from flows.orchestration.serve import serve

    serve(port)
