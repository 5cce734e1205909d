"""Fixtures of all tests: a fresh ledger on each database, PostgreSQL really started, and S3 over HTTP."""

import os
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, core, settings
from psycopg.conninfo import conninfo_to_dict

from infra.storage.places import S3Place
from tests.support import forked_queries, module_process, scheduling, swiftness, tiers
from tests.support.cli_runner import engang
from tests.support.seed import TEST_SEED
from tests.support.servers import endpoint_of, new_bucket, postgresql

settings.register_profile(
    "engang", deadline=None, database=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("engang")
core.global_force_seed = TEST_SEED
swiftness.keep_files_in_memory()
swiftness.import_without_collections()

# Settings of whoever runs the tests are about an installation that is no test's. What is only read may be stated,
# as the folder of contracts whose examples are tested.
STATED = ("ENGANG_CONTRACTS", "ENGANG_KINDS", "ENGANG_CODELISTS")
for setting in [name for name in os.environ if name.startswith("ENGANG_") and name not in STATED]:
    del os.environ[setting]


if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("PYTEST_ADDOPTS", None)  # they are options of this run, not of those that tests start
    forked_queries.use()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seed of the run: with it the same examples are drawn."""
    terminalreporter.write_line(f"TEST_SEED={TEST_SEED}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is left to `make thorough`, before marks select."""
    tiers.mark_thorough(items, whole=scheduling.is_whole(config))


def pytest_collection_finish() -> None:
    """Spare the run the collections of garbage that find nothing."""
    swiftness.spare_collections()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many workers `-n auto` means; see `tests.support.scheduling`."""
    return scheduling.workers(config)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> scheduling.ModuleScheduling:
    """Return the scheduler of a run with workers."""
    return scheduling.ModuleScheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool, bool]:
    """Pause a measurement of coverage (`--cov`) while a test runs that is none of the fast ones."""
    coverage = item.config.pluginmanager.getplugin("_cov")
    controller = getattr(coverage, "cov_controller", None)
    if controller is None or item.nodeid.startswith(scheduling.MEASURED):
        return (yield)
    controller.pause()
    try:
        return (yield)
    finally:
        controller.resume()


@pytest.fixture(scope="module")
def unchecked() -> Iterator[None]:
    """Leave the engine of a release's checks out of a module: it takes a second a night. Its balance is checked."""
    from infra.checks import engine as checks

    def balanced(summary: checks.ReleaseSummary) -> list[checks.Finding]:
        assert sum(summary.buckets.values()) == summary.delivered
        assert summary.unbalanced == 0
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "preload", lambda: None)
        patch.setattr(checks.TableCheck, "findings", lambda _: [])
        patch.setattr(checks, "check_release", balanced)
        yield


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database of the test's own; the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'home' / 'ledger.db'}"
    new_database: Callable[[], str] = request.getfixturevalue("new_postgresql")
    return new_database()


@pytest.fixture(scope="session")
def new_postgresql() -> Iterator[Callable[..., str]]:
    """Give what makes a database on this session's own PostgreSQL, as a copy if asked for, and returns its URL."""
    with postgresql() as url_of:

        def new_database(copied: str = url_of("template1")) -> str:
            name, source = f"t_{uuid.uuid4().hex[:12]}", conninfo_to_dict(copied)["dbname"]
            with psycopg.connect(url_of("postgres"), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {source}".encode())
            return url_of(name)

        yield new_database


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    """Give the endpoint of this session's own AWS: moto_server, a process spoken to over HTTP."""
    with tempfile.TemporaryFile("w+") as log:
        command = module_process.command("tests.support.moto_server", "-H", "127.0.0.1", "-p", "0")
        server = subprocess.Popen(command, stdout=log, stderr=log, env=module_process.environment())
        try:
            yield endpoint_of(server, log)
        finally:
            server.kill()
            server.wait()


@pytest.fixture
def aws(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the endpoint, and the environment its credentials and region."""
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return aws_endpoint


@pytest.fixture
def s3(aws: str) -> S3Place:
    """Give a prefix of a new bucket that keeps versions."""
    return new_bucket(aws, versions=True)


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run `engang demo` once; give its folder, which tests that write copy, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        for name in [name for name in os.environ if name.startswith("ENGANG_")]:
            patch.delenv(name)
        result = engang("demo")
    assert (result.code, result.err) == (0, "")
    return folder, result.out
