"""What reading one delivered file, and unpacking one archive, may cost."""

from dataclasses import dataclass
from typing import Final

ALWAYS_UNPACKED: Final = 64 * 2**20
"""So many bytes may be unpacked whatever the ratio."""


@dataclass(frozen=True)
class ReadingLimits:
    """The budget of one delivered file or archive; `infra.settings` reads each field from the environment.

    memory: resident bytes of the reading process. seconds: its processor seconds for a file of up to 10 MB.
    unpacked_bytes: what a file or all members of an archive unpack to. unpack_ratio: how many times their packed size
    that may be, beyond 64 MiB. rejects: how many rejects of one submission are stored; the others are counted.
    rows, columns: what one file may have, those that the contract ignores too. cells: its rows times the columns that
    the contract maps. sheet_cells: the cells between A1 and the last cell of a sheet; empty ones cost memory too.
    """

    memory: int = 1280 * 2**20
    seconds: int = 45
    unpacked_bytes: int = 8 * 2**30
    unpack_ratio: int = 200
    rejects: int = 1000
    rows: int = 20_000_000
    columns: int = 16_384
    cells: int = 60_000_000
    sheet_cells: int = 12_000_000

    def most_unpacked(self, packed: int) -> int:
        """Return how many bytes a packed file or archive of this size may hold."""
        return min(self.unpacked_bytes, max(ALWAYS_UNPACKED, self.unpack_ratio * packed))


DEFAULT_LIMITS: Final = ReadingLimits()
"""The budget where no setting says otherwise."""
