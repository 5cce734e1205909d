"""Roll-ups: which items are parts of which wholes, how many parts each whole has, and what is no part of any."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.claims import VALUE, VALUE_DIGITS
from schemas.concepts import Concept, Derivation, Dimension, Vocabulary
from schemas.contract_parts import Titles
from transforms.derivations.derive import Derived, derive
from transforms.derivations.roll_ups import ITEM_IDENTITY, deriving_concepts, parts_of_wholes, rule_of
from transforms.derivations.wholes import WHOLES
from transforms.identity import item_id

TITLE = Titles(nb="a", nn="a", en="a")
SEX = Dimension(title=TITLE, codes=dict.fromkeys("TFM", TITLE), total="T")
AGE = Dimension(title=TITLE, codes=dict.fromkeys(("young", "old"), TITLE))
NO_WHOLES = pl.DataFrame(schema=WHOLES)
YEAR = (dt.date(2024, 1, 1), dt.date(2025, 1, 1))


def vocabulary(**derives: dict[str, Any]) -> Vocabulary:
    """Return a vocabulary of concepts, each with one roll-up; an empty one for none."""
    concepts = {
        name: Concept(
            title=TITLE,
            definition="a",
            measures=("persons",),
            dimensions="any",
            derives=(Derivation.model_validate(given),) if given else (),
        )
        for name, given in derives.items()
    }
    return Vocabulary(concepts, {"sex": SEX, "age": AGE})


def item(name: str, **differs: object) -> dict[str, object]:
    """Return an item of one concept, unit and year, with what differs."""
    start, end = YEAR
    return {
        "item_id": name, "concept": "people", "unit_id": "u", "period_start": start, "period_end": end,
        "breakdown": "{}", "unit_measure": "persons", **differs,
    }  # fmt: skip


def items(*rows: dict[str, object]) -> pl.DataFrame:
    schema = {"item_id": pl.String, **dict.fromkeys(ITEM_IDENTITY, pl.String)}
    return pl.DataFrame(list(rows), schema=schema | {"period_start": pl.Date, "period_end": pl.Date})


def found(
    rows: pl.DataFrame,
    known: Vocabulary,
    column: str,
    wholes: pl.DataFrame | None = None,
    *,
    of_any: bool = False,
) -> list[tuple[object, ...]]:
    """Return a column of each whole, how many parts it needs, and the part, sorted."""
    placed = NO_WHOLES if wholes is None else wholes
    parts = parts_of_wholes(rows, known, placed, of_any=of_any)
    return parts.select(column, "needed", "part").sort(pl.all()).rows()


def test_the_codes_of_a_dimension_make_its_total_and_no_total_is_a_part() -> None:
    rows = items(*(item(code, breakdown=f'{{"sex":"{code}"}}') for code in ("F", "M", "T", "X")))
    known = vocabulary(people={"over": "sex"})
    assert found(rows, known, "breakdown") == [('{"sex":"T"}', 2, "F"), ('{"sex":"T"}', 2, "M")]


def test_an_item_without_the_dimension_is_a_whole_where_somebody_reports_it() -> None:
    parts = [item(code, breakdown=f'{{"sex":"{code}"}}') for code in "FM"]
    known = vocabulary(people={"over": "sex"}, others={})
    both = [(text, 2, code) for text in ('{"sex":"T"}', "{}") for code in "FM"]
    assert found(items(*parts, item("whole")), known, "breakdown") == both
    # of another concept it is a whole only where that is asked for
    assert parts_of_wholes(items(*parts, item("x", concept="others")), known, NO_WHOLES).height == len(parts)
    other = items(*parts, item("whole", concept="others"))
    assert found(other, known, "breakdown") == both[:2]
    assert found(other, known, "breakdown", of_any=True) == both


def test_of_a_dimension_without_a_total_the_whole_is_the_item_without_it() -> None:
    rows = items(
        item("a", breakdown='{"age":"old","sex":"F"}'), item("b", breakdown='{"age":"young","sex":"F"}'),
        item("c", breakdown='{"sex":"F"}'),
    )  # fmt: skip
    known = vocabulary(people={"over": "age"})
    assert found(rows, known, "breakdown") == [('{"sex":"F"}', 2, "a"), ('{"sex":"F"}', 2, "b")]


def test_only_the_parts_that_a_roll_up_lists_are_summed() -> None:
    rows = items(*(item(code, breakdown=f'{{"sex":"{code}"}}') for code in "FM"))
    assert found(rows, vocabulary(people={"over": "sex", "parts": ["F"]}), "breakdown") == [('{"sex":"T"}', 1, "F")]
    assert found(rows, vocabulary(people={"over": "sex", "parts": ["F", "T"]}), "breakdown") == [
        ('{"sex":"T"}', 1, "F")
    ]


def test_a_sum_of_concepts_has_each_once_for_the_same_unit_and_breakdown() -> None:
    known = vocabulary(both={"sum_of": ["boys", "girls", "boys"]}, boys={}, girls={})
    rows = items(item("a", concept="boys"), item("b", concept="girls"), item("c", concept="both"), item("d"))
    assert found(rows, known, "concept") == [("both", 2, "a"), ("both", 2, "b")]


def test_units_are_parts_of_the_wholes_of_their_own_kind_and_day() -> None:
    placed = pl.DataFrame(
        [
            ("u", "municipality", "county", "county", YEAR[0], 2),
            ("u", "school", "owner", "company", YEAR[0], 5),
            ("u", "municipality", "late", "county", YEAR[1], 2),
        ],
        schema=WHOLES,
        orient="row",
    )
    rows = items(item("a"), item("b", unit_id="elsewhere"))
    known = vocabulary(people={"units": "municipality"})
    assert found(rows, known, "unit_id", placed) == [("county", 2, "a")]


def months(first: int, count: int, year: int = 2024) -> tuple[dt.date, dt.date]:
    """Return a span of so many months."""
    last = first - 1 + count
    return dt.date(year, first, 1), dt.date(year + last // 12, last % 12 + 1, 1)


def spans(*several: tuple[dt.date, dt.date]) -> pl.DataFrame:
    return items(
        *(item(f"{start:%m}+{(end - start).days}", period_start=start, period_end=end) for start, end in several)
    )


@pytest.mark.parametrize(
    ("unit", "part", "needed"),
    [("month", months(12, 1), 12), ("quarter", months(10, 3), 4), ("month", months(1, 1), 12)],
)
def test_a_calendar_year_is_a_whole_of_months_and_of_quarters(
    unit: str, part: tuple[dt.date, dt.date], needed: int
) -> None:
    rows = spans(part)
    known = vocabulary(people={"periods": unit})
    assert found(rows, known, "period_start") == [(YEAR[0], needed, rows["item_id"].item())]
    assert found(rows, known, "period_end") == [(YEAR[1], needed, rows["item_id"].item())]


@pytest.mark.parametrize(
    ("unit", "part", "longer", "is_part"),
    [
        ("month", months(3, 1), months(3, 2), True),
        ("month", months(4, 1), months(3, 2), True),
        ("month", months(2, 1), months(3, 2), False),
        ("month", months(5, 1), months(3, 2), False),
        ("quarter", months(4, 3), months(1, 6), True),
        ("quarter", months(2, 3), months(1, 6), False),
        ("quarter", months(1, 3), months(1, 5), False),
        ("month", (dt.date(2024, 3, 2), dt.date(2024, 4, 2)), months(3, 2), False),
        ("month", (dt.date(2024, 3, 1), dt.date(2024, 4, 2)), months(3, 2), False),
        ("month", months(3, 1), (dt.date(2024, 3, 1), dt.date(2024, 5, 2)), False),
        ("month", months(3, 1), (dt.date(2024, 2, 28), dt.date(2024, 5, 1)), False),
    ],
)
def test_a_longer_period_is_a_whole_of_the_whole_months_that_lie_in_it_in_step(
    unit: str, part: tuple[dt.date, dt.date], longer: tuple[dt.date, dt.date], is_part: bool
) -> None:
    rows = spans(part, longer)
    known = vocabulary(people={"periods": unit})
    wholes = [each for each in found(rows, known, "period_start") if each[0] == longer[0] != YEAR[0]]
    ends = [each for each in found(rows, known, "period_end") if each[0] == longer[1]]
    assert bool(ends) is is_part
    assert [each[2] for each in ends] == [rows["item_id"][0]] * is_part
    assert len(wholes) in {is_part, 0}


def test_items_of_many_units_and_one_period_are_parts_once_each() -> None:
    start, end = months(3, 1)
    units = items(*(item(name, unit_id=name, period_start=start, period_end=end) for name in "uvw"))
    known = vocabulary(people={"periods": "month"})
    assert found(units, known, "unit_id") == [(name, 12, name) for name in "uvw"]


def test_a_period_of_another_concept_is_a_whole_only_where_that_is_asked_for() -> None:
    start, end = months(3, 2)
    rows = pl.concat([spans(months(3, 1)), items(item("x", concept="others", period_start=start, period_end=end))])
    known = vocabulary(people={"periods": "month"}, others={})
    assert [each[0] for each in found(rows, known, "period_end")] == [YEAR[1]]
    assert [each[0] for each in found(rows, known, "period_end", of_any=True)] == [end, YEAR[1]]


def test_without_items_there_are_the_columns_alone() -> None:
    known = vocabulary(people={"over": "sex"}, both={"sum_of": ["people"]})
    parts = parts_of_wholes(items(), known, NO_WHOLES)
    assert parts.is_empty()
    assert parts.schema["needed"] == pl.UInt32
    assert set(parts.columns) == {*ITEM_IDENTITY, "rule", "needed", "part"}


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"sum_of": ["a", "b"]}, "sum_of:a+b"), ({"over": "sex"}, "over:sex"),
        ({"over": "sex", "parts": ["F", "M"]}, "over:sex=F+M"), ({"periods": "quarter"}, "periods:quarter"),
        ({"units": "municipality"}, "units:municipality"),
    ],
)  # fmt: skip
def test_each_kind_of_roll_up_has_a_name(given: dict[str, Any], rule: str) -> None:
    assert rule_of(Derivation.model_validate(given)) == rule


@pytest.mark.parametrize(
    ("wanted", "concepts"),
    [
        (None, {"all", "both", "boys", "girls", "rest"}), (["both"], {"both", "boys", "girls"}),
        (["all"], {"all", "both", "boys", "girls", "rest"}), (["boys", "plain"], set()), ([], set()),
    ],
)  # fmt: skip
def test_concepts_matter_that_a_sum_has_as_a_part_of_a_part(wanted: Sequence[str] | None, concepts: set[str]) -> None:
    known = vocabulary(
        all={"sum_of": ["both", "rest"]}, both={"sum_of": ["boys", "girls"]}, boys={}, girls={}, rest={}, plain={}
    )
    assert deriving_concepts(known, wanted) == concepts


def derivation(known: Vocabulary, rows: Sequence[dict[str, object]]) -> Derived:
    """Return what is derivable of items; each row has what differs, also of value, decimals and status."""
    identity = {"item_id", *ITEM_IDENTITY}
    frame = items(*({name: value for name, value in row.items() if name in identity} for row in rows))
    full = frame.with_columns(
        pl.Series("value", [row.get("value", 1) for row in rows], VALUE),
        pl.Series("conf_status", [row.get("conf_status", "F") for row in rows], pl.String),
        pl.Series("decimals", [row.get("decimals") for row in rows], pl.Int16),
    )
    return derive(full.with_columns(item_id()), known, NO_WHOLES)


def derived(known: Vocabulary, rows: Sequence[dict[str, object]]) -> tuple[dict[tuple[str, str], str], int]:
    """Return the relation of what is derivable of items, by concept and breakdown; count the edges."""
    found = derivation(known, rows)
    relations = found.items.select("concept", "breakdown", "relation").rows()
    return {(concept, breakdown): relation for concept, breakdown, relation in relations}, found.edges.height


SEXES = [item(code, breakdown=f'{{"sex":"{code}"}}') for code in "FM"]


@pytest.mark.parametrize(
    ("whole", "relation"),
    [
        ([], "unreported"),
        ([{"value": 2}], "equal"),
        ([{"value": 3}], "conflict"),
        ([{"value": None}], "withheld"),
        ([{"value": None, "conf_status": "C"}], None),
        ([{"value": 2, "conf_status": "C"}], None),
    ],
)
def test_what_is_reported_of_a_whole_is_compared_with_its_sum(
    whole: list[dict[str, object]], relation: str | None
) -> None:
    given = [item("T", breakdown='{"sex":"T"}', **each) for each in whole]
    found, edges = derived(vocabulary(people={"over": "sex"}), [*SEXES, *given])
    assert found == ({("people", '{"sex":"T"}'): relation} if relation else {})
    assert edges == (2 if relation else 0)


def test_a_part_that_is_withheld_or_missing_gives_no_sum() -> None:
    known = vocabulary(people={"over": "sex"})
    assert derived(known, [{**SEXES[0], "value": None}, SEXES[1]]) == ({}, 0)
    assert derived(known, SEXES[:1]) == ({}, 0)


def test_a_sum_of_sums_leads_to_what_is_reported() -> None:
    known = vocabulary(all={"sum_of": ["people", "rest"]}, people={"over": "age"}, rest={})
    ages = [item(code, breakdown=f'{{"age":"{code}"}}') for code in ("young", "old")]
    found, edges = derived(known, [*ages, item("r", concept="rest")])
    assert found == {("people", "{}"): "unreported", ("all", "{}"): "unreported"}
    assert edges == 2 + 3


def test_a_whole_that_two_rules_sum_to_two_values_is_no_part() -> None:
    known = vocabulary(all={"sum_of": ["people", "rest"]}, people={"over": "age"}, rest={})
    two = Concept(
        title=TITLE, definition="a", measures=("persons",), dimensions="any",
        derives=(Derivation(over="age"), Derivation(sum_of=("boys",))),
    )  # fmt: skip
    both = Vocabulary({**known.concepts, "people": two, "boys": known.concepts["rest"]}, known.dimensions)
    ages = [item(code, breakdown=f'{{"age":"{code}"}}') for code in ("young", "old")]
    rest = item("r", concept="rest")
    agreeing, _ = derived(both, [*ages, rest, item("b", concept="boys", value=2)])
    differing, _ = derived(both, [*ages, rest, item("b", concept="boys", value=5)])
    assert ("all", "{}") in agreeing
    assert ("all", "{}") not in differing


def sexes(**differs: Sequence[object]) -> list[dict[str, object]]:
    """Return the items of both sexes; each key has what is of the first and of the second."""
    return [{**each, **{name: of[place] for name, of in differs.items()}} for place, each in enumerate(SEXES)]


MOST = 10**VALUE_DIGITS


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ((MOST // 2, MOST // 4), True), ((MOST // 2, MOST // 2), False), ((-MOST // 2, -MOST // 2), False),
        ((-MOST // 2, MOST // 2), True), ((MOST * 3 // 4, MOST // 2), False),
    ],
)  # fmt: skip
def test_a_sum_that_has_more_digits_than_a_value_may_is_none(values: tuple[int, int], fits: bool) -> None:
    found = derivation(vocabulary(people={"over": "sex"}), sexes(value=[Decimal(value) for value in values]))
    assert found.items["value"].to_list() == [sum(values)] * fits
    assert found.edges.height == 2 * fits


@pytest.mark.parametrize(
    ("whole", "relation"), [(350, "consistent"), (350.5, "conflict"), (249.5, "conflict"), (250, "consistent")]
)
def test_a_sum_meets_what_is_reported_where_their_intervals_have_a_number_in_common(
    whole: float, relation: str
) -> None:
    parts = sexes(value=(Decimal(100), Decimal(200)), decimals=(-2, None))  # the first may be 50 to 150
    given = item("T", breakdown='{"sex":"T"}', value=Decimal(str(whole)))
    found = derivation(vocabulary(people={"over": "sex"}), [*parts, given]).items
    assert found.select("value", "decimals", "relation").rows() == [(300, -2, relation)]
    assert derivation(vocabulary(people={"over": "sex"}), [*reversed(parts), given]).items.equals(found)


def test_rows_and_edges_are_in_order_and_of_two_equal_sums_the_first_rule_leads_on() -> None:
    known = vocabulary(all={"sum_of": ["people", "rest"]}, rest={}, boys={})
    two = Concept(
        title=TITLE, definition="a", measures=("persons",), dimensions="any",
        derives=(Derivation(sum_of=("boys",)), Derivation(over="age")),
    )  # fmt: skip
    both = Vocabulary({**known.concepts, "people": two}, {"age": AGE})
    ages = [item(code, breakdown=f'{{"age":"{code}"}}') for code in ("young", "old")]
    found = derivation(both, [item("b", concept="boys", value=2), *ages, item("r", concept="rest")])
    assert found.items.select("item_id", "rule").equals(found.items.select("item_id", "rule").sort(pl.all()))
    assert found.edges.equals(found.edges.sort(pl.all()))
    assert sorted(found.items["rule"]) == ["over:age", "sum_of:boys", "sum_of:people+rest"]
    # `over:age` comes first by name: the sum of all leads to both ages and the rest, not to the boys
    assert found.edges.filter(rule="sum_of:people+rest").height == 3
