"""moto_server whose conditional writes are atomic, as S3's are.

moto 5.2 looks whether a key is free and then writes it: of 16 writers at once, two won in 2 of 60 rounds. What is
tested on it relies on the bucket to let one win.
"""

import sys
from collections.abc import Callable
from threading import RLock
from typing import Any

from moto.s3.responses import S3Response
from moto.server import main

WRITES = ("put_object", "_key_response_post")
_alone = RLock()


def make_atomic() -> None:
    """Let this process's moto do one write at a time."""
    for name in WRITES:
        setattr(S3Response, name, _one_at_a_time(getattr(S3Response, name)))


def _one_at_a_time(real: Callable[..., Any]) -> Callable[..., Any]:
    def locked(*args: Any, **kwargs: Any) -> Any:
        with _alone:
            return real(*args, **kwargs)

    return locked


if __name__ == "__main__":
    make_atomic()
    main(sys.argv[1:])
