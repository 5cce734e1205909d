"""Commands of those who publish and read: nightly, releases, query, explain, export, verify, serve."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.terminal import FOUND_PROBLEMS, Json, app, echo_json, open_here, plain, say, show
from schemas.errors import UsageError

if TYPE_CHECKING:
    from flows.installation import Installation
    from flows.queries.observation_story import Story
    from schemas.kind import Kind

ReleaseNumber = Annotated[
    int | None, typer.Option("--release", "-r", help="Which release; the current one by default.")
]


class OutputFormat(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Export(StrEnum):
    """Whether the nightly also writes plain Parquet."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@app.command()
def nightly(
    *,
    export: Annotated[Export, typer.Option(help="Plain Parquet too: auto is up to a million items.")] = Export.AUTO,
    json: Json = False,
) -> None:
    """Publish what was delivered as one release, or nothing if a check fails (exit code 1)."""
    from flows.pipeline import nightly as run

    installation = open_here()
    done = run(installation, say, export=export.value)
    if json:
        echo_json({"release": done.release, "published": done.published, "digest": done.digest, "counts": done.counts})
        return
    if not done.published:
        typer.echo(f"nothing new: release {done.release} stands" if done.release else "nothing was delivered yet")
        return
    typer.echo(f"release {done.release} published, digest {done.digest}")
    show([{"what": name.replace("_", " "), "count": n} for name, n in done.counts.items()])
    typer.echo('ask it: engang query "SELECT * FROM observations LIMIT 10"')


@app.command()
def releases(*, json: Json = False) -> None:
    """List the releases, oldest first."""
    from flows.releases import list_releases

    found = list_releases(open_here())
    if json:
        echo_json(found)
    elif not found:
        typer.echo("nothing is released yet")
    else:
        show([{**{k: v for k, v in r.items() if k != "counts"}, "items": r["counts"]["items"]} for r in found])


@app.command()
def query(
    sql: Annotated[
        str, typer.Argument(help="DuckDB SQL over observations, sources, conflicts, changes, submissions, rejects.")
    ],
    form: Annotated[OutputFormat, typer.Option("--format", "-f", help="How to print it.")] = OutputFormat.TABLE,
    release: ReleaseNumber = None,
) -> None:
    """Ask a release anything in SQL."""
    from flows.queries.sql import query as run

    found = run(open_here(), sql, release)
    if form is OutputFormat.JSON:
        echo_json(found.to_dicts())
    elif form is OutputFormat.CSV:
        _echo_csv(found.columns, found.rows())
    else:
        show(found.to_dicts(), found.columns)


def _echo_csv(columns: list[str], rows: list[tuple[object, ...]]) -> None:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([plain(cell) for cell in row] for row in rows)
    typer.echo(text.getvalue(), nl=False)


@app.command()
def explain(
    item_id: Annotated[str, typer.Argument(help="Id of an item; of a record kind also an old one, or a report's.")],
    release: ReleaseNumber = None,
    *,
    chart: Annotated[
        Path | None, typer.Option(help="Write the weights of a record item's pairs to a file, .svg or .png.")
    ] = None,
    json: Json = False,
) -> None:
    """Tell the story of an item: every claim, the cell it came from, what joins it, why this value won."""
    from flows.queries.known_ids import kind_of

    installation = open_here()
    kind = kind_of(installation, item_id)
    if kind is not None:
        _explain_record(installation, kind, item_id, release, chart, json=json)
        return
    if chart is not None:
        raise UsageError("--chart is for items of a record kind: an observation is found by its key, not by weights")
    from flows.queries.observation_story import explain as run

    story = run(installation, item_id, release)
    if json:
        echo_json({"observation": story.observation, "claims": story.claims, "why": story.why})
    else:
        _tell_observation(story)


def _explain_record(  # noqa: PLR0913  the command's own options
    installation: "Installation", kind: "Kind", id_: str, release: int | None, chart: Path | None, *, json: bool
) -> None:
    from flows.cli.record_stories import tell_story
    from flows.queries.record_story import explain_record
    from flows.record_charts import write_waterfalls

    story = explain_record(installation, kind, id_, release)
    if chart is not None:
        say(str(write_waterfalls(story.pairs, chart)))
    if json:
        echo_json(story.as_dict())
    else:
        tell_story(story)


def _tell_observation(story: "Story") -> None:
    fact = story.observation
    if fact is not None:
        unit = f"{fact['unit_name']} ({fact['unit_kind']} {fact['unit_code'] or 'not in a register'})"
        typer.echo(f"{fact['concept']} {fact['breakdown']} of {unit}")
        typer.echo(f"from {fact['period_start']} until {fact['period_end']} (the day itself left out)")
        value = "withheld" if fact["value"] is None else f"{plain(fact['value'])} {fact['unit_measure']}"
        typer.echo(f"published: {value}, {fact['agreement']}")
    typer.echo(story.why)
    typer.echo("")
    names = ["relation", "chosen", "value", "decimals", "original", "filename", "row", "column", "sender"]
    show(story.claims, [*names, "reported_by", "submission_id"])


@app.command()
def export(
    to: Annotated[Path | None, typer.Option(help="Folder; by default `releases/<number>` in the home.")] = None,
    release: ReleaseNumber = None,
) -> None:
    """Write a release as plain Parquet with a release.json (counts, digest, table versions, data dictionary)."""
    from flows.release.export import export_release
    from flows.releases import released

    installation = open_here()
    typer.echo(export_release(installation, released(installation, release), to))


@app.command()
def verify(*, json: Json = False) -> None:
    """Rebuild the release from the landing zone in a scratch folder and compare digests (exit code 1 if not)."""
    from flows.release.verify import verify as run

    told = run(open_here(), say)
    if json:
        echo_json(told.as_dict())
    else:
        show([{"what": k.replace("_", " "), "is": v} for k, v in told.as_dict().items()])
    if not told.same:
        raise typer.Exit(FOUND_PROBLEMS)


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="Port of our own Prefect server, if PREFECT_API_URL names none.")] = 4200,
) -> None:
    """Take in what arrives and serve the flows, with the nightly at 02:00 Europe/Oslo, until stopped."""
    from flows.orchestration.serve import serve as run

    run(port)
