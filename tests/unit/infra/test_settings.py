"""Settings are read from the environment, and what cannot be one is said."""

import os
import re
import traceback
from operator import attrgetter
from pathlib import Path

import pytest

from infra import settings as reading
from infra.settings import (
    CHILD_VARIABLES,
    DEMO_CODELISTS,
    ObservabilitySettings,
    child_environment,
    query_environment,
    read_settings,
    user_name,
)
from infra.storage.places import S3Place
from schemas.errors import UsageError


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("ENGANG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_defaults(tmp_path: Path) -> None:
    settings = read_settings()
    assert settings.home == tmp_path / ".engang"
    assert settings.ledger_url == f"sqlite:///{tmp_path / '.engang' / 'ledger.db'}"
    assert (settings.contracts, settings.kinds, settings.vocabulary) == (None, None, None)
    assert (settings.max_file_bytes, settings.max_archive_files) == (5_368_709_120, 1_000_000)


def test_the_environment_and_the_caller_overrule_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_HOME", "there")
    monkeypatch.setenv("ENGANG_KINDS", "kinds")
    monkeypatch.setenv("ENGANG_VOCABULARY", "words")
    assert (read_settings().kinds, read_settings().vocabulary) == (Path("kinds"), Path("words"))
    monkeypatch.setenv("ENGANG_MAX_FILE_BYTES", "10")
    assert read_settings().lake == tmp_path / "there" / "lake"
    assert read_settings(tmp_path / "here").landing == tmp_path / "here" / "landing"
    assert read_settings().max_file_bytes == 10


@pytest.mark.parametrize(
    ("variable", "name", "default"),
    [
        ("ROWS", "rows", 20_000_000), ("COLUMNS", "columns", 16_384), ("CELLS", "cells", 60_000_000),
        ("SHEET_CELLS", "sheet_cells", 12_000_000), ("REJECTS", "rejects", 1000),
    ],
)  # fmt: skip
def test_each_count_of_a_file_has_a_limit(
    variable: str, name: str, default: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert getattr(read_settings().reading, name) == default
    monkeypatch.setenv(f"ENGANG_READ_{variable}", "7")
    assert getattr(read_settings().reading, name) == 7


@pytest.mark.parametrize("value", ["5G", "", "-1", "1e6", "٣"])
def test_a_limit_that_is_no_whole_number_is_wrong_use(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_MAX_FILE_BYTES", value)
    with pytest.raises(UsageError, match="ENGANG_MAX_FILE_BYTES"):
        read_settings()


def test_each_place_is_a_folder_or_a_prefix_of_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().arrivals == tmp_path / ".engang" / "arrivals"
    monkeypatch.setenv("ENGANG_ARRIVALS", "inn")
    monkeypatch.setenv("ENGANG_LANDING", "s3://nasjonal-bucket")
    monkeypatch.setenv("ENGANG_LAKE", "s3://nasjonal-bucket/the/lake/")
    settings = read_settings()
    assert settings.arrivals == tmp_path / "inn"
    assert settings.landing == S3Place("nasjonal-bucket")
    assert settings.lake == S3Place("nasjonal-bucket", "the/lake")
    assert (str(settings.lake), str(settings.landing)) == ("s3://nasjonal-bucket/the/lake", "s3://nasjonal-bucket")
    monkeypatch.setenv("ENGANG_S3_ENDPOINT", "http://localhost:9000")
    assert read_settings().lake == S3Place("nasjonal-bucket", "the/lake", "http://localhost:9000")


def test_an_installation_alone_in_a_home_keeps_nothing_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGANG_LEDGER", "postgresql://there/engang")
    for place in ("ARRIVALS", "LANDING", "LAKE"):
        monkeypatch.setenv(f"ENGANG_{place}", "s3://bucket/engang")
    settings = read_settings().isolated_in(tmp_path)
    assert (settings.arrivals, settings.landing, settings.lake) == (
        tmp_path / "arrivals",
        tmp_path / "landing",
        tmp_path / "lake",
    )
    assert settings.ledger_url == f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.mark.parametrize(
    "value", ["s3://", "s3://b", "s3://Bucket/x", "s3://bucket/a b", "s3://bucket//a", "gs://bucket"]
)
def test_a_place_that_is_none_is_wrong_use(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_LAKE", value)
    with pytest.raises(UsageError, match=r"ENGANG_LAKE: found .*expected"):
        read_settings()


def test_a_scheduler_is_named_by_scheme_host_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("tcp://scheduler:8786", "tls://[::1]:8786"):
        monkeypatch.setenv("ENGANG_CLUSTER", value)
        assert read_settings().cluster == value
    assert read_settings().isolated_in(Path("elsewhere")).cluster is None
    for value in ("scheduler:8786", "http://scheduler:8786", "tcp://scheduler", "tcp://user:secret@scheduler:8786"):
        monkeypatch.setenv("ENGANG_CLUSTER", value)
        with pytest.raises(UsageError, match=r"ENGANG_CLUSTER: expected") as raised:
            read_settings()
        assert "secret" not in str(raised.value)


def test_an_endpoint_that_is_no_address_is_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_S3_ENDPOINT", "localhost:9000")
    with pytest.raises(UsageError, match="ENGANG_S3_ENDPOINT"):
        read_settings()


@pytest.mark.parametrize(
    ("given", "both"),
    [
        ({"AWS_REGION": "eu-north-1"}, ("eu-north-1", "eu-north-1")),
        ({"AWS_DEFAULT_REGION": "eu-north-1"}, ("eu-north-1", "eu-north-1")),
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-west-1"}, ("eu-north-1", "eu-west-1")),
        ({}, (None, None)),
    ],
)
def test_either_variable_of_the_region_serves_both_libraries(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], both: tuple[str | None, str | None]
) -> None:
    """boto3 reads AWS_DEFAULT_REGION, deltalake AWS_REGION; what is documented is AWS_REGION alone."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, given.get(name, ""))
        if name not in given:
            monkeypatch.delenv(name)
    read_settings()
    assert (os.environ.get("AWS_REGION"), os.environ.get("AWS_DEFAULT_REGION")) == both


def test_the_check_page_is_on_this_machine_alone_and_may_be_off(monkeypatch: pytest.MonkeyPatch) -> None:
    page = read_settings().check_page
    assert (page.host, page.port, page.bytes, page.seconds, page.waiting, page.earlier, page.known) == (
        "127.0.0.1", 4201, 20_971_520, 120, 4, False, False,
    )  # fmt: skip
    monkeypatch.setenv("ENGANG_CHECK_PAGE", "[::1]:8080")
    monkeypatch.setenv("ENGANG_CHECK_PAGE_EARLIER", "on")
    assert (read_settings().check_page.host, read_settings().check_page.port) == ("::1", 8080)
    assert read_settings().check_page.earlier
    monkeypatch.setenv("ENGANG_CHECK_PAGE", "off")
    assert read_settings().check_page.host is None


@pytest.mark.parametrize(
    ("name", "value"), [("", "4201"), ("", "localhost"), ("", "a:65536"), ("", "a:"), ("_EARLIER", "yes")]
)
def test_an_address_or_a_switch_that_is_none_is_wrong_use(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ENGANG_CHECK_PAGE{name}", value)
    with pytest.raises(UsageError, match=f"ENGANG_CHECK_PAGE{name}: found '{value}', expected"):
        read_settings()


def test_a_variable_that_is_set_to_nothing_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files and CI set what they do not know to nothing: that is no wish for the current folder."""
    plain = read_settings()
    for name in (
        *("HOME", "LEDGER", "CODELISTS", "CONTRACTS", "KINDS", "VOCABULARY", "CORE_UNITS", "ARRIVALS", "LANDING"),
        *("LAKE", "EXPORTS", "TITLE", "PUBLISHER", "PUBLISHER_ID", "CONTACT", "LICENCE", "EXPORTS_URL", "QUEUE"),
        *("DEAD_LETTERS", "WEBHOOK", "WEBHOOK_SECRET", "OPENLINEAGE", "OPENLINEAGE_KEY", "SOURCE", "LOG", "MART"),
        *(
            "SITE",
            "CHECK_PAGE",
            "CHECK_PAGE_EARLIER",
            "CHECK_PAGE_KNOWN",
            "PSEUDONYM_KEY",
            "SIGNING_KEY",
            "S3_ENDPOINT",
        ),
    ):
        monkeypatch.setenv(f"ENGANG_{name}", "")
        assert read_settings() == plain, name
    assert (plain.home, plain.codelists) == (tmp_path / ".engang", DEMO_CODELISTS)


def test_each_limit_is_read_from_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {
        "MAX_FILE_BYTES": "max_file_bytes", "MAX_ARCHIVE_FILES": "max_archive_files",
        "DISCOVERY_FIGURES": "discovery_figures", "KEEP_RELEASES": "keep_releases",
        "READ_MEMORY": "reading.memory", "READ_SECONDS": "reading.seconds", "READ_REJECTS": "reading.rejects",
        "READ_ROWS": "reading.rows", "READ_COLUMNS": "reading.columns", "READ_CELLS": "reading.cells",
        "READ_SHEET_CELLS": "reading.sheet_cells", "UNPACK_BYTES": "reading.unpacked_bytes",
        "UNPACK_RATIO": "reading.unpack_ratio", "QUERY_MEMORY": "query.memory", "QUERY_SECONDS": "query.seconds",
        "QUERY_ROWS": "query.rows", "CHECK_PAGE_BYTES": "check_page.bytes", "CHECK_PAGE_SECONDS": "check_page.seconds",
        "CHECK_PAGE_WAITING": "check_page.waiting",
    }  # fmt: skip
    for number, name in enumerate(names, start=100):
        monkeypatch.setenv(f"ENGANG_{name}", str(number))
    settings = read_settings()
    assert [attrgetter(path)(settings) for path in names.values()] == list(range(100, 100 + len(names)))


def test_a_limit_has_at_most_eighteen_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_QUERY_ROWS", "9" * 18)
    assert read_settings().query.rows == 10**18 - 1
    for zeros in (18, 5000):
        monkeypatch.setenv("ENGANG_QUERY_ROWS", "1" + "0" * zeros)
        with pytest.raises(
            UsageError, match=r"^ENGANG_QUERY_ROWS: found '10{17}', expected a whole number below 10\^18$"
        ):
            read_settings()


@pytest.mark.parametrize("name", ["WEBHOOK", "OPENLINEAGE"])
@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("http://mottak.no/S3cret", "found http://mottak.no, expected https"),
        ("mottak.no/S3cret", "found ://None, expected https"),
        ("https:///S3cret", "found https://None, expected https"),
        ("ftp://localhost/S3cret", "found ftp://localhost, expected https"),
        ("https://user:S3cret@mottak.no:0/", "found https://mottak.no, expected https"),
        ("https://[::1/S3cret", "found a host or port that there cannot be, expected https"),
        ("https://mottak.no:70000/S3cret", "found a host or port that there cannot be, expected https"),
        ("https://mottak.no:S3cret/", "found a host or port that there cannot be, expected https"),
    ],
)
def test_an_address_that_is_none_is_wrong_use_and_shows_no_secret(
    name: str, value: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ENGANG_{name}", value)
    with pytest.raises(UsageError, match="^" + re.escape(f"ENGANG_{name}: {found}")) as caught:
        read_settings()
    assert "S3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "value", ["https://mottak.no/x?token=1", "http://localhost:8080", "http://127.0.0.1/x", "http://[::1]:8080/x"]
)
def test_plain_http_is_for_this_machine_alone(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_WEBHOOK", value)
    assert read_settings().observability.webhook == value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LOG", "yaml", "ENGANG_LOG: found 'yaml', expected json or text"),
        ("CORE_UNITS", "true", "ENGANG_CORE_UNITS: found 'true', expected on or off"),
        ("EXPORTS_URL", "data.example.no", "ENGANG_EXPORTS_URL: found 'data.example.no', expected https://host/path"),
        ("LANDING", "ftp://there", "ENGANG_LANDING: found 'ftp://there', expected a folder or s3://bucket/prefix"),
    ],
)
def test_a_value_that_is_none_of_the_possible_ones_is_wrong_use(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ENGANG_{name}", value)
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "short", "enough", "expected"),
    [
        ("PSEUDONYM", "k" * 31, "k" * 32, "found 31 characters, expected 32 or more, random"),
        ("SIGNING", "AB" * 32, "ab" * 32, "found 64 characters, expected 64 hex digits, random"),
        ("SIGNING", "ab" * 31, "09" * 32, "found 62 characters, expected 64 hex digits, random"),
        ("SIGNING", "ab" * 33, "0f" * 32, "found 66 characters, expected 64 hex digits, random"),
    ],
)
def test_a_key_is_long_enough_and_never_shown(
    name: str, short: str, enough: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ENGANG_{name}_KEY", short)
    with pytest.raises(UsageError, match=f"^ENGANG_{name}_KEY: {expected}$"):
        read_settings()
    monkeypatch.setenv(f"ENGANG_{name}_KEY", enough)
    assert getattr(read_settings(), f"{name.lower()}_key") == enough


def test_what_packages_state_of_the_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TITLE", "PUBLISHER", "PUBLISHER_ID", "CONTACT", "LICENCE"):
        monkeypatch.setenv(f"ENGANG_{name}", f"the {name}")
    monkeypatch.setenv("ENGANG_EXPORTS_URL", "https://data.example.no/engang//")
    found = read_settings().publication
    assert (found.title, found.publisher, found.publisher_id, found.contact, found.licence, found.address) == (
        "the TITLE", "the PUBLISHER", "the PUBLISHER_ID", "the CONTACT", "the LICENCE", "https://data.example.no/engang",
    )  # fmt: skip


def test_no_secret_is_shown_where_settings_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "LEDGER": "postgresql://u:S3cret@h/d", "MART": "postgresql://u:S3cret@h/d", "PSEUDONYM_KEY": "S3cret" * 6,
        "SIGNING_KEY": "5ec7e7" + "0" * 58, "WEBHOOK": "https://h/S3cret", "WEBHOOK_SECRET": "S3cret",
        "OPENLINEAGE": "https://h/S3cret", "OPENLINEAGE_KEY": "S3cret",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"ENGANG_{name}", value)
    settings = read_settings()
    assert settings.mart == "postgresql://u:S3cret@h/d"
    assert "S3cret" not in repr(settings)
    assert "5ec7e7" not in repr(settings)


