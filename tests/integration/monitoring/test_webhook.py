"""The webhook's client: what it posts, and which answers are failures."""

import hashlib
import hmac
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from infra import webhook
from infra.webhook import post
from schemas.errors import WebhookError
from tests.support.webhook_receiver import receiving

PATH = "/key-in-the-path"


def test_a_body_is_posted_with_its_signature() -> None:
    with receiving() as receiver:
        post(receiver.url + PATH, "s3cret", b"{}")
        post(receiver.url + PATH, None, b"{}")
    (path, signed, body), (_, unsigned, _) = receiver.got
    assert (path, body) == (PATH, b"{}")
    assert signed["engang-signature"] == "sha256=" + hmac.new(b"s3cret", b"{}", hashlib.sha256).hexdigest()
    assert "engang-signature" not in unsigned


@pytest.mark.parametrize(("answer", "refused"), [(400, True), (410, True), (302, False), (500, False), (503, False)])
def test_an_answer_other_than_2xx_is_an_error_without_the_url(answer: int, refused: bool) -> None:
    with receiving() as receiver:
        receiver.answers = [answer]
        with pytest.raises(WebhookError, match=f"answered {answer}: expected 2xx") as raised:
            post(receiver.url + PATH, "s3cret", b"{}")
    assert raised.value.refused is refused
    assert len(receiver.got) == 1, "a redirect is not followed"
    assert PATH not in str(raised.value)


def test_a_receiver_that_is_down_is_an_error_without_the_url() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}{PATH}"
    with pytest.raises(WebhookError, match=r"does not answer \(ConnectionRefusedError\)") as raised:
        post(url, None, b"{}")
    assert not raised.value.refused
    assert PATH not in str(raised.value)


@contextmanager
def trickling(beginning: bytes) -> Iterator[str]:
    """Give the URL of a receiver that begins an answer, and then sends a byte of a header ten times a second."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def _answer() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(beginning)
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.1)

        threading.Thread(target=_answer, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}{PATH}"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_to_no_url_at_all_is_an_answer_like_others(code: int) -> None:
    beginning = f"HTTP/1.1 {code} Elsewhere\r\nLocation: http://[\r\nConnection: close\r\n\r\n".encode()
    with trickling(beginning) as url, pytest.raises(WebhookError, match=f"answered {code}"):
        post(url, None, b"{}")


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nX: "], ids=["status line", "headers"])
def test_an_answer_that_trickles_in_is_cut_off(beginning: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 1)
    began = time.monotonic()
    with trickling(beginning) as url, pytest.raises(WebhookError, match=r"does not answer \((TimeoutError|timeout)\)"):
        post(url, None, b"{}")
    assert time.monotonic() - began < 60
