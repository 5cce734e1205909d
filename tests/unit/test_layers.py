"""The rooms and who may import whom: flows → transforms, infra → schemas, and where each heavy package may be used."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("schemas", "transforms", "infra", "flows")
ALLOWED = {
    "schemas": {"schemas"},
    "transforms": {"transforms", "schemas"},
    "infra": {"infra", "schemas"},
    "flows": {"flows", "transforms", "infra", "schemas"},
}
ONLY_IN = {
    "great_expectations": {"infra/checks/engine.py"},
    "prefect": {
        *(
            "flows/orchestration/receive.py",
            "flows/orchestration/nightly.py",
            "flows/orchestration/serve.py",
            "flows/events.py",
        ),
        *("flows/orchestration/deployments.py", "flows/orchestration/backfill.py", "flows/orchestration/server.py"),
    },
    "splink": {"transforms/linkage/scoring.py"},
    "altair": {"flows/cli/charts.py"},
    "vl_convert": {"flows/cli/charts.py"},
    "boto3": {"infra/storage/s3.py", "infra/inbox/sqs.py"},
    "deltalake": {"infra/lake/delta.py", "infra/lake/access.py"},
    "opentelemetry": {"infra/telemetry.py"},
    "cloudevents": {"flows/events.py"},
    "holidays": {"infra/public_holidays.py"},
    "alembic": {"infra/ledger/open.py", "infra/migrations/env.py", "infra/migrations/versions/0001_first_ledger.py"},
}
PURE = {"os", "sys", "time", "random", "socket", "requests", "httpx", "sqlalchemy", "subprocess", "tempfile", "shutil"}
"""What a transform has no business with: clock, environment, network, SQL, files."""


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    assert modules(room)
    for path in modules(room):
        rooms = {name.split(".")[0] for name in imported(path)} & set(ROOMS)
        assert rooms <= ALLOWED[room], path


@pytest.mark.parametrize("package", ONLY_IN)
def test_a_heavy_package_is_imported_in_its_place_only(package: str) -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in modules(room)
        if package in {name.split(".")[0] for name in imported(path)}
    }
    assert {u for u in users if not u.startswith("infra/migrations/")} <= ONLY_IN[package]


def test_transforms_are_pure() -> None:
    for path in modules("transforms"):
        assert not {name.split(".")[0] for name in imported(path)} & PURE, path


def test_the_environment_has_one_reader() -> None:
    for room in ROOMS:
        for path in modules(room):
            if path.relative_to(ROOT).as_posix() in {"infra/settings.py", "flows/orchestration/serve.py"}:
                continue
            assert not {"os.environ", "getenv"} & set(re.findall(r"os.environ|getenv", path.read_text())), path


@pytest.mark.parametrize(
    "start",
    [
        "import flows.cli.app",
        "import transforms.parsing.parse, transforms.normalisation.observations, transforms.observations.consolidate",
    ],
)
def test_what_starts_often_imports_little(start: str) -> None:
    assert not imported_by(
        start, "prefect", "great_expectations", "boto3", "splink", "altair", "opentelemetry", "cloudevents"
    )


@pytest.mark.parametrize(
    ("start", "spared"),
    [
        (
            "import flows.monitoring.status",
            ("deltalake", "pyarrow", "psycopg", "holidays", "transforms.observations.agreement"),
        ),
        (
            "import flows.queries.observation_story, flows.queries.known_ids",
            ("schemas.contract", "transforms.observations.agreement"),
        ),
    ],
)
def test_what_must_answer_within_a_second_imports_less(start: str, spared: tuple[str, ...]) -> None:
    assert not imported_by(start, *spared, "alembic", "duckdb", "prefect", "great_expectations", "boto3", "cloudevents")


def imported_by(start: str, *heavy: str) -> set[str]:
    """Return which of these modules a start imports."""
    code = f"{start}; import sys; print(*(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())
