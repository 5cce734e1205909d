"""The benchmark's deliveries: CSV with decimal comma, four senders, 36 months, a quarter of the items reported twice.

Seeded by the place of each item, so that a history of any size has the same shape; nothing here is measured.
"""

from pathlib import Path
from typing import Final

import polars as pl

SENDERS: Final = ("north", "east", "south", "west")
MONTHS: Final = [f"{2021 + m // 12}-{m % 12 + 1:02}" for m in range(36)]
UNITS: Final = 400
REPORTS: Final = 1.3
"""Claims an item: three quarters are reported once, a fifth twice, a twentieth three times."""


def codelist(folder: Path) -> None:
    """Write the register: 400 municipalities."""
    folder.mkdir(parents=True, exist_ok=True)
    codes = pl.DataFrame({"n": range(UNITS)}).select(
        pl.lit("municipality").alias("kind"),
        (pl.col("n") + 1001).cast(pl.String).alias("code"),
        ("Kommune " + pl.col("n").cast(pl.String)).alias("name"),
        pl.lit("1838-01-01").alias("valid_from"),
        pl.lit("").alias("valid_to"),
    )
    codes.write_csv(folder / "units.csv")


def items(month: str, count: int, first: int = 0) -> pl.DataFrame:
    """Return `count` items of a month as text cells, with `n`, their place."""
    n = pl.col("n")
    value = (n * 7919 + 12_345) % 100_000_007
    return pl.DataFrame({"n": range(first, first + count)}).select(
        (n % UNITS + 1001).cast(pl.String).alias("kommunenr"),
        pl.lit(month).alias("maaned"),
        ("i" + (n // UNITS).cast(pl.String)).alias("indikator"),
        ((value // 100).cast(pl.String) + "," + (value % 100).cast(pl.String).str.zfill(2)).alias("verdi"),
        pl.lit("").alias("merknad"),
        "n",
    )


def history(folder: Path, claims: int) -> None:
    """Write `<folder>/<sender>/<month>.csv` so that all files together hold about `claims` rows."""
    count = round(claims / REPORTS / len(MONTHS))
    for month in MONTHS:
        reports = items(month, count)
        for s, sender in enumerate(SENDERS):
            turn = (pl.col("n") + s) % len(SENDERS)
            twice = (turn == 1) & (pl.col("n") % 20 < 5)
            thrice = (turn == 2) & (pl.col("n") % 20 == 0)
            _write(folder / sender / f"{month}.csv", reports.filter((turn == 0) | twice | thrice))


def night(folder: Path, claims: int, history_claims: int) -> None:
    """Write one night: nine tenths of the claims on the newest month, the rest over the year before.

    Half are new items, half are further reports of items that are there.
    """
    count = round(history_claims / REPORTS / len(MONTHS))
    for month in MONTHS[-13:]:
        rows = claims * 9 // 10 if month == MONTHS[-1] else claims // 10 // 12
        known = items(month, min(rows // 2, count))
        new = items(month, rows - known.height, first=10_000_000)
        for s, sender in enumerate(SENDERS):
            mine = (pl.col("n") + s) % len(SENDERS) == 3
            _write(folder / sender / f"{month}-late.csv", pl.concat([known, new]).filter(mine))


def _write(path: Path, rows: pl.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.drop("n").write_csv(path, separator=";")
