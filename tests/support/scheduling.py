"""How the tests are spread over two workers, and which of them measure coverage.

A worker gets whole modules, and what shares an expensive fixture is on one worker.
"""

from typing import Final

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

WORKERS: Final = 2
"""A machine of CI has two cores. Each worker starts its own PostgreSQL and its own moto_server."""
TOGETHER: Final = {
    "tests/browser/": "a browser",
    "tests/flows/": "a Prefect server",
    "tests/integration/cli/test_golden_output.py": "a run of the demo",
    "tests/integration/deploy/test_operating.py": "a run of the demo",
    "tests/unit/test_docs.py": "a run of the demo",
}
"""Folders and modules that share a fixture of the session, and which."""
MEASURED: Final = ("tests/contracts/", "tests/unit/", "tests/properties/transforms/")
"""Folders whose tests measure coverage where that is asked for: fast ones, for it takes a third more time."""


class ModuleScheduling(LoadScopeScheduling):
    """Gives a worker whole modules, so that what a module sets up is set up once."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.split("::", maxsplit=1)[0]
        return next((shared for path, shared in TOGETHER.items() if module.startswith(path)), module)


WHOLE_RUNS: Final = ("not slow and not thorough", "not slow")
"""The expressions of marks under which a run is one of the whole suite: every run's, and `make thorough`'s."""


def is_whole(config: pytest.Config) -> bool:
    """Return whether a run collects all tests."""
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.option.keyword


def workers(config: pytest.Config) -> int:
    """Return how many workers a run has: two for the whole default suite, none (this process) for all else.

    Tests that are picked by path start sooner without workers, slow ones measure, and `-s` shows what tests print,
    which workers do not. `-n 2` overrules this.
    """
    default = config.option.markexpr in WHOLE_RUNS and config.option.capture != "no"
    return WORKERS if is_whole(config) and default else 0
