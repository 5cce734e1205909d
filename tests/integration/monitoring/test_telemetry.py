"""Log lines and OpenTelemetry: every hop is logged, no delivered value is, and nothing is imported without need."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from infra import telemetry
from infra.settings import ObservabilitySettings, read_settings
from tests.support.paths import CONTRACTS, ROOT
from tests.support.small_installation import HEADER
from tests.support.webhook_receiver import receiving

FIGURE = "709 037"
BAD = "Kari Nordmann"
"""Delivered values, which must not be logged."""
Traffic = tuple[subprocess.CompletedProcess[str], list[tuple[str, dict[str, str], bytes]]]
WORK = """
import sys
from flows.installation import open_installation
from flows import pipeline as steps
from flows.intake.deliveries import Delivery
installation = open_installation()
data = open(sys.argv[1], "rb").read()
deliveries = [Delivery("f.csv", data, "folketall", "ssb")]
print([r.submission_id for batch in steps.receive(installation, deliveries) for r in batch][0])
if sys.argv[2] == "nightly":
    steps.nightly(installation)
print("opentelemetry" in sys.modules, "cloudevents" in sys.modules)
"""


def work(home: Path, what: str = "deliver", **environment: str) -> subprocess.CompletedProcess[str]:
    """Deliver a file with a bad row, and publish it if `what` is nightly, in a process of its own."""
    home.mkdir(exist_ok=True)
    rows = f"0301;01.01.2024;alle;{FIGURE};\n1120;01.01.2024;alle;{BAD};\n"
    (home / "f.csv").write_text(HEADER + rows, encoding="utf-8")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ENGANG_", "OTEL_", "PREFECT_"))}
    env |= {"ENGANG_HOME": str(home), "ENGANG_CONTRACTS": str(CONTRACTS), **environment}
    command = [sys.executable, "-c", WORK, str(home / "f.csv"), what]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    """Deliver and publish once, logged and sent."""
    home = tmp_path_factory.mktemp("traffic")
    with receiving() as receiver:
        done = work(home, "nightly", ENGANG_LOG="json", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert done.returncode == 0, done.stderr
    return done, receiver.got


def test_lines_are_json_and_say_which_run_submission_and_contract(traffic: Traffic) -> None:
    done, _ = traffic
    by_message = {line["message"]: line for line in lines(done.stderr)}
    registered, published = by_message["submission registered"], by_message["release published"]
    assert {name: registered[name] for name in ("submission", "contract", "sender", "status", "level")} == {
        "submission": done.stdout.split()[0], "contract": "folketall", "sender": "ssb", "status": "registered",
        "level": "info",
    }  # fmt: skip
    assert (registered["delivered"], registered["claims"], registered["rejected"]) == (2, 1, 1)
    assert registered["at"].endswith("+00:00")
    assert published["run"].startswith("nightly-")
    assert (published["release"], published["items"]) == (1, 1)
    assert [word for word in (FIGURE, "709037", BAD) if word in done.stderr] == []


def test_by_default_nothing_is_logged(tmp_path: Path) -> None:
    done = work(tmp_path / "home")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[1:] == ["False", "False"]


def test_spans_and_metrics_reach_an_endpoint(traffic: Traffic) -> None:
    done, got = traffic
    assert done.stdout.split()[-2] == "True"
    spans, points = _spans(got), _points(got)
    below = {
        "receive": {"land", "read", "register"},
        "nightly": {"night"},
        "night": {"consolidate", "resolve", "check", "publish"},
    }
    hops = {*below, *set().union(*below.values())}
    by_name = {s.name: s for s in spans}
    assert len(spans) == len(by_name) == len(hops)
    for hop, children in below.items():
        own = by_name[hop]
        assert {s.name for s in spans if s.parent_span_id == own.span_id} == children
        assert {s.trace_id for s in spans if s.name in children} == {own.trace_id}
    assert {s.name for s in spans if not s.parent_span_id} == {"receive", "nightly"}
    assert {a.value.string_value for s in spans for a in s.attributes if a.key == "engang.contract"} == {"folketall"}
    rows = {_about(p)["state"]: p.as_int for p in points["engang.rows"]}
    assert rows == {"delivered": 2, "claims": 1, "rejected": 1, "warnings": 1}
    assert {_about(p)["contract"] for p in points["engang.rows"]} == {"folketall"}
    assert {_about(p)["hop"]: p.count for p in points["engang.hop.duration"]} == dict.fromkeys(hops, 1)
    bounds = {point.explicit_bounds[0] for point in points["engang.hop.duration"]}
    assert bounds == {0.001}, "seconds: by default every hop lies in the first bucket"
    lag = {_about(p)["stage"]: p for p in points["engang.lag"]}
    assert set(lag) == {"registered", "released"}
    assert 0 < lag["registered"].sum < lag["released"].sum
    sent = b"".join(body for _, _, body in got)
    assert BAD.encode() not in sent
    assert FIGURE.encode() not in sent


def _spans(got: list[tuple[str, dict[str, str], bytes]]) -> list[Any]:
    requests = [ExportTraceServiceRequest.FromString(body) for path, _, body in got if path == "/v1/traces"]
    return [s for request in requests for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]


def _points(got: list[tuple[str, dict[str, str], bytes]]) -> dict[str, list[Any]]:
    """Return the last points of each metric: what is counted is counted from the start."""
    requests = [ExportMetricsServiceRequest.FromString(body) for path, _, body in got if path == "/v1/metrics"]
    metrics = [m for r in requests[-1].resource_metrics for scope in r.scope_metrics for m in scope.metrics]
    return {m.name: list(m.sum.data_points or m.histogram.data_points) for m in metrics}


def _about(point: Any) -> dict[str, str]:
    return {a.key: a.value.string_value for a in point.attributes}


def test_an_endpoint_that_is_away_stops_nothing(tmp_path: Path) -> None:
    done = work(tmp_path / "home", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    assert done.returncode == 0
    assert done.stdout.split()[-2] == "True"


# One line


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger(telemetry.SERVICE_NAME)
    previous = root.handlers, root.level, root.propagate
    monkeypatch.setattr(telemetry, "_configured", None)
    yield
    root.handlers, root.propagate = previous[0], previous[2]
    root.setLevel(previous[1])


def start(form: str | None) -> None:
    telemetry.configure(replace(read_settings(), observability=ObservabilitySettings(log=form)))


@pytest.mark.usefixtures("started")
def test_an_error_is_reported_by_its_type_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    start("json")
    try:
        int(BAD)
    except ValueError:
        telemetry.log("x").exception("it failed", extra={"submission": "s1", "secret": BAD})
    (line,) = lines(capsys.readouterr().err)
    assert (line["message"], line["error"], line["submission"]) == ("it failed", "ValueError", "s1")
    assert line["where"][0].startswith("test_telemetry.py:")
    assert BAD not in json.dumps(line)


@pytest.mark.usefixtures("started")
def test_a_text_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    start("text")
    with telemetry.bound(run="r1"), telemetry.span("land", contract="c"):
        telemetry.log("x").info("noticed", extra={"object": "a/b\n2026 error\x1b[31m"})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.partition(" info ")[2] == (
        'engang.x: noticed run=r1 contract=c object="a/b\\n2026 error\\u001b[31m" hop=land'
    )
    telemetry.log("x").info("outside")
    assert "run=" not in capsys.readouterr().err


@pytest.mark.usefixtures("started")
def test_by_default_warnings_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    start(None)
    telemetry.log("x").info("quiet")
    telemetry.log("x").warning("loud")
    assert [line.rpartition(": ")[2] for line in capsys.readouterr().err.splitlines()] == ["loud"]


def test_a_wrong_form_of_log_is_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_LOG", "xml")
    with pytest.raises(Exception, match="ENGANG_LOG: found 'xml', expected json or text"):
        read_settings()
