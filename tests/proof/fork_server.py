"""Runs tests again and again in forks of one process that has imported the libraries: a run costs its tests alone.

Each fork imports the product and its tests anew, from the folder in which the server was started, so that it sees what
was changed there in between. Requests and answers are lines of JSON on standard input and output.
"""

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

OURS: Final = ("schemas", "transforms", "infra", "flows", "tests")
LAZY: Final = (
    "hypothesis", "_hypothesis_pytestplugin", "hypothesis.stateful", "coverage", "great_expectations", "splink",
    "pandas", "xdist.plugin", "holidays.countries", "psycopg",
)  # fmt: skip
"""Libraries that nothing imports at its start, but that tests or a command import later."""
OPTIONS: Final = (
    "-x", "-n", "0", "-W", "ignore", "--tb=line", "-p", "no:unraisableexception", "-p", "no:anyio",
    "-p", "no:pytest_cov",
)  # fmt: skip
UNFIT: Final = frozenset({"aws_endpoint", "new_postgresql", "demo_run"})
"""Fixtures that start a server or a demo: their tests cost seconds before they begin, and are left out."""
ENVIRONMENT: Final = {
    "TEST_SEED": "1", "LAW_EXAMPLES": "5", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "",
    "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2",
}  # fmt: skip


class Answer(NamedTuple):
    """What a run of tests gave."""

    fate: str
    """passed, failed, stopped (it took too long) or none (no test was selected)"""
    failed: str | None
    """the test, or the file, that failed first"""
    seconds: dict[str, float]
    """how many processor seconds each test took, with its fixtures and the processes that it waited for"""
    lines: dict[str, dict[str, list[str]]]
    """of each module, its lines that ran, and the tests that ran them; only if they were to be measured"""


class ForkServer:
    """The server of a tree, as its client sees it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(
        self,
        paths: Sequence[str],
        only: Collection[str] | None = None,
        *,
        but: Collection[str] = (),
        seconds: float = 600,
        measured: bool = False,
    ) -> Answer:
        """Run the tests of these files, or `only` these of them, or all `but` these, until one fails."""
        request = {
            "paths": list(paths),
            "only": sorted(only) if only else None,
            "but": sorted(but),
            "seconds": seconds,
            "measured": measured,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Answer(**json.loads(self._process.stdout.readline()))


@contextmanager
def fork_server(tree: Path) -> Iterator[ForkServer]:
    """Give a server of this tree's tests, ended at the end."""
    environment = os.environ | ENVIRONMENT | {"PYTHONPATH": str(tree)}
    command = [sys.executable, "-m", "tests.proof.fork_server"]
    process = subprocess.Popen(
        command, cwd=tree, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield ForkServer(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


class _Recorder:
    """A plugin of pytest: selects the tests, notes their times and, if asked for, the lines that each runs."""

    def __init__(self, only: list[str] | None, but: list[str], coverage: Any) -> None:
        self.only, self.but = None if only is None else set(only), set(but)
        self.coverage = coverage
        self.failed: str | None = None
        self.seconds: dict[str, float] = {}
        self._began = 0.0

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        kept = [item for item in items if (item.nodeid in self.only if self.only else _is_fit(item))]
        kept = [item for item in kept if item.nodeid not in self.but]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept

    def pytest_sessionstart(self) -> None:
        from hypothesis import Phase, settings

        settings.register_profile(
            "mutants", parent=settings.default, max_examples=20, phases=(Phase.explicit, Phase.generate)
        )
        settings.load_profile("mutants")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._began = sum(os.times()[:4])
        if self.coverage is not None:
            self.coverage.switch_context(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] = sum(os.times()[:4]) - self._began

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._note(report)

    def pytest_collectreport(self, report: Any) -> None:
        self._note(report)

    def _note(self, report: Any) -> None:
        if report.failed and self.failed is None:
            self.failed = report.nodeid


def _is_fit(item: Any) -> bool:
    """Return whether a test is quick enough to be run for each mutant."""
    marked = any(item.get_closest_marker(name) for name in ("slow", "real"))
    return not marked and not UNFIT & set(item.fixturenames) and "postgresql" not in item.nodeid


def _run(request: dict[str, Any]) -> dict[str, Any]:
    """Run the tests of a request in this process."""
    import pytest

    measure = None
    if request["measured"]:
        from coverage import Coverage

        measure = Coverage(data_file=None, config_file=False, include=[f"{Path.cwd() / room}/*" for room in OURS[:-1]])
        measure.start()
    recorder = _Recorder(request["only"], request["but"], measure)
    code = pytest.main([*OPTIONS, *request["paths"]], plugins=[recorder])
    fate = {0: "passed", 5: "none"}.get(int(code), "failed")
    return {"fate": fate, "failed": recorder.failed, "seconds": recorder.seconds, "lines": _lines(measure)}


def _lines(coverage: Any) -> dict[str, dict[str, list[str]]]:
    """Return the lines that were measured, of each module, with the tests that ran them."""
    if coverage is None:
        return {}
    coverage.stop()
    data = coverage.get_data()
    return {
        str(Path(name).relative_to(Path.cwd())): {
            str(line): [test for test in tests if test] for line, tests in data.contexts_by_lineno(name).items()
        }
        for name in data.measured_files()
    }


def _in_fork(request: dict[str, Any]) -> dict[str, Any]:
    """Run a request in a fork, which is killed with all that it started when its time is over."""
    nothing: dict[str, Any] = {"failed": None, "seconds": {}, "lines": {}}
    with tempfile.NamedTemporaryFile("r") as answer:
        child = os.fork()
        if child == 0:
            os.setsid()
            Path(answer.name).write_text(json.dumps(_run(request)), encoding="utf-8")
            os._exit(0)
        end = time.monotonic() + request["seconds"]
        while not (ended := os.waitpid(child, os.WNOHANG)[0]) and time.monotonic() < end:
            time.sleep(0.01)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        if not ended:
            os.waitpid(child, 0)
            return nothing | {"fate": "stopped"}
        text = answer.read()
        return json.loads(text) if text else nothing | {"fate": "failed"}


def _libraries() -> list[str]:
    """Return the names of all libraries that the product imports, found in a fork."""
    with tempfile.NamedTemporaryFile("r") as found:
        child = os.fork()
        if child == 0:
            for path in sorted(path for room in OURS[:-1] for path in Path(room).rglob("*.py")):
                if not {"migrations", "deploy"} & set(path.parts):
                    importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
            names = [name for name in sys.modules if name.split(".")[0] not in OURS and not name.startswith("__")]
            Path(found.name).write_text("\n".join(names), encoding="utf-8")
            os._exit(0)
        os.waitpid(child, 0)
        return found.read().split()


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    with Path(os.environ.get("FORK_SERVER_LOG", os.devnull)).open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    import pytest  # noqa: F401

    for name in [*_libraries(), *LAZY]:
        with suppress(Exception):  # some are there only when another one imports them
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(_in_fork(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
