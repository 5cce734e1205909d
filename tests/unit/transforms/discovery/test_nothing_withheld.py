"""Nothing that is confidential can be read off `suspected`: it is the same whatever the confidential values are."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl

from schemas.claims import CLAIM, frame_schema
from transforms.discovery.exceptions import differing_places
from transforms.discovery.series import series_of
from transforms.discovery.suspected import suspected_overlap
from transforms.identity import item_id
from transforms.observations.consolidate import consolidate
from transforms.overlap.statements import read_figures

ALIKE: dict[str, Any] = {
    "row": 2, "column": "x", "original": "1", "action": "append", "period_start": dt.date(2024, 1, 1),
    "period_end": dt.date(2025, 1, 1), "unit_measure": "persons", "obs_status": "A", "unit_kind": "municipality",
    "additive": False, "position": 0, "lead": True, "partition": "2024-01", "item_id": "", "reported_by": "r",
}  # fmt: skip
UNITS = 60


def shown(secret_figure: int) -> tuple[str, pl.DataFrame]:
    """Return all that is shown of two counts, a total and its parts; every fifth figure is secret and this large."""
    rows: list[dict[str, Any]] = []
    for number in range(UNITS):
        women, men = 1000 + number * 7919 % 977, 1000 + number * 6151 % 953
        for obligation, concept, breakdown, figure in (
            ("a", "pupils", "{}", women), ("b", "children", "{}", women + (number % 7 == 0)),
            ("a", "staff", '{"sex":"F"}', women), ("a", "staff", '{"sex":"M"}', men),
            ("a", "staff", '{"sex":"T"}', women + men),
        ):  # fmt: skip
            secret = (number + len(rows)) % 5 == 0
            rows.append({
                **ALIKE, "obligation": obligation, "contract": obligation, "sender": obligation, "concept": concept,
                "breakdown": breakdown, "unit_id": f"u{number}", "unit_name": f"U{number}", "confidential": secret,
                "value": Decimal(figure + secret_figure * secret), "submission_id": f"{obligation}{number}",
                "unit_code": f"{number:04}", "arrival": len(rows), "stream": len(rows),
            })  # fmt: skip
    schema: dict[str, Any] = {**frame_schema(CLAIM), "arrival": pl.UInt32, "stream": pl.UInt32}
    published = consolidate(pl.DataFrame(rows, schema=schema, strict=False).with_columns(item_id()))
    figures = series_of(read_figures(published.sources.lazy(), published.observations.lazy()))
    found = suspected_overlap(figures)
    places = [differing_places(figures, row).write_csv() for row in found.to_dicts()]
    return found.write_csv() + "".join(places), found


def test_another_value_of_a_secret_shows_nothing_else() -> None:
    text, found = shown(0)
    assert set(found["kind"]) >= {"same"}
    assert found["common"].max() < UNITS  # type: ignore[operator]
    for figure in (1, 31_415):
        assert shown(figure)[0] == text
