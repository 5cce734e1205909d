"""What a model says in bits, level by level and of one pair step by step, and the charts of it."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from flows.cli import charts
from schemas.errors import UsageError
from transforms.evaluation.sweep import SCORES
from transforms.linkage import waterfall as w
from transforms.linkage.model import MatchModel

SCORED_PAIR = pl.DataFrame(
    {
        "field": ["(prior)", "day", "place", "speed", "story"],
        "level": ["before anything is compared", "1 days apart", "the same", "differ", "not told by both"],
        "bits": [-9.0, 2.0, 5.5, -1.5, 0.0],
        "frequency_bits": [0.0, 0.0, 3.25, 0.0, 0.0],
    }
)


def level(label: str, m: float | None, u: float | None, *, null: bool = False) -> dict[str, object]:
    fields: dict[str, object] = {"label_for_charts": label, "sql_condition": ""}
    return {**fields, "is_null_level": True} if null else {**fields, "m_probability": m, "u_probability": u}


def test_levels_say_what_training_saw_and_nothing_where_it_saw_nothing() -> None:
    place = [
        level("not told by both", None, None, null=True), level("the same", 0.8, 0.1), level("differ", None, 0.9),
        level("never of one", 0.0, 0.9), level("never of two", 0.8, 0.0),
    ]  # fmt: skip
    settings = {
        "probability_two_random_records_match": 0.2,
        "comparisons": [{"output_column_name": "place", "comparison_levels": place}],
    }
    levels = w.model_levels(MatchModel("mishap", "", settings, {}, {}, 0.0, {}))
    assert levels.rows() == [
        ("(prior)", "before anything is compared", None, None, -2.0),
        ("place", "the same", 0.8, 0.1, 3.0),
        *(("place", label, None, None, None) for label in ("differ", "never of one", "never of two")),
    ]


def test_steps_run_from_the_prior_over_the_strongest_field_to_the_sum() -> None:
    shown = w.waterfall_steps(SCORED_PAIR)
    assert shown.columns == list(w.WATERFALL_STEP)
    assert shown["step"].to_list() == ["(prior)", "place", "rarity of place", "day", "speed", "story", "(sum)"]
    assert shown["bits"].to_list() == [-9.0, 5.5, 3.25, 2.0, -1.5, 0.0, 0.25]
    assert shown["before"].to_list() == [0.0, -9.0, -3.5, -0.25, 1.75, 0.25, 0.0]
    assert shown["after"].to_list() == [-9.0, -3.5, -0.25, 1.75, 0.25, 0.25, 0.25]


def test_steps_of_nothing_are_the_sum_of_nothing() -> None:
    assert w.waterfall_steps(SCORED_PAIR.clear()).rows() == [("(sum)", "all together", 0.0, 0.0, 0.0)]


def scores() -> pl.DataFrame:
    rows = [(t, of, 9, 8, 10, 0.9 - t / 100, 0.8, 0.85) for t in (1.0, 2.0) for of in ("pairs", "items", "components")]
    return pl.DataFrame(rows, schema=SCORES, orient="row")


def steps(weights: pl.DataFrame) -> list[dict[str, Any]]:
    return w.waterfall_steps(weights).to_dicts()


def drawn(file: Path) -> str:
    """Return the texts of an SVG, which must name nothing of the network but its own two namespaces."""
    text = file.read_text(encoding="utf-8")
    assert {part.split('"')[0] for part in text.split("http")[1:]} <= {
        "://www.w3.org/2000/svg",
        "://www.w3.org/1999/xlink",
    }
    return " ".join(ET.fromstring(text).itertext())  # noqa: S314  what this process drew


def test_a_waterfall_names_every_step(tmp_path: Path) -> None:
    drawing = drawn(charts.write_chart(charts.waterfall(steps(SCORED_PAIR), "Why <these> & those"), tmp_path / "w.svg"))
    for text in ("Why <these> & those", "(prior)", "place: the same", "rarity of place: the same", "+0.25", "-1.50"):
        assert text in drawing


def test_a_waterfall_has_a_bar_each_for_equal_names(tmp_path: Path) -> None:
    odd = SCORED_PAIR.with_columns(pl.lit('"quoted" <b>\\ ').alias("level"))
    assert '"quoted" <b>\\' in drawn(charts.write_chart(charts.waterfall(steps(odd)), tmp_path / "w.svg"))


def test_curves_are_drawn_for_pairs_items_and_components(tmp_path: Path) -> None:
    drawing = drawn(charts.write_chart(charts.curves(scores().to_dicts(), 1.5), tmp_path / "c.svg"))
    for text in ("scored pairs", "items", "plain connected components", "precision", "recall", "threshold, bits"):
        assert text in drawing
    assert drawn(charts.write_chart(charts.curves(scores().to_dicts(), None), tmp_path / "none.svg"))


def test_sizes_weakest_links_and_bridges_of_items_are_drawn(tmp_path: Path) -> None:
    counts = [{"of": of, "value": 2, "items": 7} for of in ("reports", "weakest", "bridges")]
    drawing = drawn(charts.write_chart(charts.item_profiles(counts), tmp_path / "i.svg"))
    assert all(text in drawing for text in ("reports of an item", "weakest link, bits", "bridges"))


def test_a_png_is_one(tmp_path: Path) -> None:
    file = charts.write_chart(charts.waterfall(steps(SCORED_PAIR)), tmp_path / "w.PNG")
    assert file.read_bytes().startswith(b"\x89PNG\r\n")
    assert [p.name for p in tmp_path.iterdir()] == ["w.PNG"]


@pytest.mark.parametrize("name", ["chart.pdf", "chart", "nowhere/chart.svg"])
def test_a_chart_that_cannot_be_written_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.svg or \.png|cannot be written"):
        charts.write_chart(charts.waterfall(steps(SCORED_PAIR)), tmp_path / name)
    assert not list(tmp_path.iterdir())
