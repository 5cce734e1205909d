"""How the site writes numbers, dates and periods in each language, names its files, and draws its charts."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.check_page.texts import LANGUAGES, Language
from flows.dossier_page import page
from flows.dossier_page.drawings import BarRow, draw_bars, draw_heat, draw_steps
from flows.site.find import page_path
from flows.site.render import MENU, render_drawing
from flows.site.writer import EXACT, SiteWriter, site_texts

TITLES: Final = ("Title", "Text")
NARROW: Final = "\N{NARROW NO-BREAK SPACE}"


def writer(language: Language = "nb") -> SiteWriter:
    return SiteWriter(cast("Any", SimpleNamespace()), (), cast("Any", None), {}, language)


@pytest.mark.parametrize(
    ("value", "language", "text"),
    [
        (Decimal("1234567.500000000"), "nb", f"1{NARROW}234{NARROW}567,5"),
        (Decimal("1234567.5"), "en", "1,234,567.5"),
        (Decimal("-0.000000001"), "nn", "\N{MINUS SIGN}0,000000001"),
        (Decimal("9" * 28 + ".123456789"), "en", f"{int('9' * 28):,}.123456789"),
        (None, "nn", "ikkje kjent"),
    ],
)
def test_numbers_are_exact_and_in_the_readers_form(value: Decimal | None, language: Language, text: str) -> None:
    assert writer(language).number(value) == text


def read_back(text: str, language: Language) -> Decimal:
    """Return the number that a reader of the language sees."""
    separator, mark = (",", ".") if language == "en" else (NARROW, ",")
    return EXACT.create_decimal(text.replace(separator, "").replace(mark, ".").replace("\N{MINUS SIGN}", "-"))


@given(st.decimals(places=9, min_value=-(10**28), max_value=10**28, allow_nan=False), st.sampled_from(LANGUAGES))
def test_a_number_is_read_back_from_each_language(value: Decimal, language: Language) -> None:
    assert read_back(writer(language).number(value), language) == value
    assert read_back(page._number(value, language), language) == page._EXACT.quantize(value, Decimal("1E-6"))  # noqa: SLF001


@given(st.dates(date(1000, 1, 1), date(9998, 12, 31)), st.integers(1, 800), st.sampled_from(LANGUAGES))
def test_periods_that_differ_have_names_that_differ(start: date, days: int, language: Language) -> None:
    end = start + timedelta(days=days)
    name = writer(language).period(start, end)
    assert str(start.year) in name
    others = {
        writer(language).period(start, end + timedelta(days=1)),
        writer(language).period(start - timedelta(days=1), end),
    }
    assert name not in others


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(None, 1.0, "unknown"), (1.0, None, "unknown"), (1.04, 0.96, "1"), (1.0, 2.25, "1 to 2.3"), (0.0, 0.0, "0")],
)
def test_hours_are_a_range_or_not_known(low: float | None, high: float | None, text: str) -> None:
    assert writer("en").hours(low, high) == text.replace("unknown", writer("en").texts["unknown"])


@pytest.mark.parametrize(("shown", "every", "is_noted"), [(5, 5, False), (6, 5, False), (4, 5, True), (0, 1, True)])
def test_what_is_left_out_is_noted(shown: int, every: int, *, is_noted: bool) -> None:
    for language in LANGUAGES:
        note = writer(language).left_out(shown, every)
        assert (note is not None) is is_noted
        assert note is None or (str(shown) in note and str(every) in note)


def test_what_is_not_known_is_in_words() -> None:
    for language in LANGUAGES:
        unknown = writer(language).texts["unknown"]
        assert {writer(language).day(None), writer(language).moment(None), writer(language).percent(None)} == {unknown}


def test_a_half_is_rounded_up() -> None:
    assert writer("en").number(19.25, 1) == "19.3"
    assert writer("nb").percent(0.5945) == "59,5\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (date(2025, 1, 1), date(2026, 1, 1), "2025"),
        (date(2025, 4, 1), date(2025, 7, 1), "2. kvartal 2025"),
        (date(2025, 12, 1), date(2026, 1, 1), "desember 2025"),
        (date(2025, 5, 17), date(2025, 5, 18), "17. mai 2025"),
        (date(2025, 3, 1), date(2025, 5, 1), "1. mars 2025 til 30. april 2025"),
        (date(2025, 3, 1), date(2025, 6, 1), "1. mars 2025 til 31. mai 2025"),
        (date(2025, 5, 1), date(2026, 5, 1), "1. mai 2025 til 30. april 2026"),
        (date(2025, 3, 15), date(2025, 4, 15), "15. mars 2025 til 14. april 2025"),
    ],
)
def test_periods_have_their_names(start: date, end: date, text: str) -> None:
    assert writer().period(start, end) == text


def test_a_moment_is_that_of_a_clock_in_oslo() -> None:
    assert writer().moment(datetime(2025, 4, 30, 22, 30)) == "1. mai 2025 kl. 00:30"


def test_a_value_that_is_withheld_is_no_number() -> None:
    assert writer("en").value(None, None) == "not shown"
    assert writer("en").value(Decimal(1), Decimal(2)) == "1 to 2"


def test_file_names_are_plain_and_differ_as_their_names_do() -> None:
    names = ["../../etc/passwd", "a b", "a-b", "A-b", "æ", "ø", "<x>", "con", "x" * 300]
    paths = [page_path("units", name) for name in names]
    assert len(set(paths)) == len(names)
    assert all(path.startswith("units/") and path.count("/") == 1 and len(path) < 80 for path in paths)
    assert all(path.isascii() and " " not in path and "<" not in path for path in paths)


def test_steps_of_a_waterfall_meet() -> None:
    drawing = draw_steps("w", TITLES, [("all", 100, "100"), ("a", 30, "30"), ("b", 10, "10"), ("rest", 60, "60")])
    whole, first, second, rest = drawing.bars
    assert first.x + first.width == whole.x + whole.width
    assert second.x + second.width == first.x
    assert rest.x + rest.width == second.x


def test_every_bar_has_its_figure_as_text() -> None:
    drawing = draw_bars("b", TITLES, [BarRow("one", (("known", 2), ("own", 3)), "2 of 5"), BarRow("none", (), "0")])
    assert [label.text for label in drawing.labels] == ["one", "2 of 5", "none", "0"]
    assert [bar.css for bar in drawing.bars] == ["known", "own"]
    assert drawing.bars[0].x + drawing.bars[0].width == drawing.bars[1].x
    assert not draw_bars("b", TITLES, []).bars


def test_a_heat_map_is_bounded_and_shaded_by_share() -> None:
    names = [f"n{number}" for number in range(100)]
    shares = {(0, 1): (1.0, "100%"), (1, 0): (0.1, "10%"), (0, 99): (0.5, "50%")}
    drawing = draw_heat("h", TITLES, names, shares)
    assert [bar.css for bar in drawing.bars] == ["heat-4", "heat-1"]
    assert {label.text for label in drawing.labels} >= {"100%", "10%", "24. n23"}
    assert "25. n24" not in {label.text for label in drawing.labels}


def test_a_chart_as_a_file_of_its_own_is_escaped_and_needs_nothing() -> None:
    text = render_drawing(draw_bars("b", ("<b>", "x"), [BarRow("<script>", (("known", 1),), "1")]))
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    assert ".known" in text


@pytest.mark.parametrize("language", ["nb", "nn", "en"])
def test_the_menu_has_a_name_for_each_page(language: Language) -> None:
    assert set(site_texts(language)["menu"]) == set(MENU)
