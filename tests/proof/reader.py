"""A reader of releases in a process of its own: polls an installation all the while, and tells what it could not read.

Commands are lines of JSON: {"home", "env", "pause"} begins to poll an installation, {} ends it and is answered with how
many polls there were, what could not be read, and every release seen: [release, digest, digest of the lake, items].
"""

import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl

from flows.installation import Installation, open_installation
from flows.release.verify import lake_digest
from flows.releases import read_table
from infra.ledger import releases as ledger_releases

IDLE_SHARE = 3
"""A reader waits at least so many times as long as its last poll took."""


def poll(home: Installation) -> list[Any]:
    """Read the current release whole: its number, its digest by ledger and by lake, its count."""
    release = ledger_releases.current_release(home.engine)
    if release is None:
        return [0, None, None, 0]
    items = read_table(home, "observations", release).select(pl.len()).collect().item()
    return [release["release"], release["digest"], lake_digest(home, release), items]


def watch(command: dict[str, Any]) -> dict[str, Any]:
    """Poll until the next command comes."""
    os.environ.update(command["env"])
    home = open_installation(Path(command["home"]))
    print(json.dumps({"began": True}), flush=True)
    polls, problems, seen, pause = 0, [], [], 0.0
    while not polls or not select.select([sys.stdin], [], [], pause)[0]:
        polls += 1
        began = time.monotonic()
        try:
            found = poll(home)
        except BaseException as error:  # noqa: BLE001  Polars' panic is no Exception: whatever it is, a reader could not read
            problems.append(f"{type(error).__name__}: {error}"[:500])
            continue
        finally:  # on a busy machine a poll takes long: the step that is killed needs the processor more
            pause = max(command["pause"], IDLE_SHARE * (time.monotonic() - began))
        if not seen or seen[-1] != found:
            seen.append(found)
    home.engine.dispose()
    return {"polls": polls, "problems": problems, "seen": seen}


def main() -> None:
    while line := sys.stdin.readline():
        command = json.loads(line)
        if command:
            given = watch(command)
            sys.stdin.readline()
            print(json.dumps(given), flush=True)


if __name__ == "__main__":
    main()
