"""Norway's public holidays, from the package `holidays`, cached in a file: the package takes half a second to load."""

import json
from contextlib import suppress
from datetime import date
from importlib.metadata import version
from pathlib import Path

from infra.files import write_atomic


def public_holidays(folder: Path, first: int, last: int) -> frozenset[date]:
    """Return the public holidays of the years from `first` to `last`, cached in `folder` if it is writable."""
    cache = folder / f"holidays-no-{version('holidays')}-{first}-{last}.json"
    with suppress(OSError, ValueError):  # missing, or not whole
        return frozenset(map(date.fromisoformat, json.loads(cache.read_text(encoding="utf-8"))))
    from holidays.countries.norway import Norway  # heavy

    days = frozenset(Norway(years=range(first, last + 1)))
    with suppress(OSError):  # a read-only home: computed again next time
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(cache, json.dumps(sorted(day.isoformat() for day in days)))
    return days
