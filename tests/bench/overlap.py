"""What questions about overlap cost: `python tests/bench/overlap.py FOLDER`, in a home that `worker.py FOLDER` made.

`run.py --keep FOLDER` leaves two such folders, `long` and `short`. Each figure is that of the command `engang`, whole,
its start included, and stands next to a process that reads all statements of the release and does nothing with them.
"""

import os
import sys
from pathlib import Path

from run import ENGANG, HERE, cost

COMMANDS = {
    "dossier": ("dossier", "bench"),
    "known": ("known", "--unit", "1001", "--contract", "bench", "--period", "2023-06"),
    "burden minimal": ("burden", "minimal"),
    "discover": ("discover",),
}
"""The name of a figure -> the command; each prints JSON."""
READING = "reading"


def read() -> None:
    """Read all statements of the current release."""
    from flows.installation import open_installation
    from flows.overlap.release_statements import statements_of
    from flows.releases import find_release

    installation = open_installation()
    print(statements_of(installation, find_release(installation)).height)


def main() -> None:
    """Run each command once, and print what it cost and how often that is the cost of reading."""
    if sys.argv[1] == READING:
        read()
        return
    folder = Path(sys.argv[1])
    env = {
        "ENGANG_HOME": str(folder / "home"),
        "ENGANG_CONTRACTS": str(HERE / "contracts"),
        "ENGANG_CODELISTS": str(folder / "codelists"),
    }
    reading, _ = cost([sys.executable, __file__, READING], {**env, "PYTHONPATH": str(HERE.parents[1])})
    print(f"{READING:16} {reading}")
    for name, command in COMMANDS.items():
        figures, _ = cost([ENGANG, *command, "--json"], env)
        print(f"{name:16} {figures}, {figures.cpu / reading.cpu:5.2f} x the processor time of reading", flush=True)
    print(f"{os.getloadavg()[0]:.0f} processes waited for {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
