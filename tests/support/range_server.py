"""A static web server that answers range requests as any other does, and records what it is asked for."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from os import SEEK_END
from pathlib import Path

RANGE = re.compile(r"bytes=([0-9]+)-([0-9]+)")


@dataclass
class ServedFolder:
    """A folder that is served. asked: path and number of bytes of each answer to a range, None for a whole file."""

    address: str
    asked: list[tuple[str, int | None]] = field(default_factory=list)


@contextmanager
def serve_folder(folder: Path, *, ranges: bool = True) -> Iterator[ServedFolder]:
    """Serve a folder until the block ends. ranges: whether the server knows them; one that does not sends all."""
    asked: list[tuple[str, int | None]] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = RANGE.fullmatch(self.headers.get("Range", "")) if ranges else None
            if wanted is None:
                asked.append((self.path, None))
                super().do_GET()
                return
            first, last = int(wanted[1]), int(wanted[2])
            with Path(self.translate_path(self.path)).open("rb") as file:
                size = file.seek(0, SEEK_END)
                file.seek(first)
                part = file.read(last + 1 - first)
            asked.append((self.path, len(part)))
            self.send_response(HTTPStatus.PARTIAL_CONTENT)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield ServedFolder(f"http://127.0.0.1:{server.server_port}", asked)
        server.shutdown()
