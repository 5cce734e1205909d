"""A release's observations as one SDMX-CSV 2.0 file."""

from pathlib import Path
from typing import Final

from flows.disclosure.small_counts import SmallCounts
from flows.disclosure.withheld import without_small_counts
from flows.installation import Installation
from flows.published_tables import released_tables
from infra.files import atomic_path
from infra.lake import access as lake_access
from infra.lake import delta as lake
from infra.ledger.releases import Release
from schemas.claims import OBSERVATION, empty
from schemas.errors import UsageError
from transforms.observations.sdmx_csv import dimensions_of, sdmx_rows

_TABLE: Final = "observations"


@lake.opened_once()
@lake_access.scan_errors()
def export_sdmx_csv(installation: Installation, release: Release, to: Path | None = None) -> Path:
    """Write the observations of a release as SDMX-CSV, month by month, all or nothing; return the file.

    Small counts are withheld. to: the file, by default `<number>.csv` in the folder of exports. An earlier file of
    this kind is replaced; `UsageError` for any other.
    """
    file = (to or installation.settings.exports / f"{release['release']}.csv").resolve()
    if file.is_dir() or (file.exists() and not file.read_bytes()[:10].startswith(b"STRUCTURE,")):
        raise UsageError(f"{file} exists and is no SDMX-CSV: name a new file, `--to FILE`")
    published = next(iter(released_tables(installation, release)))
    months, small = published.partitions(_TABLE), SmallCounts(installation, release)
    names: set[str] = set()
    for month in months:
        names |= set(dimensions_of(published.live(_TABLE, [month]).select("breakdown").unique().collect()["breakdown"]))
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(file) as temporary, temporary.open("wb") as target:
        sdmx_rows(empty(OBSERVATION), sorted(names)).write_csv(target)
        for month in months:
            shown = without_small_counts(published.live(_TABLE, [month]), _TABLE, small)
            rows = sdmx_rows(shown.collect(), sorted(names))
            rows.write_csv(target, include_header=False)
    return file
