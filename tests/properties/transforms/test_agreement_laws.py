"""What holds of the law for any claims, against a second account of it in Python's fractions."""

import random
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from schemas.claims import CLAIM, VALUE, VALUE_SCALE, frame_schema
from tests.support.fact_views import agreements_of, published_facts
from transforms.observations import agreement as law

UNIT = Fraction(1, 10**VALUE_SCALE)
MOST = 10**37 - 1
"""28 digits before the point and nine after it."""

lawful = settings(max_examples=40)


class Claim(NamedTuple):
    """A claim in units of a value's last place; its name makes it one of a kind."""

    item: str
    units: int
    decimals: int | None
    precedence: int | None
    contract: str
    name: int

    def ends(self) -> tuple[Fraction, Fraction]:
        """Return the interval, by fractions."""
        half = Fraction(10) ** -self.decimals / 2 if self.decimals is not None else Fraction(0)
        return self.units * UNIT - half, self.units * UNIT + half


accuracies = st.none() | st.integers(-20, 9)
amounts = st.integers(-(10**19), 10**19).map(lambda n: n * 10**VALUE_SCALE) | st.integers(-MOST, MOST)


@st.composite
def items(draw: st.DrawFn) -> list[Claim]:
    """Draw the claims of up to four items; those of one item stand near each other, often at an interval's end."""
    claims = []
    for item in draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True)):
        middle = draw(amounts)
        few = draw(st.lists(accuracies, min_size=1, max_size=3))
        for _ in range(draw(st.integers(1, 5))):
            decimals = draw(st.sampled_from(few))
            step = 5 * 10 ** max(0, VALUE_SCALE - 1 - (draw(st.sampled_from(few)) or 0))
            units = middle + draw(st.integers(-3, 3)) * step + draw(st.sampled_from((0, 0, 0, -1, 1)))
            rank = draw(st.none() | st.integers(1, 2))
            claims.append(
                Claim(item, max(-MOST, min(units, MOST)), decimals, rank, draw(st.sampled_from("xy")), len(claims))
            )
    return claims


def frame(claims: list[Claim]) -> pl.DataFrame:
    """Return claims as the frame that the law reads."""
    columns = ("item_id", "value", "decimals", *law.TIE_BREAKERS)
    schema = pl.Schema({name: frame_schema(CLAIM)[name] for name in columns})
    units = pl.Series([c.units for c in claims], dtype=pl.Int128).reinterpret(dtype=VALUE)
    rest = pl.DataFrame(
        [(c.item, c.decimals, c.precedence, c.contract, "r", "s", c.name, "x") for c in claims],
        schema={name: schema[name] for name in columns if name != "value"},
        orient="row",
    )
    return rest.with_columns(value=units).select(columns)


def verdict(claims: list[Claim]) -> str:
    """Say how claims of one item agree, by trying every end of every interval as the common number."""
    if len(claims) == 1:
        return "single"
    accuracies = {(c.decimals, c.units) for c in claims}
    if len(accuracies) == 1:
        return "complete"
    ends = [c.ends() for c in claims]
    common = any(all(low <= point <= high for low, high in ends) for pair in ends for point in pair)
    return "consistent" if common and len(accuracies) == len({c.decimals for c in claims}) else "conflict"


def choice(claims: list[Claim]) -> Claim | None:
    """Say which claim of one item is published."""
    ranks = [c.precedence for c in claims if c.precedence is not None]
    if verdict(claims) == "conflict":
        claims = [c for c in claims if ranks and c.precedence == min(ranks)]
        if not claims or verdict(claims) == "conflict":
            return None
    finest = float("inf")
    return min(
        claims,
        key=lambda c: (
            -(finest if c.decimals is None else c.decimals),
            finest if c.precedence is None else c.precedence,
            c.contract,
            c.name,
        ),
    )


def by_item(claims: list[Claim]) -> dict[str, list[Claim]]:
    return {item: list(group) for item, group in groupby(sorted(claims, key=lambda c: c.item), key=lambda c: c.item)}


def agreements(claims: list[Claim]) -> dict[str, str]:
    return dict(agreements_of(frame(claims)).select("item_id", "agreement").iter_rows())


def facts(claims: list[Claim]) -> dict[str, tuple[object, ...]]:
    """Return what is published: item -> value, decimals, agreement."""
    return {item: tuple(fact) for item, *fact in published_facts(law.judge_claims(frame(claims))).iter_rows()}


