"""The seed of a run: the date of the commit, so that it changes from day to day; it is printed, `TEST_SEED` fixes it.

It draws Hypothesis' examples and the fuzzer's files. The two processes of a run share it through the environment.
"""

import os
import subprocess
import time
from typing import Final

from tests.support.paths import ROOT


def _commit_date() -> int:
    """Return the date of the checked-out commit as a number, 20261129; outside a checkout, today's."""
    command = ["git", "log", "-1", "--format=%cs"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return int((found or time.strftime("%Y-%m-%d")).replace("-", ""))


TEST_SEED: Final = int(os.environ.get("TEST_SEED") or _commit_date())
LAW_EXAMPLES: Final = int(os.environ.get("LAW_EXAMPLES", "25"))
"""How many examples each law of a release draws, in runs that are not slow."""
LIVES: Final = max(1, LAW_EXAMPLES // 3)
"""How many installations live through some events in every run; under `make thorough` as many as LAW_EXAMPLES."""
os.environ["TEST_SEED"] = str(TEST_SEED)
