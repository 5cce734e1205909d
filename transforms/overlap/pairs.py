"""Overlap of obligations and the burden of each, of statements at hand: as the tables of a release have them."""

import polars as pl

from transforms.overlap.counts import count_statements
from transforms.overlap.measures import burden_rows, overlap_rows


def overlap_of(statements: pl.DataFrame) -> pl.DataFrame:
    """Return how often two obligations state the same items, and how far they agree, as the table `overlap`.

    An item of which a value is withheld is counted in `items` only.
    """
    counts = count_statements(statements)
    return overlap_rows(counts.pairs, counts.reports)


def burden_of(statements: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """Return what each obligation's reports cost a period, and the part of it on figures that another one has too.

    As the table `burden`; hours: as `transforms.overlap.measures.HOURS`.
    """
    counts = count_statements(statements)
    return burden_rows(counts.reports, overlap_rows(counts.pairs, counts.reports), hours)
