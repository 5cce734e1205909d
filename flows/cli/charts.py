"""Charts as files, SVG or PNG: how well reports are matched, and why a pair weighs what it does.

Altair describes a chart and vl-convert draws it, in this process: no browser, no network.
"""

from pathlib import Path
from typing import Any, Final

import polars as pl

from schemas.errors import UsageError
from transforms.linkage.waterfall import PRIOR, SUM, steps

Chart = dict[str, Any]
"""A chart as Vega-Lite has it."""
NAMES: Final = {"pairs": "scored pairs", "items": "items", "components": "plain connected components"}
FOR, AGAINST, WHOLE = "#2a7f62", "#b5473c", "#5b6770"
SCALE: Final = 2
"""A PNG's pixels a point."""


def curves(scores: pl.DataFrame, threshold: float | None) -> Chart:
    """Return precision, recall and F1 over thresholds; scores: `transforms.linkage.evaluation.SCORES`."""
    import altair as alt

    long = scores.with_columns(pl.col("of").replace(NAMES)).unpivot(
        ["precision", "recall", "f1"], index=["threshold", "of"], variable_name="measure"
    )
    told = alt.InlineData(values=long.to_dicts())
    line = alt.Chart().mark_line(point=alt.OverlayMarkDef(size=12))
    line = line.encode(
        x=alt.X("threshold:Q", title="threshold, bits"),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
        color=alt.Color("measure:N", title=None, sort=["precision", "recall", "f1"]),
    )
    layers = [line]
    if threshold is not None:
        rule = alt.Chart().mark_rule(strokeDash=[4, 3]).encode(x=alt.datum(threshold, type="quantitative"))
        layers.append(rule)
    small = alt.layer(*layers, data=told).properties(width=260, height=240)
    return _drawn(small.facet(column=alt.Column("of:N", title=None, sort=list(NAMES.values()))))


def waterfall(weights: pl.DataFrame, title: str = "") -> Chart:
    """Return how one pair's weight comes about, field by field; weights: field, level, bits, frequency_bits."""
    import altair as alt

    whole = pl.col("step").is_in([PRIOR, SUM])
    way = pl.when(pl.col("bits") >= 0).then(pl.lit(FOR)).otherwise(pl.lit(AGAINST))
    told = steps(weights).with_columns(
        pl.when(whole).then(pl.lit(WHOLE)).otherwise(way).alias("color"),
        pl.when(whole).then("step").otherwise(pl.format("{}: {}", "step", "level")).alias("name"),
        pl.max_horizontal("before", "after").alias("end"),
        pl.col("bits").map_elements(lambda x: f"{x:+.2f}", return_dtype=pl.String).alias("text"),
    )
    base = alt.Chart(alt.InlineData(values=told.to_dicts())).encode(
        y=alt.Y("name:N", title=None, sort=told["name"].to_list(), axis=alt.Axis(labelLimit=400))
    )
    bars = base.mark_bar().encode(
        x=alt.X("before:Q", title="match weight, bits"), x2="after:Q", color=alt.Color("color:N", scale=None)
    )
    texts = base.mark_text(align="left", dx=4).encode(x="end:Q", text="text:N")
    return _drawn((bars + texts).properties(width=420, title=title))


def write(chart: Chart, path: Path) -> Path:
    """Write a chart as SVG or PNG, by the file's name, whole or not at all; `UsageError` for another name."""
    import vl_convert

    suffix = path.suffix.lower()
    if suffix not in {".svg", ".png"}:
        raise UsageError(f"{path}: expected a name that ends in .svg or .png")
    told = (
        vl_convert.vegalite_to_svg(chart, allowed_base_urls=[]).encode()
        if suffix == ".svg"
        else vl_convert.vegalite_to_png(chart, scale=SCALE, allowed_base_urls=[])
    )
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(told)
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return path


def _drawn(chart: Any) -> Chart:  # noqa: ANN401  any of Altair's charts
    """Return what Altair made as plain values, checked against Vega-Lite's schema."""
    told: Chart = chart.configure_view(stroke=None).to_dict()
    return told
