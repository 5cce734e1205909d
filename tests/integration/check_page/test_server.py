"""The server of the check page: no client holds it, and it ends when it is asked to."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from flows.check_page import server
from flows.check_page.process import check_page_process
from flows.installation import open_installation
from schemas.check_page import CheckPageSettings
from schemas.errors import UsageError
from tests.support.check_page import free_port, wait_for_page, write_contracts
from tests.support.cli_runner import engang
from tests.support.module_process import environment

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /check HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(write_contracts(tmp_path)))
    return tmp_path


@contextmanager
def served(
    monkeypatch: pytest.MonkeyPatch, seconds: int = 1, answer_seconds: float = 1, head_seconds: float = 2
) -> Iterator[tuple[str, int]]:
    """Serve the page in a thread of this process, with short limits, while the block runs; give its address."""
    monkeypatch.setattr(server, "HEAD_SECONDS", head_seconds)
    monkeypatch.setattr(server, "ANSWER_SECONDS", answer_seconds)
    monkeypatch.setattr(server, "CONNECTIONS", 4)
    opened = open_installation()
    settings = replace(opened.settings, check_page=CheckPageSettings(seconds=seconds))
    with server.listen("127.0.0.1", 0) as listener:
        page = server.make_server(replace(opened, settings=settings), "127.0.0.1")
        thread = threading.Thread(target=page.run, args=([listener],))
        thread.start()
        try:
            while not page.started:
                time.sleep(0.02)
            yield listener.getsockname()
        finally:
            page.should_exit = True
            thread.join()


@pytest.fixture
def address(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    assert home
    with served(monkeypatch) as found:
        yield found


def ask(address: tuple[str, int], *pieces: bytes) -> tuple[bytes, float]:
    """Return all that is answered to these pieces until the connection ends, and after how many seconds it does."""
    began = time.monotonic()
    with socket.create_connection(address, timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
    return answer, time.monotonic() - began


def test_one_request_a_connection_is_answered(address: tuple[str, int]) -> None:
    answer, _ = ask(address, GET + GET)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.count(b"HTTP/1.1") == 1


def test_a_head_that_does_not_arrive_ends_the_connection(address: tuple[str, int]) -> None:
    for beginning in (b"", b"GET / HTTP/1.1\r\nHost: lo"):
        answer, seconds = ask(address, beginning)
        assert (answer, seconds < 10) == (b"", True)


def test_a_body_that_does_not_arrive_gets_an_error(address: tuple[str, int]) -> None:
    answer, seconds = ask(address, POST + b"Content-Length: 1000\r\n\r\n--b\r\n")
    assert answer.startswith(b"HTTP/1.1 503")
    assert 0.9 < seconds < 10


def test_no_connection_lasts_longer_than_all_of_it_may_take(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home
    with served(monkeypatch, seconds=10, answer_seconds=-11) as found:
        answer, seconds = ask(found, POST + b"Content-Length: 1000\r\n\r\n--b\r\n")
    assert (answer, seconds < 9) == (b"", True)


def test_connections_beyond_the_limit_are_turned_away_and_the_next_ones_served(address: tuple[str, int]) -> None:
    waiting = [socket.create_connection(address) for _ in range(5)]
    for status in (b"503", b"200"):  # the second once the server has ended those that say nothing
        _ask_until(address, b"HTTP/1.1 " + status)
    for each in waiting:
        each.close()


def _ask_until(address: tuple[str, int], beginning: bytes) -> None:
    until = time.monotonic() + 60
    while not ask(address, GET)[0].startswith(beginning):
        assert time.monotonic() < until, f"it never answers {beginning!r}"
        time.sleep(0.05)


def test_a_taken_address_is_a_clear_error(home: Path) -> None:
    assert home
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = engang("check-page", "--port", taken.getsockname()[1])
        assert (refused.code, "cannot listen" in refused.err, "ENGANG_CHECK_PAGE" in refused.err) == (2, True, True)
    with pytest.raises(UsageError, match="cannot listen"):
        server.listen("no.such.host.invalid", 80)


SERVED = """
import os, sys
from flows.check_page.process import check_page_process
from schemas.check_page import CheckPageSettings
with check_page_process(CheckPageSettings(port=int(sys.argv[1])), os.environ):
    print("served", flush=True)
    sys.stdin.read()
"""


def test_the_page_ends_when_the_process_that_serves_it_is_killed(home: Path) -> None:
    assert home
    port = free_port()
    command = [sys.executable, "-c", SERVED, str(port)]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment())
    try:
        wait_for_page(parent, port)
    finally:
        parent.kill()
        parent.wait()
    until = time.monotonic() + 120
    while is_open(port):
        assert time.monotonic() < until, "its page goes on"
        time.sleep(0.1)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_no_page_is_served_where_it_is_off() -> None:
    with check_page_process(CheckPageSettings(host=None), {}):
        assert not [each for each in threading.enumerate() if each.name == "check-page-process"]
