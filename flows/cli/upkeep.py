"""The commands that look after the lake: `engang clean` and `engang rebuild`."""

from typing import Annotated

import typer

from flows.cli.terminal import JsonOption, app, open_here, print_json, print_progress, print_text


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


@app.command("rebuild")
def rebuild_command(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Rebuild it; without this only show what would be read.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a lost lake again from ledger and landing zone: all claims, and the current release under its digest.

    The lake's place must be empty. Run again after it was cut off, it goes on. Older releases are not made again.
    """
    from flows.release.rebuild import plan_rebuild, rebuild_lake

    installation = open_here()
    done = rebuild_lake(installation, print_progress) if yes else plan_rebuild(installation)
    if json:
        print_json({**done.as_dict(), "rebuilt": yes})
        return
    print_text(f"{done.submissions} submissions, {done.bytes / 1e6:.1f} MB, {done.read} of them read by an earlier try")
    if yes:
        print_text(f"release {done.release} rebuilt, digest {done.digest}")
    else:
        print_text(f"release {done.release} is to have the digest {done.digest}; `engang rebuild --yes` does it")