def test_an_installation_alone_in_a_home_sends_nothing_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "QUEUE": "https://sqs/q", "DEAD_LETTERS": "https://sqs/d", "WEBHOOK": "https://h/x", "LOG": "json",
        "OPENLINEAGE": "https://h/y", "MART": "postgresql://h/d", "SITE": "site", "EXPORTS": "s3://bucket/packages",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"ENGANG_{name}", value)
    alone = read_settings().isolated_in(tmp_path)
    assert (alone.queue, alone.dead_letters, alone.mart) == (None, None, None)
    assert alone.observability == ObservabilitySettings()
    assert (alone.site_folder, alone.packages, alone.exports) == (
        tmp_path / "site", tmp_path / "packages", tmp_path / "releases",
    )  # fmt: skip


def test_a_child_gets_what_python_needs_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("ENGANG_PSEUDONYM_KEY", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "OTEL_EXPORTER_OTLP_HEADERS")
    for name in (*secrets, "LC_ALL", "POLARS_MAX_THREADS", "COVERAGE_PROCESS_START"):
        monkeypatch.setenv(name, "value")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    given = child_environment(Path("/product"))
    assert not set(secrets) & given.keys()
    assert {"LC_ALL", "POLARS_MAX_THREADS", "COVERAGE_PROCESS_START", "PATH"} <= given.keys()
    assert given["PYTHONPATH"] == "/product"
    assert all(name.startswith(CHILD_VARIABLES) for name in given)


def test_a_query_gets_the_environment_without_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_LEDGER", "postgresql://u:secret@h/d")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    given = query_environment()
    assert given["AWS_REGION"] == "eu-north-1"
    assert not [name for name in given if name.startswith("ENGANG_")]


@pytest.mark.parametrize("error", [KeyError("uid"), OSError("no such user"), ImportError("pwd")])
def test_a_user_without_a_name_is_asked_for_one(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise error

    monkeypatch.setattr(reading.getpass, "getuser", nameless)
    with pytest.raises(UsageError, match="the user who runs this has no name on this machine: give --who"):
        user_name()
