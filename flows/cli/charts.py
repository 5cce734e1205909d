"""Charts as files, SVG or PNG: how well reports are matched, and where a pair's match weight comes from.

Altair describes a chart and vl-convert draws it, in this process: no browser, no network.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flows.output_file import write_output
from flows.queries.pairs import WHOLE_STEPS, Pair
from schemas.errors import UsageError

if TYPE_CHECKING:
    import altair as alt

Chart = dict[str, Any]
"""A chart as Vega-Lite describes it."""
FACETS: Final = {"pairs": "scored pairs", "items": "items", "components": "plain connected components"}
"""What is scored -> the title of its curves."""
PROFILES: Final = {"reports": "reports of an item", "weakest": "weakest link, bits", "bridges": "bridges"}
"""What is counted of items -> the title of its bars."""
MEASURES: Final = ("precision", "recall", "f1")
POSITIVE_COLOR, NEGATIVE_COLOR, WHOLE_COLOR = "#2a7f62", "#b5473c", "#5b6770"
PNG_SCALE: Final = 2
"""Pixels of a PNG per point."""
MAX_PAIRS_DRAWN: Final = 12
CHART_LEVEL_KEYS: Final = ("$schema", "config", "datasets")
"""Keys that a chart has once, however many charts it stacks."""


def curves(scores: Iterable[dict[str, Any]], threshold: float | None) -> Chart:
    """Return precision, recall and F1 over thresholds; scores: rows of `transforms.evaluation.sweep.SCORES`."""
    import altair as alt

    points = [
        {"threshold": row["threshold"], "of": FACETS[row["of"]], "measure": measure, "value": row[measure]}
        for row in scores
        for measure in MEASURES
    ]
    line = alt.Chart().mark_line(point=alt.OverlayMarkDef(size=12))
    line = line.encode(
        x=alt.X("threshold:Q", title="threshold, bits"),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
        color=alt.Color("measure:N", title=None, sort=list(MEASURES)),
    )
    layers = [line]
    if threshold is not None:
        rule = alt.Chart().mark_rule(strokeDash=[4, 3]).encode(x=alt.datum(threshold, type="quantitative"))
        layers.append(rule)
    small = alt.layer(*layers, data=alt.InlineData(values=points)).properties(width=260, height=240)
    return _as_chart(small.facet(column=alt.Column("of:N", title=None, sort=list(FACETS.values()))))


def item_profiles(counts: Iterable[dict[str, Any]]) -> Chart:
    """Return how many items have which size, weakest link and number of bridges; counts: rows of `PROFILE_COUNT`."""
    import altair as alt

    points = [{**row, "of": PROFILES[row["of"]]} for row in counts]
    bars = alt.Chart().mark_bar().encode(
        x=alt.X("value:O", title=None), y=alt.Y("items:Q", title="items", scale=alt.Scale(type="symlog"))
    )  # fmt: skip
    small = alt.layer(bars, data=alt.InlineData(values=points)).properties(height=240)
    parts = small.facet(column=alt.Column("of:N", title=None, sort=list(PROFILES.values())))
    return _as_chart(parts.resolve_scale(x="independent", y="independent"))


def waterfall(steps: Iterable[dict[str, Any]], title: str = "") -> Chart:
    """Return how one pair's weight adds up; steps: rows of `transforms.linkage.waterfall` (`Pair.steps`)."""
    import altair as alt

    bars = [_bar(step) for step in steps]
    base = alt.Chart(alt.InlineData(values=bars)).encode(
        y=alt.Y("name:N", title=None, sort=[bar["name"] for bar in bars], axis=alt.Axis(labelLimit=400))
    )
    marks = base.mark_bar().encode(
        x=alt.X("before:Q", title="match weight, bits"), x2="after:Q", color=alt.Color("color:N", scale=None)
    )
    texts = base.mark_text(align="left", dx=4).encode(x="end:Q", text="text:N")
    return _as_chart((marks + texts).properties(width=420, title=title))


def _bar(step: dict[str, Any]) -> dict[str, Any]:
    """Return a step with the bar's name, color, text and right end."""
    whole, bits = step["step"] in WHOLE_STEPS, step["bits"]
    sign_color = POSITIVE_COLOR if bits >= 0 else NEGATIVE_COLOR
    return {
        **step,
        "color": WHOLE_COLOR if whole else sign_color,
        "name": step["step"] if whole else f"{step['step']}: {step['level']}",
        "end": max(step["before"], step["after"]),
        "text": f"{bits:+.2f}",
    }


def write_waterfalls(pairs: Sequence[Pair], path: Path) -> Path:
    """Draw the first weighed pairs, one below the other, as SVG or PNG; `UsageError` if no pair was weighed."""
    weighed = [pair for pair in pairs if pair.steps][:MAX_PAIRS_DRAWN]
    if not weighed:
        raise UsageError("nothing to draw: no two reports of this item were weighed")
    return write_chart(_stacked([waterfall(pair.steps, _title(pair)) for pair in weighed]), path)


def _title(pair: Pair) -> str:
    ends = (f"{row['reported_by']} {row['report_id'][:8]}" for row in (pair.a, pair.b))
    return f"{' and '.join(ends)}: {pair.weight:.2f} bits"


def _stacked(charts: Sequence[Chart]) -> Chart:
    first = charts[0]
    if len(charts) == 1:
        return first
    stack: Chart = {key: first[key] for key in CHART_LEVEL_KEYS if key in first}
    if "datasets" in first:
        stack["datasets"] = {name: rows for chart in charts for name, rows in chart["datasets"].items()}
    parts = [{key: value for key, value in chart.items() if key not in CHART_LEVEL_KEYS} for chart in charts]
    return {**stack, "vconcat": parts}


def write_chart(chart: Chart, path: Path) -> Path:
    """Write a chart as SVG or PNG, by the file's name, whole or not at all; `UsageError` for any other name."""
    import vl_convert

    suffix = path.suffix.lower()
    if suffix == ".svg":
        return write_output(path, vl_convert.vegalite_to_svg(chart, allowed_base_urls=[]))
    if suffix == ".png":
        return write_output(path, vl_convert.vegalite_to_png(chart, scale=PNG_SCALE, allowed_base_urls=[]))
    raise UsageError(f"{path}: expected a name that ends in .svg or .png")


def _as_chart(chart: "alt.LayerChart | alt.FacetChart") -> Chart:
    """Return an Altair chart as plain values, checked against Vega-Lite's schema."""
    plain: Chart = chart.configure_view(stroke=None).to_dict()
    return plain
