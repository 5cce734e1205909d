"""The commands that publish a release elsewhere: `engang site` as pages, `engang mart` in PostgreSQL."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.terminal import (
    FOUND_PROBLEMS,
    JsonOption,
    ReleaseOption,
    app,
    open_here,
    plain_text,
    print_json,
    print_progress,
    print_table,
    print_text,
)
from schemas.errors import UsageError

if TYPE_CHECKING:
    from flows.mart.address import MartAddress

mart_app = typer.Typer(help="Bring a PostgreSQL database to a release, as a star schema.", no_args_is_help=True)
app.add_typer(mart_app, name="mart")


@app.command("site")
def site_command(
    *,
    release: ReleaseOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The folder for release-N and latest; by default ENGANG_SITE, or `site` in the home."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a release as static pages in Bokmål, Nynorsk and English, for a browser or any web server."""
    from flows.site.build import write_site

    written = write_site(open_here(), release, out, print_progress)
    if json:
        print_json(written.as_dict())
        return
    print_text(f"release {written.release}: {written.pages} pages, {written.bytes / 1e6:.1f} MB")
    print_text(f"open {(written.latest or written.folder) / 'index.html'}")


UrlArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[URL]",
        help="postgresql://USER@HOST/DATABASE, without a password: other users of the machine see commands. By default "
        "ENGANG_MART. A password belongs in that setting, in PGPASSWORD or in ~/.pgpass.",
    ),
]


@mart_app.command("sync")
def mart_sync_command(url: UrlArgument = None, *, release: ReleaseOption = None, json: JsonOption = False) -> None:
    """Bring the mart to a release: by what changed since, else loaded from nothing; run again, it goes on.

    Readers see the old release until all of the new one is there.
    """
    from flows.mart.nights import sync_configured
    from flows.mart.sync import sync

    installation = open_here()
    if url is None:
        done = sync_configured(installation, release, print_progress)
    else:
        done = sync(installation, _address(url), release, print_progress)
    if json:
        print_json({"outcome": done.outcome, "release": done.release, "rows": done.rows})
    else:
        print_text(f"the mart holds release {done.release}: {done.outcome}, {done.rows} rows written")


@mart_app.command("status")
def mart_status_command(url: UrlArgument = None, *, json: JsonOption = False) -> None:
    """Show which release the mart holds; exit code 1 if it is not the current one."""
    from flows.mart.address import configured_address
    from flows.mart.status import mart_status

    installation = open_here()
    status = mart_status(installation, configured_address(installation) if url is None else _address(url))
    if json:
        print_json(status.as_dict())
    else:
        print_table([{"what": name.replace("_", " "), "is": plain_text(v)} for name, v in status.as_dict().items()])
    if not status.up_to_date:
        raise typer.Exit(FOUND_PROBLEMS)


def _address(url: str) -> "MartAddress":
    from flows.mart.address import MartAddress

    address = MartAddress(url, "the URL of the mart")
    if address.has_password:
        hint = "other users of this machine see it: set ENGANG_MART or PGPASSWORD, or write it into ~/.pgpass"
        raise UsageError(f"the URL of the mart {address} holds a password, and {hint}")
    return address
