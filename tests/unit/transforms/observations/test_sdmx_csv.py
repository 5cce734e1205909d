"""Observations as SDMX-CSV: periods, dimensions, figures, and the way back through a contract."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from schemas.claims import OBSERVATION, frame_schema
from tests.unit.transforms.parsing.test_parse import contract_of
from transforms.observations.sdmx_csv import DATAFLOW, dimensions_of, sdmx_rows, time_period
from transforms.parsing.parse import parse


def observations(*rows: dict[str, object]) -> pl.DataFrame:
    common = {
        "item_id": "i", "concept": "paid", "unit_id": "municipality:0301", "unit_kind": "municipality",
        "unit_code": "0301", "unit_name": "Oslo", "period_start": date(2024, 1, 1), "period_end": date(2025, 1, 1),
        "breakdown": "{}", "unit_measure": "NOK", "value": Decimal("12.5"), "decimals": 1, "obs_status": "A",
        "agreement": "single", "reports": 1, "reporters": 1, "release": 1, "partition": "2024-01",
    }  # fmt: skip
    return pl.DataFrame([common | row for row in rows], frame_schema(OBSERVATION))


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (date(2024, 1, 1), date(2025, 1, 1), "2024"),
        (date(2024, 7, 1), date(2025, 1, 1), "2024-S2"),
        (date(2024, 4, 1), date(2024, 7, 1), "2024-Q2"),
        (date(2024, 2, 1), date(2024, 3, 1), "2024-02"),
        (date(2024, 1, 31), date(2024, 2, 1), "2024-01-31"),
        (date(2023, 8, 1), date(2024, 8, 1), "2023-08-01/P12M"),
        (date(2024, 2, 1), date(2024, 5, 1), "2024-02-01/P3M"),
        (date(2024, 1, 1), date(2024, 1, 8), "2024-01-01/P7D"),
    ],
)
def test_a_period_is_written_as_sdmx_writes_it(start: date, end: date, text: str) -> None:
    assert observations({"period_start": start, "period_end": end}).select(time_period()).item() == text


def test_a_row_has_the_structure_its_dimensions_and_what_is_known_of_the_figure() -> None:
    rows = observations(
        {"breakdown": '{"concept":"x","sex":"F"}'},
        {"breakdown": "{}", "value": None, "obs_status": "Q", "conf_status": "C", "decimals": None},
    )
    names = dimensions_of(rows["breakdown"])
    assert names == ["concept", "sex"]
    first, second = sdmx_rows(rows, names).to_dicts()
    assert list(first)[:6] == ["STRUCTURE", "STRUCTURE_ID", "ACTION", "INDICATOR", "REF_AREA", "TIME_PERIOD"]
    assert (first["STRUCTURE"], first["STRUCTURE_ID"], first["ACTION"]) == ("dataflow", DATAFLOW, "I")
    assert (first["CONCEPT"], first["SEX"], second["SEX"]) == ("x", "F", "_Z")
    assert (first["OBS_VALUE"], first["DECIMALS"], first["CONF_STATUS"]) == ("12.5", "1", "F")
    assert (second["OBS_VALUE"], second["OBS_STATUS"], second["CONF_STATUS"]) == (None, "Q", "C")


def test_a_dimension_named_like_another_column_keeps_a_column_of_its_own() -> None:
    rows = observations({"breakdown": '{"indicator":"x"}'})
    assert sdmx_rows(rows, ["indicator"])["DIM_INDICATOR"].to_list() == ["x"]


def test_what_is_written_is_read_again() -> None:
    rows = sdmx_rows(observations({"unit_name": 'Os, "by"'}, {"value": Decimal(3)}), [])
    contract = contract_of(("UNIT_NAME", "TIME_PERIOD", "OBS_VALUE"), type="sdmx_csv")
    contract = contract.model_copy(update={"ignore": "rest"})
    raw = parse(rows.write_csv().encode(), contract).raw
    assert raw.rows() == [(2, 'Os, "by"', "2024", "12.5"), (3, "Oslo", "2024", "3")]