@lawful
@given(items())
def test_the_law_is_what_fractions_say(claims: list[Claim]) -> None:
    decided = law.judge_claims(frame(claims))
    expected = {item: verdict(own) for item, own in by_item(claims).items()}
    assert agreements(claims) == expected
    assert dict(decided.select("item_id", "agreement").iter_rows()) == expected
    names = {item: (won.name if won else None) for item, own in by_item(claims).items() for won in (choice(own),)}
    assert dict(decided.filter("chosen").select("item_id", "row").iter_rows()) == {
        i: n for i, n in names.items() if n is not None
    }


@lawful
@given(items())
def test_bounds_are_exact(claims: list[Claim]) -> None:
    ends = frame(claims).select(law.bounds()).rows()
    edge = Fraction(10**38 - 1, 10**10)
    assert [(Fraction(a), Fraction(b)) for a, b in ends] == [
        (max(low, -edge), min(high, edge)) for low, high in (c.ends() for c in claims)
    ]


@lawful
@given(items(), st.randoms(use_true_random=False))
def test_the_order_of_the_claims_does_not_matter(claims: list[Claim], shuffler: random.Random) -> None:
    other = claims.copy()
    shuffler.shuffle(other)
    assert_frame_equal(law.judge_claims(frame(claims)).sort("row"), law.judge_claims(frame(other)).sort("row"))
    assert agreements(claims) == agreements(other)


@lawful
@given(items())
def test_items_do_not_touch_each_other(claims: list[Claim]) -> None:
    assert facts(claims) == {item: fact for own in by_item(claims).values() for item, fact in facts(own).items()}


@lawful
@given(items(), st.data())
def test_saying_it_again_changes_nothing_but_single_to_complete(claims: list[Claim], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(claims), min_size=1, max_size=5))
    more = claims + [c._replace(name=100 + n) for n, c in enumerate(again)]
    repeated = {c.item for c in again}
    before, after = facts(claims), facts(more)
    for item, (value, decimals, agreement) in before.items():
        grown = "complete" if agreement == "single" and item in repeated else agreement
        assert after[item] == (value, decimals, grown)


@lawful
@given(items(), st.data())
def test_fewer_claims_never_conflict_where_more_agree(claims: list[Claim], data: st.DataObject) -> None:
    fewer = data.draw(st.lists(st.sampled_from(claims), min_size=1, unique=True))
    whole = agreements(claims)
    assert all(whole[item] == "conflict" for item, found in agreements(fewer).items() if found == "conflict")


@lawful
@given(items())
def test_negating_all_values_changes_no_agreement(claims: list[Claim]) -> None:
    assert agreements([c._replace(units=-c.units) for c in claims]) == agreements(claims)


@lawful
@given(items())
def test_what_is_published_where_claims_agree(claims: list[Claim]) -> None:
    """The published interval holds every number that all claims allow; the published value itself need not be one."""
    decided = law.judge_claims(frame(claims)).filter(pl.col("agreement") != "conflict", pl.col("chosen"))
    for item, name in decided.select("item_id", "row").iter_rows():
        ends = [c.ends() for c in claims if c.item == item]
        won = next(c for c in claims if c.name == name)
        low, high = won.ends()
        assert low <= max(a for a, _ in ends) <= min(b for _, b in ends) <= high
        if won.decimals is None:
            assert all(a <= won.units * UNIT <= b for a, b in ends)


@lawful
@given(items())
def test_one_claim_at_most_is_chosen_and_one_represents(claims: list[Claim]) -> None:
    decided = law.judge_claims(frame(claims))
    counts = decided.group_by("item_id").agg(
        pl.col("chosen").sum(),
        pl.col("represents").sum(),
        pl.col("represents").filter("chosen").all().alias("same"),
        (pl.col("reports") == pl.len()).all().alias("counted"),
    )
    assert counts["chosen"].max() <= 1
    assert counts["represents"].to_list() == [1] * counts.height
    assert counts["same"].all()
    assert counts["counted"].all()
    withheld = (
        decided.group_by("item_id").agg(pl.col("chosen").any(), pl.col("agreement").first()).filter(~pl.col("chosen"))
    )
    assert set(withheld["agreement"]) <= {"conflict"}
