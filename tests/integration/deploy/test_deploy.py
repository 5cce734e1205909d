"""infra/deploy says what the code says and is sound; what cannot run here is checked by tools that know it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.paths import ROOT

DEPLOY: Final = ROOT / "infra" / "deploy"
IMAGES_OF_OTHERS: Final = {"postgres", "objects"}


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return document


def test_compose_gives_away_no_password_and_listens_here_only() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for name, default in re.findall(r"\$\{(\w+)(:?[^}]*)\}", text):
        assert default.startswith(":?"), f"{name} has a default"
    assert not re.search(r"(?im)password:\s+[^$\s]", text)
    services = compose()["services"]
    ports = [port for s in services.values() for port in s.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    example = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / "env.example").read_text(), re.MULTILINE))
    asked = {name for name, _ in re.findall(r"\$\{(\w+)(:[^}]*)\}", text)}
    assert {name: example[name] for name in asked} == dict.fromkeys(asked, "")


def test_every_container_is_healthy_or_ends_and_has_no_more_rights_than_it_needs() -> None:
    services = compose()["services"]
    ours = {"prefect", "deploy", "worker", "scheduler", "cluster-worker", "intake", "objects-setup"}
    assert ours | IMAGES_OF_OTHERS == set(services)
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    for name, service in services.items():
        assert "no-new-privileges:true" in service["security_opt"]
        if name in IMAGES_OF_OTHERS:
            assert re.fullmatch(r"[\w/]+:[\w.-]*\d[\w.-]*", service["image"]), "a tag that says which version"
            assert "healthcheck" in service
        else:
            assert service["read_only"]
            assert service["cap_drop"] == ["ALL"]
            ends = service["restart"] == "on-failure"
            assert service.get("healthcheck", {}).get("disable", False) is ends
        for other, how in service.get("depends_on", {}).items():
            ends = services[other]["restart"] == "on-failure"
            assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy")
    assert re.search(r"^HEALTHCHECK .* CMD", dockerfile, re.MULTILINE)
    assert re.search(r"^USER 10001", dockerfile, re.MULTILINE)
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.11\.\d+-", dockerfile, re.MULTILINE)


def test_settings_of_the_containers_are_settings_of_the_product() -> None:
    known = set(re.findall(r"^\| `(ENGANG_\w+)` \|", (ROOT / "infra" / "README.md").read_text(), re.MULTILINE))
    for service in compose()["services"].values():
        ours = {name for name in service.get("environment", {}) if name.startswith("ENGANG_")}
        assert ours - {"ENGANG_LEDGER_PASSWORD"} <= known
    outputs = set(re.findall(r"\b(ENGANG_\w+)\b", (DEPLOY / "terraform" / "outputs.tf").read_text()))
    assert outputs <= known


def test_workers_of_the_cluster_reach_no_ledger_and_the_scheduler_holds_nothing() -> None:
    services = compose()["services"]
    assert services["scheduler"]["environment"] == {}
    assert services["scheduler"]["volumes"] == []
    assert not {"ENGANG_LEDGER", "PREFECT_API_URL"} & set(services["cluster-worker"]["environment"])
    assert {name for name, s in services.items() if "cluster" in s.get("networks", ())} == {
        "scheduler", "cluster-worker", "worker",
    }  # fmt: skip
    assert compose()["networks"]["cluster"]["internal"]


@pytest.mark.parametrize("path", ["Dockerfile", "compose.yaml"])
def test_what_is_named_is_there(path: str) -> None:
    text = (DEPLOY / path).read_text()
    names = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) if path == "Dockerfile" else []
    names = [n for line in names for n in line.split()] + [
        f"infra/deploy/{n}" for n in re.findall(r"\./(compose/\S+?):", text)
    ]
    assert names
    assert [n for n in names if not (ROOT / n).exists()] == []


def test_prefect_yaml_says_what_is_served() -> None:
    from flows.orchestration.deployments import deployments

    by_entrypoint = {d["entrypoint"]: d for d in yaml.safe_load((DEPLOY / "prefect.yaml").read_text())["deployments"]}
    served: dict[str, Any] = {str(d.entrypoint): d for d in deployments()}
    assert set(by_entrypoint) == set(served)
    for entrypoint, here in served.items():
        there = by_entrypoint[entrypoint]
        assert (there["name"], there["tags"]) == (here.name, here.tags)
        crons = [(s.schedule.cron, s.schedule.timezone) for s in here.schedules or ()]
        assert [(s["cron"], s["timezone"]) for s in there.get("schedules", [])] == crons
        limit, options = there.get("concurrency_limit"), here.concurrency_options
        stated = None if limit is None else (limit["limit"], limit["collision_strategy"])
        served_limit = here.concurrency_limit
        assert stated == (None if served_limit is None else (served_limit, options.collision_strategy.value))
        expected = [sorted(t.expect) for t in here.triggers]
        assert [sorted(t["expect"]) for t in there.get("triggers", [])] == expected


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install what checks infra/deploy in an environment of its own (it pins what would disturb ours); give its bin."""
    if given_folder := os.environ.get("DEPLOY_TOOLS"):
        return Path(given_folder) / "bin"
    folder = tmp_path_factory.mktemp("tools")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps"]
    subprocess.run([*pip, "-r", DEPLOY / "requirements-checkov.txt"], check=True)
    return folder / "bin"


@pytest.mark.slow
def test_checkov_fails_nothing_and_every_skip_says_why(tools: Path) -> None:
    command = [
        tools / "checkov",
        "-d",
        DEPLOY,
        "--framework",
        "terraform",
        "dockerfile",
        "--skip-download",
        "-o",
        "json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    reports = {r["check_type"]: r for r in json.loads(done.stdout)}
    assert set(reports) == {"terraform", "dockerfile"}
    for kind, report in reports.items():
        results = report["results"]
        assert [(c["check_id"], c["resource"]) for c in results["failed_checks"]] == []
        assert results["parsing_errors"] == []
        skips = {(c["check_id"], c["check_result"]["suppress_comment"]) for c in results["skipped_checks"]}
        assert all(len(why) > 20 for _, why in skips), skips
        print(f"\n{kind}: {len(results['passed_checks'])} passed, 0 failed, {len(skips)} explained skips")
    assert len(reports["terraform"]["results"]["passed_checks"]) > 150


@pytest.mark.slow
def test_hadolint_finds_nothing(tools: Path) -> None:
    done = subprocess.run([tools / "hadolint", DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_compose_follows_the_compose_specification(tools: Path) -> None:
    check = "import compose_spec, sys; print(*compose_spec.PyCompose.from_json(sys.stdin.read()).service_names())"
    command = [tools / "python", "-c", check]
    done = subprocess.run(command, input=json.dumps(compose()), capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == set(compose()["services"])
    broken = compose()
    broken["services"]["worker"]["depends_on"]["postgres"]["condition"] = "service_hopefully"
    failed = subprocess.run(command, input=json.dumps(broken), capture_output=True, text=True, check=False)
    assert failed.returncode, "the check can fail"
