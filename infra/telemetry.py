"""What the product tells of its work: log lines, and OpenTelemetry traces and metrics if an endpoint is set.

A line has a fixed message and named fields (`FIELDS`); nothing that was delivered stands in either, and an error is
told by its type and place, for its message may quote what was delivered. With no endpoint OpenTelemetry is never
imported.
"""

import json
import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from infra.settings import Settings, Telling

FIELDS: Final = (
    "run", "submission", "contract", "sender", "release", "status", "object", "attempts", "period", "due", "event",
    "hop", "seconds", "lag", "submissions", "delivered", "claims", "rejected", "ignored", "warnings", "items", "checks",
    "count", "worker", "rebuild", "error",
)  # fmt: skip
"""The fields of a line: ids, states, counts and seconds."""
NAME: Final = "engang"
HOPS: Final = "engang.hop.duration"
LAG: Final = "engang.lag"
ROWS: Final = "engang.rows"

_bound: ContextVar[dict[str, object]] = ContextVar("engang_fields", default={})  # noqa: B039  never changed in place


def log(of: str) -> logging.Logger:
    """Return the logger of a part of the product."""
    return logging.getLogger(f"{NAME}.{of}")


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Give these fields to every line that is logged in the block."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


@contextmanager
def span(hop: str, **fields: Any) -> Iterator[None]:  # noqa: ANN401  text, numbers
    """Time a hop: its fields stand on every line in the block; a span and a duration, where those are sent."""
    told = {name: value for name, value in fields.items() if value is not None}
    with bound(hop=hop, **told), _sent.span(hop, told) if _sent else nullcontext():
        began = time.perf_counter()
        yield
        if _sent:
            _sent.record(HOPS, time.perf_counter() - began, {"hop": hop})


def count_rows(contract: str, **rows: int) -> None:
    """Count rows by what became of them (delivered, claims, rejected, ...), under their contract."""
    for state, number in rows.items() if _sent else ():
        if number:
            _sent.add(ROWS, number, {"contract": contract, "state": state})  # type: ignore[union-attr]  # asked above


def record_lag(stage: str, seconds: float) -> None:
    """Record how long after its receipt a submission reached a stage: `registered`, `released`."""
    if _sent:
        _sent.record(LAG, seconds, {"stage": stage})


class _Lines(logging.Formatter):
    """One line an event: the time in UTC, level, logger, message and fields; JSON, or text for people."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, object] = {"at": at, "level": record.levelname.lower(), "logger": record.name}
        told["message"] = record.getMessage()
        beside = _bound.get() | record.__dict__
        told |= {name: beside[name] for name in FIELDS if beside.get(name) is not None}
        if record.exc_info and record.exc_info[0]:
            told["error"] = record.exc_info[0].__name__
            told["where"] = _where(record.exc_info[2])
        if self.form == "json":
            return json.dumps(told, ensure_ascii=False, default=str)
        fields = "".join(f" {name}={_shown(value)}" for name, value in list(told.items())[4:])
        return f"{at} {told['level']} {record.name}: {told['message']}{fields}"


def _shown(value: object) -> str:
    return told if (told := str(value)).isprintable() else json.dumps(told)


def _where(trace: Any) -> list[str]:  # noqa: ANN401  a traceback or None
    return [f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in traceback.extract_tb(trace)][-8:]


class _Stderr(logging.Handler):
    """Writes to what is standard error now, not to what was when logging began."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; a standard error that is gone stops nothing."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            self.handleError(record)


class _Sent:
    """Traces and metrics on their way to the endpoint; the packages are imported when it is made."""

    def __init__(self, endpoint: str, source: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415  heavy
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  same
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415  same
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415  same
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  same
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  same
        from opentelemetry.trace import StatusCode  # noqa: PLC0415  same

        self.failed = StatusCode.ERROR
        base = endpoint.rstrip("/")
        resource = Resource.create({"service.name": NAME, "engang.source": source})
        self.traces = TracerProvider(resource=resource)
        self.traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{base}/v1/traces", timeout=5)))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{base}/v1/metrics", timeout=5))
        self.metrics = MeterProvider([reader], resource=resource)
        meter, self.tracer = self.metrics.get_meter(NAME), self.traces.get_tracer(NAME)
        self.histograms = {name: meter.create_histogram(name, unit="s") for name in (HOPS, LAG)}
        self.counters = {ROWS: meter.create_counter(ROWS, unit="{row}")}

    @contextmanager
    def span(self, hop: str, fields: dict[str, Any]) -> Iterator[None]:
        """Send a span of the block; its fields become attributes."""
        attributes = {f"engang.{name}": value for name, value in fields.items()}
        # OpenTelemetry would record the exception with its message, which may quote what was delivered.
        with self.tracer.start_as_current_span(
            hop, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as current:
            try:
                yield
            except BaseException as error:  # all of it goes on
                current.set_attribute("error.type", type(error).__name__)
                current.set_status(self.failed)
                raise

    def record(self, name: str, value: float, about: dict[str, str]) -> None:
        """Record a duration in seconds."""
        self.histograms[name].record(value, about)

    def add(self, name: str, value: int, about: dict[str, str]) -> None:
        """Count what was handled."""
        self.counters[name].add(value, about)


_sent: _Sent | None = None
_started: Telling | None = None


def start(settings: Settings) -> None:
    """Log and send as the settings say; done again with the same settings it changes nothing."""
    global _sent, _started  # noqa: PLW0603  a process logs and sends one way
    telling = settings.telling
    if telling == _started:
        return
    root = logging.getLogger(NAME)
    handler = _Stderr()
    handler.setFormatter(_Lines(telling.log or "text"))
    root.handlers = [handler]
    root.setLevel(logging.INFO if telling.log else logging.WARNING)
    root.propagate = False
    if _sent is None and telling.traces_to is not None:
        _sent = _Sent(telling.traces_to, telling.source)
    _started = telling


def flush() -> None:
    """Send what was not sent yet, and wait for it."""
    if _sent:
        _sent.traces.force_flush()
        _sent.metrics.force_flush()
