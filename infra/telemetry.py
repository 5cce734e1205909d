"""Log lines, and OpenTelemetry traces and metrics if an endpoint is set.

A line has a fixed message and named fields (`FIELDS`), and no delivered data in either. An error is logged by its type
and place, because its message may quote delivered data. Without an endpoint OpenTelemetry is never imported.
"""

import json
import logging
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Any, Final

from infra.settings import ObservabilitySettings, Settings

FIELDS: Final = (
    "run", "submission", "contract", "sender", "release", "status", "object", "attempts", "period", "due", "event",
    "hop", "seconds", "lag", "submissions", "delivered", "claims", "rejected", "ignored", "warnings", "items", "checks",
    "count", "contracts", "units", "worker", "rebuild", "error",
)  # fmt: skip
"""The fields of a line: ids, states, counts and seconds."""
SERVICE_NAME: Final = "engang"
HOP_DURATION: Final = "engang.hop.duration"
STAGE_LAG: Final = "engang.lag"
ROW_COUNT: Final = "engang.rows"
SECONDS_BOUNDS: Final = {
    HOP_DURATION: (0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600),
    STAGE_LAG: (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 24 * 3600, 36 * 3600, 7 * 24 * 3600),
}
"""The bounds of the histograms. OpenTelemetry's own are meant for milliseconds: every hop would lie in the first."""

_bound: ContextVar[Mapping[str, object]] = ContextVar("engang_fields", default=MappingProxyType({}))


def log(part: str) -> logging.Logger:
    """Return the logger of a part of the product."""
    return logging.getLogger(f"{SERVICE_NAME}.{part}")


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Add these fields to every line that is logged in the block."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


@contextmanager
def span(hop: str, **fields: Any) -> Iterator[None]:
    """Time a hop: add its fields to every line in the block; with an endpoint, send a span and its duration."""
    present = {name: value for name, value in fields.items() if value is not None}
    with bound(hop=hop, **present), _exporter.span(hop, present) if _exporter else nullcontext():
        start = time.perf_counter()
        yield
        if _exporter:
            _exporter.record(HOP_DURATION, time.perf_counter() - start, {"hop": hop})


def record_rows(contract: str, **rows: int) -> None:
    """Count rows of a contract by their state (delivered, claims, rejected, ...)."""
    if _exporter is None:
        return
    for state, number in rows.items():
        if number:
            _exporter.add(ROW_COUNT, number, {"contract": contract, "state": state})


def record_lag(stage: str, seconds: float) -> None:
    """Record how long after its receipt a submission reached a stage: `registered`, `released`."""
    if _exporter:
        _exporter.record(STAGE_LAG, seconds, {"stage": stage})


class _Lines(logging.Formatter):
    """Formats a record as one line: the time in UTC, level, logger, message and fields; JSON, or text for people."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        level, message = record.levelname.lower(), record.getMessage()
        known = {**_bound.get(), **record.__dict__}
        fields: dict[str, object] = {name: known[name] for name in FIELDS if known.get(name) is not None}
        if record.exc_info and record.exc_info[0]:
            fields["error"] = record.exc_info[0].__name__
            fields["where"] = _where(record.exc_info[2])
        if self.form == "json":
            line = {"at": at, "level": level, "logger": record.name, "message": message} | fields
            text = json.dumps(line, ensure_ascii=False, default=str)
            return text if text.isprintable() else json.dumps(line, default=str)  # what a terminal could act on
        shown = "".join(f" {name}={_shown(value)}" for name, value in fields.items())
        return f"{at} {level} {record.name}: {message}{shown}"


def _shown(value: object) -> str:
    text = str(value)
    return text if text.isprintable() else json.dumps(text)


def _where(trace: TracebackType | None) -> list[str]:
    return [f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in traceback.extract_tb(trace)][-8:]


class _Stderr(logging.Handler):
    """Writes to the present `sys.stderr`, not to the one at the time logging was set up."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; a closed standard error stops nothing."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            self.handleError(record)


class _Exporter:
    """Sends traces and metrics to the endpoint; making one imports OpenTelemetry."""

    def __init__(self, endpoint: str, source: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # heavy
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import StatusCode

        self.failed = StatusCode.ERROR
        base = endpoint.rstrip("/")
        resource = Resource.create({"service.name": SERVICE_NAME, "engang.source": source})
        self.traces = TracerProvider(resource=resource)
        self.traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{base}/v1/traces", timeout=5)))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{base}/v1/metrics", timeout=5))
        self.metrics = MeterProvider([reader], resource=resource)
        meter, self.tracer = self.metrics.get_meter(SERVICE_NAME), self.traces.get_tracer(SERVICE_NAME)
        self.histograms = {
            name: meter.create_histogram(name, unit="s", explicit_bucket_boundaries_advisory=bounds)
            for name, bounds in SECONDS_BOUNDS.items()
        }
        self.counters = {ROW_COUNT: meter.create_counter(ROW_COUNT, unit="{row}")}

    @contextmanager
    def span(self, hop: str, fields: dict[str, Any]) -> Iterator[None]:
        """Send a span of the block; its fields become attributes."""
        attributes = {f"engang.{name}": value for name, value in fields.items()}
        # OpenTelemetry would record the exception with its message, which may quote delivered data.
        with self.tracer.start_as_current_span(
            hop, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as current:
            try:
                yield
            except BaseException as error:  # re-raised
                current.set_attribute("error.type", type(error).__name__)
                current.set_status(self.failed)
                raise

    def record(self, name: str, value: float, attributes: dict[str, str]) -> None:
        """Record a duration in seconds."""
        self.histograms[name].record(value, attributes)

    def add(self, name: str, value: int, attributes: dict[str, str]) -> None:
        """Add to a counter."""
        self.counters[name].add(value, attributes)


_exporter: _Exporter | None = None
_configured: ObservabilitySettings | None = None


def configure(settings: Settings) -> None:
    """Log and send as the settings say. A second call with the same settings changes nothing."""
    global _exporter, _configured  # noqa: PLW0603  a process logs and sends one way
    wanted = settings.observability
    if wanted == _configured:
        return
    root = logging.getLogger(SERVICE_NAME)
    handler = _Stderr()
    handler.setFormatter(_Lines(wanted.log or "text"))
    root.handlers = [handler]
    root.setLevel(logging.INFO if wanted.log else logging.WARNING)
    root.propagate = False
    if _exporter is None and wanted.traces_to is not None:
        _exporter = _Exporter(wanted.traces_to, wanted.source)
    _configured = wanted
