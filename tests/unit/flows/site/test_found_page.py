"""The page on what is suspected and derivable: series and sums by their names, the verdict, what is left out."""

import json
from types import SimpleNamespace
from typing import Any, Final, cast

import polars as pl

from flows.site.blocks import Lines, PageTable
from flows.site.pages.overlap import found_page
from flows.site.writer import SiteWriter
from schemas.claims import frame_schema
from schemas.concepts import load_vocabulary
from schemas.description_tables import OBLIGATION
from schemas.overlap import SUSPECTED

SERIES: Final = {"obligation": "a", "concept": "pupils", "breakdown": "{}", "reporter": "", "over": "units"}
SAME: Final = {
    "kind": "same", "series_a": "1", "series_b": "2", "obligation_a": "a", "concept_a": "pupils", "breakdown_a": "{}",
    "reporter_a": "", "obligation_b": "b", "concept_b": "care_residents", "breakdown_b": "{}", "reporter_b": "",
    "common": 40, "agreeing": 39, "share": 0.975, "chance": 0.01, "z": 9.0, "bits": 200.0, "scale": 1.0, "shift": 0,
    "verdict": "later", "partition": "all",
}  # fmt: skip


def rows_of(suspected: list[dict[str, Any]], derivable: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return the rows of both tables of the page in Bokmål."""
    counts = pl.DataFrame(schema={"concept": pl.String, "agreement": pl.String, "items": pl.Int64})
    content = SimpleNamespace(
        installation=SimpleNamespace(vocabulary=load_vocabulary()),
        suspected=pl.DataFrame(suspected, schema=frame_schema(SUSPECTED)),
        derivable=pl.DataFrame(derivable, schema=("rule", "concept", "relation", "items"), orient="row"),
        concept_counts=counts,
        obligations=pl.DataFrame(schema=frame_schema(OBLIGATION)),
    )
    page = found_page(SiteWriter(cast("Any", content), (), cast("Any", None), {}, "nb"))
    blocks = [block for section in page.sections for block in section.blocks if isinstance(block, PageTable)]
    return [row for block in blocks for row in block.rows]


def test_two_series_are_shown_with_their_obligations_and_the_verdict() -> None:
    (row,) = rows_of([SAME], [])
    assert row[0] == "Den samme"
    assert row[1:3] == (Lines(("Elever", "a")), Lines(("Beboere i sykehjem", "b")))
    assert (row[3], row[6]) == ("39 av 40", "Senere")


def test_a_sum_names_its_first_series_and_how_many_there_are() -> None:
    nothing = dict.fromkeys(("obligation_b", "concept_b", "breakdown_b", "reporter_b", "verdict"))
    sum_ = SAME | nothing | {"kind": "sum", "parts": json.dumps([SERIES] * 10)}
    (row,) = rows_of([sum_], [])
    assert row[2].parts[:2] == ("Summen av", "Elever")
    assert row[2].parts[-2:] == ("over enheter", "8 av 10 vises. Datasettet har alle.")
    assert row[6] == "Ikke avgjort"


def test_a_roll_up_is_in_words() -> None:
    derivable = [{"rule": "units:municipality", "concept": "pupils", "relation": "unreported", "items": 3}]
    (row,) = rows_of([], derivable)
    assert row[:3] == ("Elever", "Sum av enheter: Kommune", "Ikke rapportert")
