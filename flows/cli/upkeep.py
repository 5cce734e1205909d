"""The command that keeps the disk free of what nobody needs: `engang clean`."""

from typing import Annotated

import typer

from flows.cli.terminal import JsonOption, app, open_here, print_json, print_text


@app.command("clean")
def clean_command(
    *,
    keep: Annotated[
        int | None, typer.Option(min=0, help="How many releases are kept; by default ENGANG_KEEP_RELEASES; 0 for all.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove it; without this only show what would be removed.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Remove what only old releases have, as each night does: files of the lake, exports, sites, packages.

    Landing zone and ledger stay: receipts, `engang verify` and a rebuild need nothing else of the past.
    """
    from flows.release.retention import plan_removal, remove_old_releases

    work = remove_old_releases if yes else plan_removal
    done = work(open_here(), keep)
    if json:
        print_json({**done.as_dict(), "removed": yes})
        return
    removed = "removed" if yes else "would be removed"
    print_text(f"{len(done.releases)} releases cannot be read {'any more' if yes else 'then'}")
    print_text(f"{done.files} files of the lake {removed}, {done.bytes / 1e6:.1f} MB")
    for place in (*done.exports, *done.sites, *(f"package {number}" for number in done.packages)):
        print_text(f"{place} {removed}")
    if not yes:
        print_text("`engang clean --yes` does it")
