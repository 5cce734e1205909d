"""Settings: the only reader of the environment."""

import gc
import getpass
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from infra.storage.places import Place, read_place
from schemas.check_page import CheckPageSettings
from schemas.errors import UsageError
from schemas.publication import Publication
from schemas.reading_limits import ReadingLimits

DEMO_CODELISTS: Final = Path(__file__).parent.parent / "schemas" / "codelists" / "demo"
CHILD_VARIABLES: Final = (
    "PATH", "HOME", "LANG", "LC_", "TZ", "TMPDIR", "LD_", "PYTHON", "PYDANTIC", "POLARS", "_RJEM_", "COVERAGE_",
)  # fmt: skip
"""Beginnings of the names of the variables that a child process gets."""
SHORTEST_KEY: Final = 32
"""Characters of a key below which somebody could try them all."""
DISCOVERY_FIGURES: Final = 200_000
"""So many figures a night compares by default, in about two seconds."""
KEEP_RELEASES: Final = 90
"""So many releases can be read by default: those of a quarter, if every night publishes one."""
LIMIT_DIGITS: Final = 18
"""The most digits of a limit."""
HIGHEST_PORT: Final = 65535
LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
"""Hosts to which plain http is no risk."""
NO_PUBLICATION: Final = Publication()
"""What packages state of the dataset while no setting does."""


@dataclass(frozen=True)
class ObservabilitySettings:
    """Where events, log lines, traces and metrics go.

    webhook: URL that events are posted to; webhook_secret signs them. source: the CloudEvents source of the events.
    lineage: URL of a lineage service, which gets what each run read and wrote; lineage_key is its API key.
    log: `json` or `text`. traces_to: the OTLP endpoint of traces and metrics.
    """

    webhook: str | None = field(default=None, repr=False)
    webhook_secret: str | None = field(default=None, repr=False)
    lineage: str | None = field(default=None, repr=False)
    lineage_key: str | None = field(default=None, repr=False)
    source: str = "urn:engang"
    prefect_api: str | None = None
    log: str | None = None
    traces_to: str | None = None


@dataclass(frozen=True)
class QueryLimits:
    """What one query may take: bytes of memory, seconds, rows of its result."""

    memory: int = 10**9
    seconds: int = 60
    rows: int = 1_000_000


@dataclass(frozen=True)
class Settings:
    """Where an installation stores its data, the limits of one delivery, and what it reports to others.

    arrivals_at, landing_at, lake_at: where these are, if not in the home. packages_at, site: where the night publishes
    an analyst's package and the pages of its release, mart: the URL of the PostgreSQL database that it brings to its
    release; None for none. vocabulary: files besides the shipped ones. queue, dead_letters: URLs of the queue that
    announces arrivals, and of its dead-letter queue. discovery_figures: how many figures a night compares to find
    double reporting that nobody declared; 0 for none. keep_releases: how many of the newest can be read, 0: all.
    cluster: the address of the Dask scheduler whose workers read deliveries; None where each night does it alone.
    """

    home: Path
    ledger_url: str = field(repr=False)
    codelists: Path
    contracts: Path | None
    kinds: Path | None
    max_file_bytes: int
    max_archive_files: int
    reading: ReadingLimits = field(default_factory=ReadingLimits)
    vocabulary: Path | None = None
    core_units: bool = True
    arrivals_at: Place | None = None
    landing_at: Place | None = None
    lake_at: Place | None = None
    packages_at: Place | None = None
    publication: Publication = NO_PUBLICATION
    queue: str | None = None
    dead_letters: str | None = None
    observability: ObservabilitySettings = ObservabilitySettings()
    query: QueryLimits = QueryLimits()
    check_page: CheckPageSettings = field(default_factory=CheckPageSettings)
    pseudonym_key: str | None = field(default=None, repr=False)
    signing_key: str | None = field(default=None, repr=False)
    discovery_figures: int = DISCOVERY_FIGURES
    mart: str | None = field(default=None, repr=False)
    site: Path | None = None
    keep_releases: int = KEEP_RELEASES
    cluster: str | None = None

    @property
    def arrivals(self) -> Place:
        """Where senders put their files: `<sender>/<contract>/[period=<P>/]<filename>`."""
        return self.arrivals_at or self.home / "arrivals"

    @property
    def landing(self) -> Place:
        """The landing zone."""
        return self.landing_at or self.home / "landing"

    @property
    def lake(self) -> Place:
        """The lake."""
        return self.lake_at or self.home / "lake"

    @property
    def exports(self) -> Path:
        """Where releases are exported as plain Parquet."""
        return self.home / "releases"

    @property
    def packages(self) -> Place:
        """Where packages for analysts are published."""
        return self.packages_at or self.home / "packages"

    @property
    def site_folder(self) -> Path:
        """Where the site of a release is written."""
        return self.site or self.home / "site"

    def isolated_in(self, home: Path) -> "Settings":
        """Return the settings of an installation that stores everything in its own home, and sends nothing out."""
        stores = ("arrivals_at", "landing_at", "lake_at", "packages_at", "mart", "site")
        places = (*stores, "queue", "dead_letters", "cluster")
        nowhere: dict[str, Any] = dict.fromkeys(places)
        ledger, silent = f"sqlite:///{home / 'ledger.db'}", ObservabilitySettings()
        return replace(self, home=home, ledger_url=ledger, observability=silent, **nowhere)


