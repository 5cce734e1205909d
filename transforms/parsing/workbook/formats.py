"""Number formats of a workbook: which numbers are dates, times of day, spans of time or percentages; their texts."""

import re
from typing import Final

import polars as pl

from schemas.contract import Format
from transforms.parsing.real_numbers import float_texts

PERCENT, DATE, DATETIME, TIME, ELAPSED = "percent", "date", "datetime", "time", "elapsed"
_BUILT_IN: Final = {
    9: PERCENT, 10: PERCENT, 18: TIME, 19: TIME, 20: TIME, 21: TIME, 22: DATETIME, 45: TIME, 46: ELAPSED, 47: TIME,
    **dict.fromkeys((*range(14, 18), *range(27, 37), *range(50, 59)), DATE),
}  # fmt: skip
_CUSTOM: Final = re.compile(rb"<(?:\w+:)?numFmt\s([^>]*)>")
_STYLES: Final = re.compile(rb"<(?:\w+:)?cellXfs\b[^>]*>(.*?)</(?:\w+:)?cellXfs>", re.DOTALL)
_STYLE: Final = re.compile(rb"<(?:\w+:)?xf\s[^>]*?numFmtId\s*=\s*[\"'](\d{1,9})[\"']")
_ID: Final = re.compile(rb"numFmtId\s*=\s*[\"'](\d{1,9})[\"']")
_CODE: Final = re.compile(rb"formatCode\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_LITERAL: Final = re.compile(r'"[^"]*"|&quot;.*?&quot;|\\.|_.|\*.|am/pm|a/p')
_SPAN: Final = re.compile(r"\[(?:h+|m+|s+)\]")
_BRACKETS: Final = re.compile(r"\[[^\]]*\]")
_PLAIN: Final = re.compile(r"general|e\+|e-")
_CLOCK: Final = re.compile("[hs]")
_DAY: Final = re.compile("[yd]")
_DAY_OR_MONTH: Final = re.compile("[ydm]")
"""With an hour or a second, `m` is a minute."""
_MOMENTS: Final = {(True, True): DATETIME, (True, False): DATE, (False, True): TIME}
"""What a format shows, by whether it has a day and whether it has a time of day."""
_DAY_SECONDS: Final = 86_400
_LAST_DAY: Final = 2_958_466
"""The day after 9999-12-31, the last that Excel knows."""
_FAKE_LEAP_DAY: Final = 60
"""Excel counts a 29 February 1900, which did not exist."""


def style_kinds(styles: bytes) -> dict[int, str]:
    """Return the kinds of the cell styles whose numbers are not plain ones, by the style's number."""
    custom = {}
    for tag in _CUSTOM.findall(styles):
        number, code = _ID.search(tag), _CODE.search(tag)
        if number and code:
            custom[int(number[1])] = format_kind((code[1] or code[2] or b"").decode("utf-8", "replace"))
    found = _STYLES.search(styles)
    numbers = [int(number) for number in _STYLE.findall(found[1])] if found else []
    kinds = {style: custom.get(number, _BUILT_IN.get(number)) for style, number in enumerate(numbers)}
    return {style: kind for style, kind in kinds.items() if kind}


def format_kind(code: str) -> str | None:
    """Return what kind of number a format code shows; None for a plain number."""
    text = _LITERAL.sub("", code.lower()).split(";")[0]
    if _SPAN.search(text):
        return ELAPSED
    text = _BRACKETS.sub("", text)
    if "%" in text:
        return PERCENT
    if _PLAIN.search(text):
        return None
    clock = _CLOCK.search(text) is not None
    day = (_DAY if clock else _DAY_OR_MONTH).search(text) is not None
    return _MOMENTS.get((day, clock))


def number_texts(cells: pl.DataFrame, form: Format, *, since_1904: bool) -> pl.Series:
    """Return the texts of number cells: columns `kind` (null for a plain number) and `number` Float64.

    A percentage has the number that is stored: 0.125 where Excel shows 12.5 %.
    """
    kind, number = pl.col("kind"), pl.col("number")
    seconds = (number * _DAY_SECONDS * 1000).round() * 1000
    epoch = pl.lit("1904-01-01" if since_1904 else "1899-12-30").str.to_datetime("%Y-%m-%d", time_unit="us")
    early = (number < _FAKE_LEAP_DAY) & pl.lit(not since_1904)
    moment = (
        epoch
        + pl.duration(microseconds=seconds)
        + pl.when(early).then(pl.duration(days=1)).otherwise(pl.duration(days=0))
    )
    whole = moment.dt.to_string("%Y-%m-%d %H:%M:%S%.f")
    known = number.is_between(0, _LAST_DAY, closed="left")
    clock = pl.when(number < 1).then(moment.dt.to_string("%H:%M:%S%.f")).otherwise(whole)
    day = pl.when(number == number.floor()).then(moment.dt.to_string("%Y-%m-%d")).otherwise(whole)
    span = (number * _DAY_SECONDS).round().cast(pl.Int64)
    elapsed = pl.format("{}:{}:{}", span // 3600, _two(span // 60 % 60), _two(span % 60))
    text = (
        pl.when((kind == DATE) & known).then(day)
        .when((kind == DATETIME) & known).then(whole)
        .when((kind == TIME) & known).then(clock)
        .when((kind == ELAPSED) & known).then(elapsed)
        .otherwise("plain")
    )  # fmt: skip
    return cells.with_columns(plain=float_texts(cells["number"], form)).select(text).to_series()


def _two(number: pl.Expr) -> pl.Expr:
    return number.cast(pl.String).str.zfill(2)
