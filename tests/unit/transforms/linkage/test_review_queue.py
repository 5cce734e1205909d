"""What a person is asked about: pairs of two items that decisions leave open, the least sure first."""

import random

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.linkage.clustering import LinkageRule
from transforms.linkage.review_queue import uncertain_pairs, undecided_pairs

RULE = LinkageRule(4.0, one_report_per_item=False)
NODES = "abcdefg"
PAIR = st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)).filter(lambda p: p[0] < p[1])
VERDICT = st.sampled_from(["same", "different", "unsure"])


def edges(**weights: float) -> pl.DataFrame:
    """Return edges: `ab=3.0` is one of a and b."""
    rows = [(*pair, float(weight)) for pair, weight in weights.items()]
    return pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String, "weight": pl.Float64}, orient="row")


def reports(items: str = "", reporters: str = "") -> pl.DataFrame:
    """Return reports a, b, c, ...: each its own item and reporter, except where a position is given."""
    own = [items[n : n + 1].strip() or node for n, node in enumerate(NODES)]
    by = [reporters[n : n + 1].strip() or node.upper() for n, node in enumerate(NODES)]
    return pl.DataFrame({"report_id": list(NODES), "item_id": own, "reported_by": by})


def decisions(*lines: str) -> pl.DataFrame:
    """Return decisions: `ab same`."""
    rows = [(pair[0], pair[1], verdict) for pair, verdict in (each.split() for each in lines)]
    return pl.DataFrame(rows, schema=dict.fromkeys(("a", "b", "verdict"), pl.String), orient="row")


def asked(found: pl.DataFrame) -> list[str]:
    return [a + b for a, b in found.select("a", "b").iter_rows()]


def test_the_least_sure_come_first_then_the_larger_items() -> None:
    weighed = edges(ab=9, cd=3, ef=5, cg=-1, ag=4)
    found = uncertain_pairs(weighed, reports("a   ee"), decisions(), RULE)
    assert asked(found) == ["ag", "cd", "ab", "cg"]  # e and f are one item already
    larger = uncertain_pairs(edges(ab=3, cd=5, fg=3), reports("   ddd"), decisions(), RULE)
    assert asked(larger) == ["cd", "fg", "ab"]
    assert larger.select("item_a", "item_b", "reports").row(0) == ("c", "d", 4)


def test_two_items_are_asked_about_once() -> None:
    found = uncertain_pairs(edges(ac=3.5, ad=3, bc=1, bd=5), reports("aacc"), decisions(), RULE)
    assert found.select("a", "b", "reports", "pairs").rows() == [("a", "c", 4, 4)]


def test_what_is_decided_is_not_asked_again_whatever_was_said() -> None:
    weighed = edges(ab=3, cd=3, ef=3, ag=3)
    found = uncertain_pairs(weighed, reports(), decisions("ab unsure", "cd different", "ef same"), RULE)
    assert asked(found) == ["ag"]


def test_what_follows_from_decisions_is_not_asked() -> None:
    weighed = edges(ac=3, ad=3, bd=3, be=3)
    decided = decisions("ab same", "bc same", "cd different", "be unsure")
    assert asked(uncertain_pairs(weighed, reports(), decided, RULE)) == []
    assert asked(uncertain_pairs(weighed, reports(), decisions("ab same", "bc same"), RULE)) == ["ad", "bd", "be"]


def test_what_one_reporter_keeps_separate_is_not_asked() -> None:
    one = LinkageRule(4.0, one_report_per_item=True)
    decided, by = decisions("ab same"), reports(reporters=" X X")
    assert asked(uncertain_pairs(edges(ad=3), by, decided, one)) == []
    assert asked(uncertain_pairs(edges(ad=3), by, decided, RULE)) == ["ad"]
    assert asked(uncertain_pairs(edges(ad=3), by, decisions(), one)) == ["ad"]


def test_nothing_to_ask() -> None:
    assert uncertain_pairs(edges(), reports(), decisions(), RULE).height == 0
    assert uncertain_pairs(edges(ab=3), reports("aa"), decisions("cd same"), RULE).height == 0


@settings(max_examples=30)
@given(
    st.dictionaries(PAIR, st.integers(-2, 9).map(float), min_size=1, max_size=12),
    st.lists(st.tuples(PAIR, VERDICT), max_size=4),
    st.lists(st.sampled_from(NODES[:3]), min_size=7, max_size=7),
    st.integers(0, 99),
)
def test_order_says_nothing_and_an_answer_is_never_asked_again(
    weights: dict[tuple[str, str], float], made: list[tuple[tuple[str, str], str]], items: list[str], seed: int
) -> None:
    weighed = edges(**{a + b: weight for (a, b), weight in weights.items()})
    decided = decisions(*(f"{a}{b} {verdict}" for (a, b), verdict in made))
    found = uncertain_pairs(weighed, reports("".join(items)), decided, RULE)
    shuffled = [
        frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (weighed, reports("".join(items)), decided)
    ]
    assert uncertain_pairs(*shuffled, RULE).equals(found)
    assert found.select((pl.col("item_a") == pl.col("item_b")).any()).item() in {False, None}
    verdict = random.Random(seed).choice(["same", "different", "unsure"])
    for a, b in found.select("a", "b").iter_rows():
        again = pl.concat([decided, decisions(f"{a}{b} {verdict}")])
        assert undecided_pairs(found.filter(a=a, b=b), reports(), again, RULE).is_empty()
