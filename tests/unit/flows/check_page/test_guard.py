"""What every request passes: who may ask, how much it may send, how long it may take, and what an error shows."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response

from flows.check_page.guard import DISCARD_FACTOR, FORM_BYTES, HEADERS, Guard
from infra.settings import CheckPageSettings

MOST = 1000
LIMITS = CheckPageSettings(bytes=MOST - FORM_BYTES, seconds=5)
"""So that a request may have `MOST` bytes in all."""
App = Callable[..., Awaitable[None]]


async def failure(_: Any, status: int) -> Response:
    return PlainTextResponse(f"failed {status}", status)


def asked(
    app: App,
    *parts: bytes,
    headers: dict[str, str] | None = None,
    limits: CheckPageSettings = LIMITS,
    local: bool = False,
) -> tuple[list[dict[str, Any]], int]:
    """Ask with a body of these parts; return what was sent, and how many parts were taken."""
    sent: list[dict[str, Any]] = []
    remaining = [{"type": "http.request", "body": p, "more_body": n < len(parts)} for n, p in enumerate(parts, 1)]
    taken = []

    async def receive() -> Any:
        taken.append(remaining.pop(0))
        return taken[-1]

    async def send(message: Any) -> None:
        sent.append(message)

    given = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": given, "query_string": b""}
    asyncio.run(Guard(app, limits, failure, local_only=local)(scope, receive, send))
    return sent, len(taken)


async def reads_all(_: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    try:
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
    except HTTPException as error:
        await PlainTextResponse(f"refused {error.status_code}")({"type": "http"}, receive, send)
        return
    await PlainTextResponse(f"read {size}")({"type": "http"}, receive, send)


def body_of(sent: list[dict[str, Any]]) -> str:
    return b"".join(message.get("body", b"") for message in sent).decode()


@pytest.mark.parametrize(
    ("parts", "headers", "answer", "taken"),
    [
        ([b"x" * MOST], {}, f"read {MOST}", 1),
        ([b"x" * 600, b"x" * 400], {"content-length": str(MOST)}, f"read {MOST}", 2),
        ([b"x" * (MOST + 1)], {}, "refused 413", 1),
        ([b"x" * 600, b"x" * 401], {}, "refused 413", 2),
        ([b"", b"x"], {"content-length": str(MOST + 1)}, "refused 413", 2),
        ([b"x"] * 3, {"content-length": "9" * 5000}, "refused 413", 3),
        ([b"x"], {"content-length": "many"}, "read 1", 1),
        ([b"x"], {"content-length": "-1"}, "read 1", 1),
        ([b"x" * MOST] * 9, {}, "refused 413", DISCARD_FACTOR),
    ],
)
def test_a_body_over_the_limit_is_thrown_away_to_a_point(
    parts: list[bytes], headers: dict[str, str], answer: str, taken: int
) -> None:
    sent, count = asked(reads_all, *parts, headers=headers)
    assert (body_of(sent), count) == (answer, taken)


async def answers(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("answered", headers={"Cache-Control": "max-age=60"})(scope, receive, send)


@pytest.mark.parametrize(
    ("host", "is_answered"),
    [
        ("localhost", True), ("LOCALHOST:4201", True), ("127.0.0.1:4201", True), ("[::1]:4201", True), ("[::1]", True),
        ("evil.example", False), ("localhost.evil.example", False), ("127.0.0.1.evil.example", False), ("", False),
        ("evil.example@localhost", True), ("localhost@evil.example", False), ("[::1", False), ("localhost\xe5", False),
        ("127.0.0.2", False),
    ],
)  # fmt: skip
def test_on_this_machine_alone_only_its_own_names_are_answered(host: str, *, is_answered: bool) -> None:
    sent, _ = asked(answers, headers={"host": host}, local=True)
    assert (sent[0]["status"], body_of(sent)) == ((200, "answered") if is_answered else (421, "failed 421"))
    assert body_of(asked(answers, headers={"host": host})[0]) == "answered", "elsewhere any name leads here"


def test_a_request_without_a_host_is_none_of_this_machine() -> None:
    assert asked(answers, local=True)[0][0]["status"] == 421


def test_each_answer_has_all_headers_and_keeps_its_own() -> None:
    for sent in (asked(answers)[0], asked(raises(ValueError("x")))[0]):
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        own = {"cache-control": "max-age=60"} if sent[0]["status"] == 200 else {}
        assert {name.lower(): value for name, value in HEADERS.items()} | own == {
            name: headers[name.lower()] for name in (each.lower() for each in HEADERS)
        }


def raises(error: BaseException, *, after: bool = False) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if after:
            await answers(scope, receive, send)
        raise error

    return app


def test_an_unforeseen_error_is_answered_and_its_text_is_logged_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        sent, _ = asked(raises(ValueError("the cell 4711")))
    assert (sent[0]["status"], body_of(sent)) == (500, "failed 500")
    (record,) = [record for record in caplog.records if record.getMessage() == "a request failed"]
    assert str(getattr(record, "error", "")).startswith("ValueError at test_guard.py:")
    assert "4711" not in caplog.text


def test_an_answer_that_has_begun_gets_no_second_one() -> None:
    sent, _ = asked(raises(ValueError("x"), after=True))
    assert [message.get("status") for message in sent if message["type"] == "http.response.start"] == [200]


def test_a_sender_who_hangs_up_gets_nothing() -> None:
    assert asked(raises(ClientDisconnect()))[0] == []


def test_what_takes_too_long_is_given_up() -> None:
    async def sleeps(*_: Any) -> None:
        await asyncio.sleep(60)

    sent, _ = asked(sleeps, limits=CheckPageSettings(seconds=0))
    assert (sent[0]["status"], body_of(sent)) == (503, "failed 503")


def test_what_is_no_request_of_http_passes() -> None:
    seen = []

    async def app(scope: Any, *_: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(Guard(app, LIMITS, failure, local_only=True)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]
