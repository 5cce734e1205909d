"""The webhook: what is posted, how it is signed, which answers are an error, and that no redirect is followed."""

import hashlib
import hmac
import io
import socket
from collections.abc import Iterator

import pytest

from infra import webhook
from schemas.errors import WebhookError
from tests.support.webhook_receiver import Receiver, receiving

BODY = b'{"id": "1"}'


@pytest.fixture(scope="module")
def listening() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def receiver(listening: Receiver) -> Receiver:
    listening.got.clear()
    listening.answers.clear()
    return listening


def test_an_event_is_posted_signed_with_the_secret(receiver: Receiver) -> None:
    webhook.post(f"{receiver.url}/hook?key=1", "secret", BODY)
    ((path, headers, body),) = receiver.got
    assert (path, body) == ("/hook?key=1", BODY)
    assert headers["engang-signature"] == "sha256=" + hmac.new(b"secret", BODY, hashlib.sha256).hexdigest()
    assert headers["content-type"] == "application/cloudevents+json; charset=UTF-8"
    assert headers["user-agent"] == "engang"


def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    webhook.post(receiver.url, None, BODY)
    assert "engang-signature" not in receiver.got[0][1]


@pytest.mark.parametrize("code", [200, 201, 204, 299])
def test_what_the_receiver_accepts_is_sent(receiver: Receiver, code: int) -> None:
    receiver.answers[:] = [code]
    webhook.post(receiver.url, None, BODY)


@pytest.mark.parametrize(
    ("code", "refused"), [(399, False), (400, True), (404, True), (499, True), (500, False), (503, False)]
)
def test_only_a_client_error_is_a_refusal(receiver: Receiver, code: int, refused: bool) -> None:
    receiver.answers[:] = [code]
    with pytest.raises(WebhookError) as raised:
        webhook.post(f"{receiver.url}/?key=hidden", None, BODY)
    assert str(raised.value) == f"the receiver answered {code}: expected 2xx"
    assert raised.value.refused is refused


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, code: int) -> None:
    receiver.answers[:] = [code]
    with pytest.raises(WebhookError, match=f"answered {code}"):
        webhook.post(receiver.url, "secret", BODY)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("kind", ["ConnectionRefusedError", "gaierror"])
def test_a_receiver_that_is_not_there_is_told_without_its_address(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionRefusedError if kind == "ConnectionRefusedError" else socket.gaierror

    monkeypatch.setattr(socket, "create_connection", fail)
    with pytest.raises(WebhookError) as raised:
        webhook.post("http://receiver.invalid/?key=hidden", None, BODY)
    expected = f"the receiver does not answer ({kind}): see that ENGANG_WEBHOOK is right and it is up"
    assert str(raised.value) == expected
    assert raised.value.refused is False


def test_an_answer_has_to_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("infra.webhook.time.monotonic", lambda: now[0])
    left, right = socket.socketpair()
    with left, right:
        answer = webhook._UntilDeadline(left, io.BytesIO(b"abcdef"))  # type: ignore[arg-type]  # noqa: SLF001
        room = bytearray(3)
        now[0] = 109.5
        assert answer.readinto(room) == 3
        assert left.gettimeout() == 0.5
        now[0] = 110.0
        with pytest.raises(TimeoutError, match="the answer took too long"):
            answer.readinto(room)
        assert (answer.readable(), bytes(room)) == (True, b"abc")
