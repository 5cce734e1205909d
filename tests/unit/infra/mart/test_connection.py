"""Where a mart is: what is taken as its address, and that its secrets and cells are shown to nobody."""

import traceback
from typing import Any

import psycopg
import pytest

from infra.mart import connection as database
from infra.mart.connection import MartAddress, mart_connection
from schemas.errors import StoreError, UsageError

HIDDEN = "S3cret"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://host/engang", "postgresql://host/engang"),
        ("postgres://host:5433/engang", "postgresql://host:5433/engang"),
        ("postgresql+psycopg://ola@host:5432/engang", "postgresql://ola@host:5432/engang"),
        (f"postgresql://ola:{HIDDEN}@host/engang?sslmode=require", "postgresql://ola@host/engang"),
        (f"postgresql://ola@host/engang?password={HIDDEN}", "postgresql://ola@host/engang"),
        ("postgresql:///engang?host=/run/postgresql", "postgresql:///engang"),
        ("postgresql://", "postgresql:///"),
    ],
)
def test_an_address_shows_where_the_mart_is_and_no_secret(url: str, shown: str) -> None:
    address = MartAddress(url, "ENGANG_MART")
    assert (str(address), repr(address)) == (shown, shown)


@pytest.mark.parametrize(
    ("url", "has_password"),
    [
        ("postgresql://ola@host/d", False),
        ("postgresql://ola@host/d?sslmode=require", False),
        (f"postgresql://ola:{HIDDEN}@host/d", True),
        (f"postgresql://ola@host/d?password={HIDDEN}", True),
        (f"postgresql://ola@host/d?sslpassword={HIDDEN}", True),
    ],
)
def test_a_secret_in_the_address_is_noticed(url: str, *, has_password: bool) -> None:
    assert MartAddress(url, "--url").has_password is has_password


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("mart", "found no URL of a database, expected postgresql://USER@HOST:PORT/DATABASE"),
        ("", "found no URL of a database"),
        ("postgresql://host:port/d", "found no URL of a database"),
        (f"postgresql://ola:{HIDDEN}@host:port/d", "found no URL of a database"),
        (f"mysql://ola:{HIDDEN}@host/d", "found mysql://, expected postgresql://"),
        ("sqlite:///mart.db", "found sqlite://, expected postgresql://"),
        (f"postgresql://ola:p@{HIDDEN}@host/d", "found several @, expected one: write @ in a user or password as %40"),
        (f"postgresql://ola@{HIDDEN}:x@host/d", "found several @, expected one"),
    ],
)
def test_what_is_no_address_is_wrong_use_and_shows_no_secret(url: str, found: str) -> None:
    with pytest.raises(UsageError) as caught:
        MartAddress(url, "ENGANG_MART")
    assert str(caught.value).startswith(f"ENGANG_MART: {found}")
    assert HIDDEN not in "".join(traceback.format_exception(caught.value)).replace(url, "")


def test_the_driver_gets_each_part_and_the_parameters_of_the_address() -> None:
    address = MartAddress("postgresql://ola:p%40ss@host:5433/engang?sslmode=require&connect_timeout=3", "--url")
    assert address.parameters() == {
        "connect_timeout": "3", "application_name": "engang", "sslmode": "require",
        "user": "ola", "password": "p@ss", "host": "host", "port": 5433, "dbname": "engang",
    }  # fmt: skip
    assert MartAddress("postgresql:///d", "--url").parameters() == {
        "connect_timeout": database.CONNECT_SECONDS, "application_name": "engang", "dbname": "d",
    }  # fmt: skip


def test_a_text_of_the_driver_loses_each_secret() -> None:
    address = MartAddress(f"postgresql://ola:{HIDDEN}@host/d?sslpassword=other", "--url")
    assert address.without_secrets(f"bad {HIDDEN}, {HIDDEN} and other") == "bad ***, *** and ***"
    assert MartAddress("postgresql://ola@host/d", "--url").without_secrets("bad password") == "bad password"


class Failure(psycopg.errors.UniqueViolation):
    """What the server answers, with the names that it adds."""

    sqlstate = "23505"

    def __init__(self, text: str, **names: str) -> None:
        super().__init__(text)
        self.names = {"constraint_name": None, "table_name": None, "message_primary": text, **names}

    @property
    def diag(self) -> Any:
        return type("Diagnostic", (), self.names)


@pytest.mark.parametrize(
    ("state", "names", "shown"),
    [
        ("23505", {"constraint_name": "pk_x", "table_name": "x"}, "Failure (23505, pk_x of x)"),
        ("22P02", {"table_name": "x"}, "Failure (22P02, x)"),
        ("42501", {}, "the cell 4711 (42501)"),
        ("53100", {"table_name": "x"}, "the cell 4711 (53100, x)"),
        ("XX000", {}, "Failure (XX000)"),
    ],
)
def test_a_message_of_the_server_is_shown_only_where_it_can_quote_no_cell(
    state: str, names: dict[str, str], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Failure, "sqlstate", state)

    def connect(**_: object) -> None:
        raise Failure("the cell 4711", **names)

    monkeypatch.setattr(psycopg, "connect", connect)
    with (
        pytest.raises(StoreError) as caught,
        mart_connection(MartAddress(f"postgresql://ola:{HIDDEN}@host/d", "--url")),
    ):
        pass
    expected = "What it held before is unchanged; `engang mart sync` goes on from there"
    assert str(caught.value) == f"the mart postgresql://ola@host/d: {shown}. {expected}"
    assert ("4711" in "".join(traceback.format_exception(caught.value))) is ("4711" in shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [(f"no route\nto {HIDDEN}", "no route"), (f"password {HIDDEN} refused", "password *** refused"), ("", "Operat")],
)
def test_of_an_error_before_the_server_answers_the_first_line_is_shown(
    text: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(**_: object) -> None:
        raise psycopg.OperationalError(text)

    monkeypatch.setattr(psycopg, "connect", connect)
    with (
        pytest.raises(StoreError, match=rf"^the mart postgresql://ola@host/d: {shown.replace('*', '[*]')}") as caught,
        mart_connection(MartAddress(f"postgresql://ola:{HIDDEN}@host/d", "--url")),
    ):
        pass
    assert HIDDEN not in str(caught.value)
