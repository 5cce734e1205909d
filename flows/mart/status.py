"""What a mart holds, compared with the releases of this installation."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from flows.installation import Installation
from infra.ledger.releases import current_release
from infra.mart.connection import MartAddress, mart_connection
from infra.mart.star import LOADING, STAR
from infra.mart.state import identity_of, loaded_parts, read_state


@dataclass(frozen=True)
class MartStatus:
    """What a mart holds. mart: its address, without secrets. current: the release of this installation.

    up_to_date: whether it holds that very release. loading: the release of a load that is not finished, and how many
    parts of it are done.
    """

    mart: str
    release: int | None
    digest: str | None
    published_at: datetime | None
    synced_at: datetime | None
    current: int | None
    up_to_date: bool
    loading: dict[str, int] | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def mart_status(installation: Installation, address: MartAddress) -> MartStatus:
    """Return what a mart holds; `StoreError` if it cannot be reached."""
    current = current_release(installation.engine)
    with mart_connection(address) as connection:
        held, load = read_state(connection, STAR), read_state(connection, LOADING)
        parts = len(loaded_parts(connection, LOADING)) if load else 0
    return MartStatus(
        mart=str(address),
        release=held.release if held else None,
        digest=held.digest if held else None,
        published_at=held.published_at if held else None,
        synced_at=held.synced_at if held else None,
        current=current["release"] if current else None,
        up_to_date=held is not None and current is not None and held.identity == identity_of(current),
        loading={"release": load.release, "parts": parts} if load else None,
    )
