"""Log lines: their fields, their order, what is escaped; errors by type and place alone."""

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra import telemetry
from infra.settings import ObservabilitySettings, read_settings


class Exporter:
    """Notes what would be sent."""

    def __init__(self) -> None:
        self.recorded: list[tuple[Any, ...]] = []
        self.added: list[tuple[Any, ...]] = []
        self.spans: list[tuple[Any, ...]] = []

    def span(self, hop: str, fields: dict[str, Any]) -> Any:
        self.spans.append((hop, fields))
        return telemetry.nullcontext()

    def record(self, *given: Any) -> None:
        self.recorded.append(given)

    def add(self, *given: Any) -> None:
        self.added.append(given)


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Exporter:
    fake = Exporter()
    monkeypatch.setattr(telemetry, "_exporter", fake)
    return fake


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Give what sets up logging; it is as before after the test."""
    monkeypatch.setattr(telemetry, "_configured", None)
    root = logging.getLogger("engang")
    before = root.handlers, root.level, root.propagate

    def configure(form: str | None) -> None:
        settings = replace(read_settings(tmp_path), observability=replace(ObservabilitySettings(), log=form))
        telemetry.configure(settings)

    yield configure
    root.handlers, root.level, root.propagate = before


def record(message: str = "a file", **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("engang.intake", logging.WARNING, "f.py", 1, message, (), None)
    made.created = 1_772_366_400.25
    made.__dict__.update(fields)
    return made


def as_json(**fields: Any) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(telemetry._Lines("json").format(record(**fields)))  # noqa: SLF001
    return line


def as_text(**fields: Any) -> str:
    return telemetry._Lines("text").format(record(**fields))  # noqa: SLF001


HEAD = {"at": "2026-03-01T12:00:00.250+00:00", "level": "warning", "logger": "engang.intake", "message": "a file"}


def test_a_line_has_its_known_fields_in_their_order() -> None:
    assert as_json(count=0, submission="s1", run="r1", value="709 037", status=None) == {
        **HEAD, "run": "r1", "submission": "s1", "count": 0,
    }  # fmt: skip
    assert list(as_json(count=0, submission="s1", run="r1"))[4:] == ["run", "submission", "count"]
    assert as_text(count=0, run="r1", value="x") == (
        "2026-03-01T12:00:00.250+00:00 warning engang.intake: a file run=r1 count=0"
    )


def test_what_a_terminal_could_act_on_is_escaped() -> None:
    assert as_text(object="a\x1b[31m").endswith(' object="a\\u001b[31m"')
    assert as_text(object="æøå").endswith(" object=æøå")
    plain = telemetry._Lines("json").format(record(object="æ"))  # noqa: SLF001
    escaped = telemetry._Lines("json").format(record(object="æ\x9b"))  # noqa: SLF001
    assert '"æ"' in plain
    assert '"\\u00e6\\u009b"' in escaped


def test_an_error_is_told_by_type_and_place() -> None:
    try:
        int("10018012345x")
    except ValueError:
        line = as_json(exc_info=sys.exc_info(), error="given")
    assert line["error"] == "ValueError"
    assert line["where"][0].startswith("test_telemetry.py:")
    assert line["where"][0].endswith(" test_an_error_is_told_by_type_and_place")
    assert "10018012345" not in json.dumps(line)


def test_of_a_long_trace_the_last_eight_places_are_told() -> None:
    def deeper(steps: int) -> None:
        if steps == 0:
            raise ZeroDivisionError
        deeper(steps - 1)

    try:
        deeper(20)
    except ZeroDivisionError:
        line = as_json(exc_info=sys.exc_info())
    assert len(line["where"]) == 8
    assert all(place.endswith(" deeper") for place in line["where"])


def test_fields_of_a_block_are_in_its_lines_and_gone_after() -> None:
    with telemetry.bound(run="r1", contract="c"), telemetry.bound(contract="d"):
        assert as_json() == {**HEAD, "run": "r1", "contract": "d"}
        assert as_json(run="own")["run"] == "own"
    assert as_json() == HEAD
    with pytest.raises(ZeroDivisionError), telemetry.bound(run="r1"):
        raise ZeroDivisionError
    assert as_json() == HEAD


def test_a_hop_is_in_its_lines_and_timed(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 12.5])
    monkeypatch.setattr(telemetry.time, "perf_counter", lambda: next(times))  # type: ignore[attr-defined]
    with telemetry.span("read", contract="c", sender=None):
        assert as_json() == {**HEAD, "contract": "c", "hop": "read"}
    assert exporter.spans == [("read", {"contract": "c"})]
    assert exporter.recorded == [("engang.hop.duration", 2.5, {"hop": "read"})]


def test_a_hop_that_fails_has_no_duration(exporter: Exporter) -> None:
    with pytest.raises(ZeroDivisionError), telemetry.span("read"):
        raise ZeroDivisionError
    assert exporter.recorded == []


def test_rows_and_lags_are_sent_where_there_is_an_endpoint(exporter: Exporter) -> None:
    telemetry.record_rows("c", delivered=3, claims=0, rejected=1)
    telemetry.record_lag("released", 7.5)
    assert exporter.added == [
        ("engang.rows", 3, {"contract": "c", "state": "delivered"}),
        ("engang.rows", 1, {"contract": "c", "state": "rejected"}),
    ]
    assert exporter.recorded == [("engang.lag", 7.5, {"stage": "released"})]


def test_without_an_endpoint_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_exporter", None)
    telemetry.record_rows("c", delivered=3)
    telemetry.record_lag("released", 7.5)
    with telemetry.span("read"):
        pass


@pytest.mark.parametrize(("form", "level"), [(None, logging.WARNING), ("text", logging.INFO), ("json", logging.INFO)])
def test_only_who_asks_for_a_log_gets_more_than_warnings(configured: Any, form: str | None, level: int) -> None:
    configured(form)
    root = logging.getLogger("engang")
    assert (root.level, root.propagate, len(root.handlers)) == (level, False, 1)


def test_the_same_settings_again_change_nothing_and_others_replace(
    configured: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    configured("json")
    (handler,) = logging.getLogger("engang").handlers
    configured("json")
    assert logging.getLogger("engang").handlers == [handler]
    configured("text")
    telemetry.log("intake").info("a file", extra={"run": "r1"})
    assert capsys.readouterr().err.endswith(" info engang.intake: a file run=r1\n")


def test_a_closed_standard_error_stops_nothing(configured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    configured("text")
    monkeypatch.setattr(logging, "raiseExceptions", False)

    class Closed:
        def write(self, _: str) -> None:
            raise ValueError("closed")

    monkeypatch.setattr(sys, "stderr", Closed())
    telemetry.log("intake").info("a file")
