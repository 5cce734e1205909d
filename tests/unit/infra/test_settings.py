"""Settings are read from the environment, and what cannot be one is said."""

import os
from pathlib import Path

import pytest

from infra.settings import read_settings
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
