"""Norway's public holidays, by the package `holidays`; what it says is kept, for it takes half a second to load."""

import json
from datetime import date
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile


def public_holidays(folder: Path, first: int, last: int) -> frozenset[date]:
    """Return the public holidays of some years. `folder` keeps the answer, if it can be written to."""
    kept = folder / f"holidays-no-{version('holidays')}-{first}-{last}.json"
    try:
        return frozenset(map(date.fromisoformat, json.loads(kept.read_text(encoding="utf-8"))))
    except (OSError, ValueError):  # not there yet, or not whole
        pass
    from holidays.countries.norway import Norway  # noqa: PLC0415  heavy

    found = frozenset(Norway(years=range(first, last + 1)))
    _keep(kept, json.dumps(sorted(day.isoformat() for day in found)))
    return found


def _keep(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.write(text)
        Path(file.name).replace(path)
    except OSError:  # a home that is only read: asked again next time
        return
