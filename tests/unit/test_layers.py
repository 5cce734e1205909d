"""The rooms, the walls inside them, and where each heavy package may be imported.

Imports run one way: flows → transforms, infra → schemas. Lazy imports count like all others.
"""

import ast
import functools
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("schemas", "transforms", "infra", "flows")
ALLOWED = {
    "schemas": {"schemas"},
    "transforms": {"transforms", "schemas"},
    "infra": {"infra", "schemas"},
    "flows": {"flows", "transforms", "infra", "schemas"},
}
FORBIDDEN: Final = {
    "flows/cli": ("infra", "transforms", "polars", "sqlalchemy", "duckdb"),
    "flows/queries": ("flows.release", "flows.cli", "flows.orchestration"),
    "flows/matching": ("flows.cli", "flows.orchestration"),
    "flows/contracts": ("flows.release", "flows.cli", "flows.orchestration"),
    "flows/onboarding": ("flows.release", "flows.cli", "flows.orchestration"),
    "flows/intake": ("flows.release", "flows.cli", "flows.orchestration"),
    "flows/release": ("flows.cli", "flows.orchestration", "flows.queries"),
    "flows/backfill": ("flows.cli", "flows.orchestration"),
    "flows/check_page": ("flows.cli", "flows.orchestration", "flows.release", "sqlalchemy", "prefect"),
    "flows/monitoring": ("flows.cli", "flows.orchestration", "flows.release"),
    "flows/receipts": ("flows.cli", "flows.orchestration", "flows.release"),
    "flows/mart": ("flows.cli", "flows.orchestration", "flows.release", "flows.queries"),
    "flows/package": ("flows.cli", "flows.orchestration", "flows.release"),
    "flows/overlap": ("flows.cli", "flows.orchestration", "flows.queries"),
    "flows/site": ("flows.cli", "flows.orchestration", "flows.intake"),
}
"""Folder -> what none of its modules imports. The command line imports use cases, which import no command line."""
ONLY_FROM: Final = {
    "flows.demo": ("flows/demo", "flows/cli"),
    "flows.cli": ("flows/cli",),
    "flows.orchestration": ("flows/orchestration", "flows/cli"),
}
"""Package -> the only folders whose modules import it."""
ONLY_IN: Final = {
    "prefect": ("flows/orchestration/", "flows/events.py"),
    "great_expectations": ("infra/checks/engine.py",),
    "splink": ("transforms/linkage/comparisons.py", "transforms/linkage/scoring.py"),
    "duckdb": ("infra/lake/query_child.py", "infra/package/duckdb_file.py", "transforms/linkage/scoring.py"),
    "altair": ("flows/cli/charts.py",),
    "vl_convert": ("flows/cli/charts.py",),
    "boto3": ("infra/storage/s3.py", "infra/inbox/sqs.py"),
    "deltalake": ("infra/lake/",),
    "distributed": ("infra/cluster/",),
    "prefect_dask": ("flows/orchestration/cluster.py",),
    "sqlalchemy": ("infra/ledger/", "infra/inbox/", "infra/mart/", "infra/migrations/", "flows/"),
    "opentelemetry": ("infra/telemetry.py",),
    "cloudevents": ("flows/events.py",),
    "cryptography": ("infra/signing.py", "flows/receipts/"),
    "holidays": ("infra/public_holidays.py",),
    "alembic": ("infra/ledger/open.py", "infra/migrations/"),
    "urllib.request": ("infra/webhook.py", "flows/orchestration/server.py", "infra/deploy/compose/"),
    "typer": ("flows/cli/",),
    "fastapi": ("flows/check_page/",),
    "starlette": ("flows/check_page/",),
    "uvicorn": ("flows/check_page/",),
    "jinja2": ("flows/check_page/", "flows/dossier_page/", "flows/site/"),
    "python_calamine": ("transforms/parsing/workbook/",),
    "stdnum": ("transforms/normalisation/", "transforms/register/", "flows/demo/"),
}
"""Heavy or outward package -> the places (a file, or a folder with a slash) that may import it."""
FEWEST_MODULES: Final = 2
MOST_MODULES: Final = {
    "transforms/normalisation": 14,
    "flows": 13,
    "flows/check_page": 13,
    "flows/cli": 24,
    "flows/intake": 14,
    "flows/matching": 13,
    "infra/ledger": 17,
    "transforms/linkage": 15,
    "transforms/parsing": 13,
}
"""Folder -> how many modules it may hold, if more than twelve: one per group of commands, of tables, per step."""
PURE = {"os", "sys", "time", "random", "socket", "requests", "httpx", "sqlalchemy", "subprocess", "tempfile", "shutil"}
"""Clock, environment, network, SQL, files: a transform uses none of them."""


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@functools.cache
def imported(path: Path) -> tuple[str, ...]:
    """Return the full name of all that a module imports: `flows.events.publish` of `from flows.events import`."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += (f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(found)


def imports(path: Path, package: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for name in imported(path))


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    assert modules(room)
    for path in modules(room):
        rooms = {name.split(".")[0] for name in imported(path)} & set(ROOMS)
        assert rooms <= ALLOWED[room], path


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_the_walls_inside_flows_hold(folder: str) -> None:
    assert modules(folder)
    broken = [(place(path), name) for path in modules(folder) for name in FORBIDDEN[folder] if imports(path, name)]
    assert broken == []


@pytest.mark.parametrize("package", ONLY_FROM)
def test_a_package_is_imported_from_its_neighbours_only(package: str) -> None:
    importers = [place(path) for path in modules("flows") if imports(path, package)]
    assert importers
    assert [user for user in importers if not user.startswith(ONLY_FROM[package])] == []


@pytest.mark.parametrize("package", ONLY_IN)
def test_a_heavy_package_is_imported_in_its_place_only(package: str) -> None:
    users = [place(path) for room in ROOMS for path in modules(room) if imports(path, package)]
    assert users
    assert [user for user in users if not user.startswith(ONLY_IN[package])] == []


@pytest.mark.parametrize("room", ["transforms", "infra", "flows"])
def test_the_folders_of_a_room_form_no_circle(room: str) -> None:
    graph: dict[str, set[str]] = {}
    for path in modules(room):
        here = ".".join(path.relative_to(ROOT).parts[:2]).removesuffix(".py")
        there = {".".join(name.split(".")[:2]) for name in imported(path) if name.startswith(f"{room}.")}
        graph.setdefault(here, set()).update(there - {here})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"folders import each other: {' → '.join(error.args[1])}")


def test_a_folder_holds_two_to_twelve_modules() -> None:
    folders = {path.parent for room in ("transforms", "infra", "flows") for path in modules(room)}
    sizes = {
        place(folder): sum(path.name != "__init__.py" for path in folder.glob("*.py"))
        for folder in folders
        if not place(folder).startswith(("infra/deploy", "infra/migrations"))
    }
    assert {folder: n for folder, n in sizes.items() if not FEWEST_MODULES <= n <= MOST_MODULES.get(folder, 12)} == {}


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
            "import flows.queries.observation_story, flows.queries.known_ids, flows.releases, flows.site.find",
            ("schemas.contract", "transforms.observations.agreement", "numpy", "pyarrow"),
        ),
        (
            "import flows.queries.sql",  # DuckDB is imported by the process that queries
            ("schemas.contract", "transforms.observations.agreement", "transforms.discovery.suspected"),
        ),
    ],
)
def test_what_must_answer_within_a_second_imports_less(start: str, spared: tuple[str, ...]) -> None:
    heavy = ("alembic", "duckdb", "prefect", "great_expectations", "boto3", "cloudevents", "scipy")
    assert not imported_by(start, *spared, *heavy)


def imported_by(start: str, *heavy: str) -> set[str]:
    """Return which of these modules a start imports."""
    code = f"{start}; import sys; print(*(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())
