"""The dossier page: every figure in three languages, nothing fetched, and what others wrote is text."""

import re
from decimal import Decimal

import pytest

from flows.check_page.texts import LANGUAGES, Language
from flows.dossier_page import page
from flows.dossier_page.chart import PARTS, draw_columns
from flows.dossier_page.drawings import BAR_SPACE, MOST_DRAWN
from flows.dossier_page.page import column_label, page_texts, render_dossier
from tests.support.dossiers import HOSTILE, VOCABULARY, described


def keys_of(texts: object, prefix: str = "") -> set[str]:
    if not isinstance(texts, dict):
        return {prefix}
    return {key for name, text in texts.items() for key in keys_of(text, f"{prefix}.{name}")}


def places_of(texts: object) -> list[set[str]]:
    """Return the places to fill in of each text, in the order of the keys."""
    if not isinstance(texts, dict):
        return [set(re.findall(r"{(\w+)}", str(texts)))]
    return [places for name in sorted(texts) for places in places_of(texts[name])]


def test_a_number_of_any_size_that_a_contract_accepts_is_written() -> None:
    assert page._number(Decimal("1234567890123456789012345678.5"), "en").endswith("678.5")  # noqa: SLF001
    assert page._number(Decimal("-0.1234565"), "nb") == "\N{MINUS SIGN}0,123456"  # noqa: SLF001


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_texts_of_each_language_are_complete(language: Language) -> None:
    assert keys_of(page_texts(language)) == keys_of(page_texts("en"))
    assert places_of(page_texts(language)) == places_of(page_texts("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_holds_each_figure_and_fetches_nothing(language: Language) -> None:
    page = render_dossier(described(), VOCABULARY, language)
    of = page_texts(language)["of"]
    mark = "." if language == "en" else ","
    for figure in (of.format(k=60, n=90), of.format(k=59, n=60), of.format(k=1, n=3), f"0{mark}851404"):
        assert figure in page, figure
    assert page.count("<rect") >= len(PARTS) + 3
    assert set(re.findall(r'(?:src|href)="([^"]*)"', page)) == {"#main", "data:,"}, "nothing is fetched"
    assert not re.search(r"url\((?!#)|@import|https?:", page.replace("http://www.w3.org", ""))
    assert "<script" not in page
    assert HOSTILE not in page
    assert f'lang="{language}"' in page


def test_verdict_hours_and_proof_in_words() -> None:
    lost = render_dossier(described(), VOCABULARY, "nb")
    assert "Delvis. Noen kolonner er kjent fra andre" in lost
    assert "1\N{NARROW NO-BREAK SPACE}200,5 til 2\N{NARROW NO-BREAK SPACE}400 timer" in lost
    assert "Folkemengde: menn" in lost
    exact = render_dossier({**described(differs=False, hours=(None, None)), "predicted_equals_rebuilt": True,
                            "items_rebuilt": 60, "differing": 0}, VOCABULARY, "nn")  # fmt: skip
    assert "Ja. Alt er kjent frå andre, med same verdi" in exact
    assert "Ukjent er ikkje null" in exact
    assert "60 opplysningar, kvar av dei" in exact
    assert "Ingen opplysningar, verdiar eller presisjon går tapt" in exact


def test_the_label_of_a_column_is_that_of_its_concept_and_codes() -> None:
    column = {"concept": "population", "breakdown": '{"sex":"F","shelf":"A3"}'}
    assert column_label(column, VOCABULARY, "en") == "Population: women, A3"
    assert column_label({"concept": "unknown", "breakdown": "{}"}, VOCABULARY, "en") == "unknown"


def test_a_bar_is_as_long_as_what_is_known() -> None:
    columns = [{"items": 10, "covered": 8, "tolerated": 5, "agreeing": 5}] * (MOST_DRAWN + 1)
    labels = [f"a long label of the column {number:020}" for number in range(MOST_DRAWN + 1)]
    chart = draw_columns(columns, labels, ("title", "text"), lambda known, items: f"{known} of {items}")
    assert len(chart.bars) == 3 * MOST_DRAWN
    assert [(bar.css, round(bar.width / BAR_SPACE, 3)) for bar in chart.bars[:3]] == [
        ("equal", 0.5), ("other", 0.3), ("nowhere", 0.2),
    ]  # fmt: skip
    assert chart.labels[0].text.endswith("…")
    assert chart.labels[1].text == "5 of 10"