def read_settings(home: Path | None = None) -> Settings:
    """Read the settings from the environment; `home` takes precedence over ENGANG_HOME (default ./.engang).

    Raises `UsageError` for a limit that is not a whole number, and for a malformed place or URL.

    ENGANG_LEDGER     SQLAlchemy URL, default SQLite in the home
    ENGANG_CODELISTS  folder of the code-list snapshot, default the demo's
    ENGANG_CORE_UNITS whether the register has Norway, its counties and electoral districts too: on (default) or off
    ENGANG_CONTRACTS  folder of contracts to use instead of the shipped ones
    ENGANG_KINDS      folder of record kinds to use instead of the shipped ones
    ENGANG_VOCABULARY folder of vocabulary files to use in addition to the shipped ones
    ENGANG_MAX_FILE_BYTES, ENGANG_MAX_ARCHIVE_FILES  limits of one delivery
    ENGANG_READ_MEMORY, ENGANG_READ_SECONDS, ENGANG_READ_REJECTS  what reading one file may cost
    ENGANG_READ_ROWS, ENGANG_READ_COLUMNS, ENGANG_READ_CELLS, ENGANG_READ_SHEET_CELLS  what one file may have
    ENGANG_UNPACK_BYTES, ENGANG_UNPACK_RATIO  what a gzipped file or an archive may unpack to
    ENGANG_PSEUDONYM_KEY  key of the pseudonyms of personal data, at least 32 characters
    ENGANG_SIGNING_KEY  private key that signs releases, 64 hex digits; by default one that is made in the home
    ENGANG_QUERY_MEMORY, ENGANG_QUERY_SECONDS, ENGANG_QUERY_ROWS  limits of one query
    ENGANG_DISCOVERY_FIGURES  how many figures a night compares to find double reporting, default 200000; 0 for none
    ENGANG_KEEP_RELEASES  how many releases, the newest, can be read, default 90; 0 for all
    ENGANG_CLUSTER    tcp://HOST:PORT or tls://HOST:PORT of the Dask scheduler whose workers read deliveries for a night
    ENGANG_MART       postgresql:// URL of the database that each night brings to its release
    ENGANG_SITE       folder to which a night writes the release's site, by default none is written
    ENGANG_CHECK_PAGE  HOST:PORT of the check page, or off; ENGANG_CHECK_PAGE_BYTES, ENGANG_CHECK_PAGE_SECONDS,
                      ENGANG_CHECK_PAGE_WAITING, ENGANG_CHECK_PAGE_EARLIER, ENGANG_CHECK_PAGE_KNOWN  what it takes and
                      shows
    ENGANG_ARRIVALS, ENGANG_LANDING, ENGANG_LAKE  a folder or s3://bucket/prefix each, default a folder of the home
    ENGANG_EXPORTS    where the night publishes packages for analysts, a folder or s3://bucket/prefix, default nowhere
    ENGANG_TITLE, ENGANG_PUBLISHER, ENGANG_PUBLISHER_ID, ENGANG_CONTACT, ENGANG_LICENCE, ENGANG_EXPORTS_URL  what they
                      state of the dataset
    ENGANG_QUEUE, ENGANG_DEAD_LETTERS  URLs of the SQS queue that announces arrivals, and of its dead-letter queue
    ENGANG_WEBHOOK    URL that events are posted to, ENGANG_WEBHOOK_SECRET signs them, ENGANG_SOURCE is their source
    ENGANG_OPENLINEAGE  URL of a lineage service (OpenLineage), ENGANG_OPENLINEAGE_KEY is its API key
    ENGANG_LOG        json or text: log lines on standard error, by default only warnings, as text
    PREFECT_API_URL   events are emitted to Prefect too; OTEL_EXPORTER_OTLP_ENDPOINT gets traces and metrics
    ENGANG_S3_ENDPOINT  an S3 service other than AWS; region and credentials come from the AWS variables, files or role
    """
    _share_region()
    home = (home or Path(_text("ENGANG_HOME") or ".engang")).absolute()
    return Settings(
        home=home,
        ledger_url=_text("ENGANG_LEDGER") or f"sqlite:///{home / 'ledger.db'}",
        codelists=_folder("ENGANG_CODELISTS") or DEMO_CODELISTS,
        contracts=_folder("ENGANG_CONTRACTS"),
        kinds=_folder("ENGANG_KINDS"),
        vocabulary=_folder("ENGANG_VOCABULARY"),
        core_units=_is_on("ENGANG_CORE_UNITS", "on"),
        max_file_bytes=_limit("ENGANG_MAX_FILE_BYTES", 5 * 2**30),
        max_archive_files=_limit("ENGANG_MAX_ARCHIVE_FILES", 1_000_000),
        reading=_reading_limits(),
        arrivals_at=_place("ENGANG_ARRIVALS"),
        landing_at=_place("ENGANG_LANDING"),
        lake_at=_place("ENGANG_LAKE"),
        packages_at=_place("ENGANG_EXPORTS"),
        publication=_publication(),
        queue=_text("ENGANG_QUEUE"),
        dead_letters=_text("ENGANG_DEAD_LETTERS"),
        observability=_observability(),
        query=_query_limits(),
        check_page=_check_page(),
        pseudonym_key=_pseudonym_key(),
        signing_key=_signing_key(),
        discovery_figures=_limit("ENGANG_DISCOVERY_FIGURES", DISCOVERY_FIGURES),
        mart=_text("ENGANG_MART"),
        site=_folder("ENGANG_SITE"),
        keep_releases=_limit("ENGANG_KEEP_RELEASES", KEEP_RELEASES),
        cluster=_cluster(),
    )


