"""The settings of the check page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckPageSettings:
    """Where the check page listens, and what one check may cost.

    host: None where the page is off. bytes: the largest upload. seconds: what uploading and checking may take together.
    waiting: how many checks may wait or run at a time. earlier: whether it shows, to anybody who asks, what a file
    changes of what its sender delivered before. known: whether it shows, to anybody who asks, what contracts with
    `may_share: all` have reported of a unit, and offers drafts filled in with it.
    """

    host: str | None = "127.0.0.1"
    port: int = 4201
    bytes: int = 20 * 2**20
    seconds: int = 120
    waiting: int = 4
    earlier: bool = False
    known: bool = False
