"""S3 and SQS that can be made to fail: `moto_server` behind an HTTP proxy that draws faults, or kills who asks.

Run as a process of its own: prints one line of JSON, {"proxy": port, "direct": port}, and serves until its input ends.
It is commanded over HTTP, by JSON to paths under `/-proxy/`:

    faults  {"seed", "rate", "kinds"}      from now on, draw a fault for this share of requests
    calm    {}                             no more faults; answers how many of each kind there were since
    kill    {"pid", "at", "answered"}      kill -9 the process at its n-th request from now, before the request reaches
                                           the store or, if answered, after it did and before the answer comes back
    count   {}                             how many requests there were since the last `kill` or `count`
"""

import asyncio
import json
import logging
import os
import random
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from moto.server import ThreadedMotoServer

from tests.support.moto_server import make_atomic

LINE = b"\r\n"
END = LINE * 2
HOLD_SECONDS = 2.5
"""How long a request that times out is held: longer than the clients of the tests wait."""
SLOW_SECONDS = 0.15
CUT = 20
"""Bytes of an answer that get through before the line breaks."""
BUSY = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>drawn by the test</Message>'
    b"<RequestId>0</RequestId></Error>"
)
ERRORS = {"500": (b"500 Internal Server Error", b"InternalError"), "503": (b"503 Slow Down", b"SlowDown")}
KINDS = ("500", "503", "reset", "reset after", "timeout", "timeout after", "slow", "cut")


@dataclass
class Plan:
    """What is to go wrong."""

    rate: float = 0.0
    kinds: tuple[str, ...] = KINDS
    chance: random.Random = field(default_factory=random.Random)
    drawn: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    pid: int | None = None
    at: int = 0
    answered: bool = False

    def draw(self) -> str | None:
        """Return what goes wrong with this request."""
        if self.chance.random() >= self.rate:
            return None
        kind = self.chance.choice(self.kinds)
        self.drawn[kind] += 1
        return kind

    def kill(self, number: int, *, answered: bool) -> bool:
        """Kill the process if this is its request; tell whether it was."""
        if self.pid is None or answered != self.answered or number != self.at:
            return False
        os.kill(self.pid, signal.SIGKILL)
        self.pid = None
        return True

    def command(self, name: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Obey."""
        if name == "faults":
            self.rate, self.kinds = fields["rate"], tuple(fields.get("kinds", KINDS))
            self.chance = random.Random(fields["seed"])
            return {}
        if name == "calm":
            drawn, self.drawn, self.rate = dict(self.drawn), Counter(), 0.0
            return drawn
        count, self.requests = self.requests, 0
        if name == "kill":
            self.pid, self.at, self.answered = fields["pid"], fields["at"], fields.get("answered", False)
        return {"requests": count}


class Broken(Exception):  # noqa: N818  no error: the line is to break
    """The connection is to be cut off, after these bytes."""


class Proxy:
    """Hands requests on to the store, one connection each, unless the plan says otherwise."""

    def __init__(self, store: int) -> None:
        self.store = store
        self.plan = Plan()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while True:
                head = await reader.readuntil(END)
                body = await _body(head, reader, writer)
                target = head.split(b" ", 2)[1].decode()
                if target.startswith("/-proxy/"):
                    payload = json.dumps(
                        self.plan.command(target.rpartition("/")[2], json.loads(body or b"{}"))
                    ).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(payload), payload))
                else:
                    writer.write(await self.answer(head, body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Broken as broken:
            writer.write(b"".join(broken.args))
            await asyncio.sleep(0)
            writer.transport.abort()  # a reset, no orderly end
        finally:
            writer.close()

    async def answer(self, head: bytes, body: bytes) -> bytes:
        """Return the answer to a request, or what goes wrong with it."""
        plan = self.plan
        plan.requests += 1
        number, fault = plan.requests, plan.draw()
        if plan.kill(number, answered=False) or fault == "reset":
            raise Broken
        if fault in ERRORS:
            status, code = ERRORS[fault]
            text = BUSY % code
            about = b"HTTP/1.1 %s\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n" % (status, len(text))
            return about if head.startswith(b"HEAD") else about + text
        if fault == "timeout":
            await self._hold()
        if fault == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        given = await self._ask(head, body)
        if plan.kill(number, answered=True):
            raise Broken
        if fault == "timeout after":
            await self._hold()
        if fault == "reset after":
            raise Broken
        if fault == "cut":
            raise Broken(*_cut(given))
        return given

    async def _hold(self) -> None:
        await asyncio.sleep(HOLD_SECONDS)
        raise Broken

    async def _ask(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.store)
        lines = [n for n in head[: -len(END)].split(LINE) if not n.lower().startswith((b"expect:", b"connection:"))]
        writer.write(LINE.join([*lines, b"Connection: close"]) + END + body)
        given = await reader.read()
        writer.close()
        about, _, rest = given.partition(END)
        head_lines = [n for n in about.split(LINE) if not n.lower().startswith(b"connection:")]
        if not any(n.lower().startswith((b"content-length:", b"transfer-encoding:")) for n in head_lines):
            head_lines.append(b"Content-Length: %d" % len(rest))
        return LINE.join(head_lines) + END + rest


def _cut(given: bytes) -> list[bytes]:
    """Return what gets through of an answer whose line breaks."""
    about, _, rest = given.partition(END)
    return [about, END, rest[:CUT]]


async def _body(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    headers = dict(line.lower().split(b":", 1) for line in head[: -len(END)].split(LINE)[1:])
    if b"expect" in headers:
        writer.write(b"HTTP/1.1 100 Continue" + END)
        await writer.drain()
    if b"chunked" in headers.get(b"transfer-encoding", b""):
        body = b""
        while True:
            size = await reader.readuntil(LINE)
            chunk = await reader.readexactly(int(size.split(b";")[0], 16) + len(LINE))
            body += size + chunk
            if int(size.split(b";")[0], 16) == 0:
                return body
    return await reader.readexactly(int(headers.get(b"content-length", b"0")))


async def main() -> None:
    """Serve until the input ends."""
    logging.disable()
    make_atomic()
    store = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    store.start()
    direct = store.get_host_and_port()[1]
    proxy = Proxy(direct)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=1 << 20)
    print(json.dumps({"proxy": server.sockets[0].getsockname()[1], "direct": direct}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