def _text(name: str) -> str | None:
    """Return a setting; one that is set to nothing is not set, as Compose and CI set what they do not know."""
    return os.environ.get(name) or None


def _folder(name: str) -> Path | None:
    return Path(value) if (value := _text(name)) else None


def _publication() -> Publication:
    address = _text("ENGANG_EXPORTS_URL")
    if address is not None and not address.startswith(("https://", "http://")):
        raise UsageError(f"ENGANG_EXPORTS_URL: found {address!r}, expected https://host/path")
    return Publication(
        title=_text("ENGANG_TITLE") or Publication().title,
        publisher=_text("ENGANG_PUBLISHER"),
        publisher_id=_text("ENGANG_PUBLISHER_ID"),
        contact=_text("ENGANG_CONTACT"),
        licence=_text("ENGANG_LICENCE"),
        address=address.rstrip("/") if address else None,
    )


def _pseudonym_key() -> str | None:
    key = _text("ENGANG_PSEUDONYM_KEY")
    if key is not None and len(key) < SHORTEST_KEY:
        raise UsageError(f"ENGANG_PSEUDONYM_KEY: found {len(key)} characters, expected {SHORTEST_KEY} or more, random")
    return key


def _signing_key() -> str | None:
    key = _text("ENGANG_SIGNING_KEY")
    if key is not None and re.fullmatch(r"[0-9a-f]{64}", key) is None:
        raise UsageError(f"ENGANG_SIGNING_KEY: found {len(key)} characters, expected 64 hex digits, random")
    return key


def _query_limits() -> QueryLimits:
    default = QueryLimits()
    return QueryLimits(
        memory=_limit("ENGANG_QUERY_MEMORY", default.memory),
        seconds=_limit("ENGANG_QUERY_SECONDS", default.seconds),
        rows=_limit("ENGANG_QUERY_ROWS", default.rows),
    )


def _check_page() -> CheckPageSettings:
    default = CheckPageSettings()
    value = _text("ENGANG_CHECK_PAGE") or f"{default.host}:{default.port}"
    address = re.fullmatch(r"(.+):([0-9]{1,5})", value)
    if value != "off" and (address is None or int(address[2]) > HIGHEST_PORT):
        raise UsageError(f"ENGANG_CHECK_PAGE: found {value!r}, expected HOST:PORT or off")
    return CheckPageSettings(
        host=address[1].strip("[]") if address else None,
        port=int(address[2]) if address else default.port,
        bytes=_limit("ENGANG_CHECK_PAGE_BYTES", default.bytes),
        seconds=_limit("ENGANG_CHECK_PAGE_SECONDS", default.seconds),
        waiting=_limit("ENGANG_CHECK_PAGE_WAITING", default.waiting),
        earlier=_is_on("ENGANG_CHECK_PAGE_EARLIER"),
        known=_is_on("ENGANG_CHECK_PAGE_KNOWN"),
    )


def _is_on(name: str, default: str = "off") -> bool:
    value = _text(name) or default
    if value not in {"on", "off"}:
        raise UsageError(f"{name}: found {value!r}, expected on or off")
    return value == "on"


def _reading_limits() -> ReadingLimits:
    default = ReadingLimits()
    return ReadingLimits(
        memory=_limit("ENGANG_READ_MEMORY", default.memory),
        seconds=_limit("ENGANG_READ_SECONDS", default.seconds),
        unpacked_bytes=_limit("ENGANG_UNPACK_BYTES", default.unpacked_bytes),
        unpack_ratio=_limit("ENGANG_UNPACK_RATIO", default.unpack_ratio),
        rejects=_limit("ENGANG_READ_REJECTS", default.rejects),
        rows=_limit("ENGANG_READ_ROWS", default.rows),
        columns=_limit("ENGANG_READ_COLUMNS", default.columns),
        cells=_limit("ENGANG_READ_CELLS", default.cells),
        sheet_cells=_limit("ENGANG_READ_SHEET_CELLS", default.sheet_cells),
    )


def _share_region() -> None:
    """Let either variable of AWS's region serve both libraries: boto3 reads one of them, deltalake the other."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region:
        os.environ["AWS_REGION"] = region
        os.environ.setdefault("AWS_DEFAULT_REGION", region)


def _place(name: str) -> Place | None:
    value, endpoint = _text(name), _text("ENGANG_S3_ENDPOINT")
    if endpoint is not None and not endpoint.startswith(("https://", "http://")):
        raise UsageError(f"ENGANG_S3_ENDPOINT: found {endpoint!r}, expected https://host[:port]")
    return read_place(value, name, endpoint) if value else None


def _observability() -> ObservabilitySettings:
    log = _text("ENGANG_LOG")
    if log not in {None, "json", "text"}:
        raise UsageError(f"ENGANG_LOG: found {log!r}, expected json or text")
    return ObservabilitySettings(
        webhook=_address("ENGANG_WEBHOOK"),
        webhook_secret=_text("ENGANG_WEBHOOK_SECRET"),
        lineage=_address("ENGANG_OPENLINEAGE"),
        lineage_key=_text("ENGANG_OPENLINEAGE_KEY"),
        source=_text("ENGANG_SOURCE") or ObservabilitySettings.source,
        prefect_api=_text("PREFECT_API_URL"),
        log=log,
        traces_to=_text("OTEL_EXPORTER_OTLP_ENDPOINT"),
    )


def _address(name: str) -> str | None:
    value = _text(name)
    if value is None:
        return None
    expected = "expected https://host/path (http only on this machine)"
    try:
        url = urlsplit(value)
        host, port = url.hostname, url.port
    except ValueError:  # not chained: its text quotes a part of the URL, which may be a secret
        raise UsageError(f"{name}: found a host or port that there cannot be, {expected}") from None
    if host is None or port == 0 or url.scheme not in ({"https", "http"} if host in LOCAL_HOSTS else {"https"}):
        raise UsageError(f"{name}: found {url.scheme}://{host}, {expected}")  # no path either
    return value


def _cluster() -> str | None:
    value = os.environ.get("ENGANG_CLUSTER") or None
    if value is not None and not re.fullmatch(r"(tcp|tls)://[^/@\s]+:[0-9]{1,5}", value):
        raise UsageError("ENGANG_CLUSTER: expected tcp://HOST:PORT or tls://HOST:PORT of a Dask scheduler")
    return value


def _limit(name: str, default: int) -> int:
    value = os.environ.get(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) <= LIMIT_DIGITS):
        raise UsageError(f"{name}: found {value[:LIMIT_DIGITS]!r}, expected a whole number below 10^{LIMIT_DIGITS}")
    return int(value)


def query_environment() -> dict[str, str]:
    """Return the environment of a process that runs what others wrote: without Engang's own settings and secrets."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ENGANG_")}


def user_name() -> str:
    """Return the name of the user who runs this process; `UsageError` if the machine has none for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        raise UsageError("the user who runs this has no name on this machine: give --who") from error


def child_environment(root: Path) -> dict[str, str]:
    """Return the environment of a child that reads deliveries, without secrets; root: the folder of our packages."""
    own = {name: value for name, value in os.environ.items() if name.startswith(CHILD_VARIABLES)}
    return {**own, "PYTHONPATH": str(root)}


def worker_environment(home: Path) -> dict[str, str]:
    """Return what a worker process on this machine has besides this process's environment: the home, one thread."""
    return {"ENGANG_HOME": str(home), "POLARS_MAX_THREADS": os.environ.get("POLARS_MAX_THREADS", "1")}


def tune_start() -> None:
    """Make a command start faster; call it before the first pydantic model is defined.

    Garbage is collected after 100,000 new objects, not 700: imported modules stay, and 240 collections freed nothing.
    Pydantic searches every installed package for plugins, and there are none: that took a tenth of a start.
    """
    gc.set_threshold(100_000)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def tune_allocator() -> None:
    """Let Polars hold freed memory for seven seconds before returning it; call it before Polars is imported.

    The next batch needs the same memory: with five seconds, ten million claims took a fifth longer.
    """
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:7000,muzzy_decay_ms:0")
