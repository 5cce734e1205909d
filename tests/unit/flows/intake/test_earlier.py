"""What a second delivery changes of a first: new, corrected, unchanged, not mentioned; of the same sender alone."""

from typing import Any

import pytest

from flows.installation import Installation
from flows.intake import earlier
from flows.intake.deliveries import Delivery
from flows.intake.earlier import compare_registered
from flows.intake.receipt import EarlierStatements
from flows.intake.registration import check_delivery, receive, withdraw
from schemas.contract_parts import Take
from tests.support.small_installation import HEADER


def delivery(*cells: tuple[str, int | str], sender: str = "ssb", day: str = "01.01.2024", **stated: Any) -> Delivery:
    rows = "".join(f"0301;{day};{group};{count};\n" for group, count in cells)
    return Delivery("f.csv", (HEADER + rows).encode(), "folketall", sender, **stated)


def submit(home: Installation, sent: Delivery) -> str:
    ((receipt,),) = receive(home, [sent])
    return receipt.submission_id


def counts(found: EarlierStatements | None) -> tuple[int, ...] | None:
    names = ("submissions", "new", "corrected", "unchanged", "withdrawn", "absent")
    return found and tuple(getattr(found, name) for name in names)


def both(home: Installation, sent: Delivery) -> tuple[int, ...] | None:
    """Return what a delivery would change, which is what it then changes."""
    tried = counts(check_delivery(home, sent)[0].earlier)
    assert counts(compare_registered(home, submit(home, sent))) == tried
    return tried


def test_the_first_delivery_changes_nothing(home: Installation) -> None:
    assert both(home, delivery(("a", 1))) is None


def test_each_item_is_new_corrected_or_unchanged(home: Installation) -> None:
    submit(home, delivery(("a", 1), ("b", 2), ("d", 4)))
    assert both(home, delivery(("a", 1), ("b", 3), ("c", 5))) == (1, 1, 1, 1, 0, 1)
    assert both(home, delivery(("a", 1), ("b", 3), ("c", 5), ("d", 4), ("e", 6))) == (2, 1, 0, 4, 0, 0)


@pytest.mark.parametrize("other", [
    delivery(("a", 2), sender="other"), delivery(("a", 2), day="01.02.2024"), delivery(("a", 2), day="01.01.2023"),
])  # fmt: skip
def test_another_sender_or_month_has_stated_nothing_before(home: Installation, other: Delivery) -> None:
    submit(home, delivery(("a", 1)))
    assert both(home, other) is None


def test_a_withdrawn_delivery_counts_no_more(home: Installation) -> None:
    first = submit(home, delivery(("a", 1)))
    submit(home, delivery(("a", 2)))
    withdraw(home, first)
    assert both(home, delivery(("a", 1), ("b", 1))) == (1, 1, 1, 0, 0, 0)
    assert compare_registered(home, first) is None, "it is withdrawn itself"


def test_another_day_of_the_month_is_not_asked_for(home: Installation) -> None:
    submit(home, delivery(("a", 1)))
    assert both(home, delivery(("b", 2), day="02.01.2024")) == (1, 1, 0, 0, 0, 0)


@pytest.mark.parametrize(("most", "listed"), [(1, 1), (2, 2), (3, 2)])
def test_what_is_not_mentioned_is_listed_up_to_a_limit(
    home: Installation, monkeypatch: pytest.MonkeyPatch, most: int, listed: int
) -> None:
    monkeypatch.setattr(earlier, "MAX_ABSENT", most)
    submit(home, delivery(("c", 1), ("b", 2), ("a", 3)))
    found = compare_registered(home, submit(home, delivery(("a", 3))))
    assert found is not None
    words = [f'population {{"group":"{group}"}} Oslo 2024-01-01' for group in "bc"]
    assert (found.absent, list(found.items), found.whole) == (2, words[:listed], False)


def test_ten_items_that_are_not_mentioned_are_listed(home: Installation) -> None:
    submit(home, delivery(*((group, 1) for group in "abcdefghijkl")))
    found = compare_registered(home, submit(home, delivery(("a", 1))))
    assert found is not None
    assert (found.absent, len(found.items)) == (11, 10)


def test_an_item_that_was_stated_twice_is_missed_once(home: Installation) -> None:
    submit(home, delivery(("a", 1), ("b", 2)))
    submit(home, delivery(("b", 3)))
    assert both(home, delivery(("a", 1))) == (2, 0, 0, 1, 0, 1)


def test_rows_of_one_item_are_one_item(home: Installation) -> None:
    summed = home.contract("folketall").model_copy(update={"repeat": "sum"})
    adding = home.with_presets(contracts={"folketall": summed})
    submit(adding, delivery(("a", 1), ("a", 2), ("b", 4)))
    assert both(adding, delivery(("a", 2), ("a", 1), ("b", 5), ("c", 6), ("c", 7))) == (1, 1, 1, 1, 0, 0)


def as_written(home: Installation, **changed: str) -> Installation:
    """Return the installation with figures that are as accurate as they are written."""
    contract = home.contract("folketall")
    claims = tuple(claim.model_copy(update={"decimals": "as_written"}) for claim in contract.claims)
    return home.with_presets(contracts={"folketall": contract.model_copy(update={"claims": claims, **changed})})


def test_a_more_accurate_statement_of_the_same_value_is_a_correction(home: Installation) -> None:
    exact = as_written(home)
    submit(exact, delivery(("a", "7,5"), ("b", "1")))
    assert both(exact, delivery(("a", "7,50"), ("b", "1"))) == (1, 0, 1, 1, 0, 0)


def test_a_sum_is_as_accurate_as_its_coarsest_line(home: Installation) -> None:
    adding = as_written(home, repeat="sum")
    submit(adding, delivery(("a", "7,5"), ("a", "1")))
    assert both(adding, delivery(("a", "7,50"), ("a", "1"))) == (1, 0, 0, 1, 0, 0)


def test_each_item_that_a_delivery_withdraws_is_counted(home: Installation) -> None:
    action = Take.model_validate({"column": "merknad", "map": {"": "append", "bort": "withdraw"}})
    contract = home.contract("folketall").model_copy(update={"action": action, "ignore": ()})
    able = home.with_presets(contracts={"folketall": contract})
    submit(able, delivery(("a", 1), ("b", 2), ("c", 3), ("d", 4)))
    rows = "".join(f"0301;01.01.2024;{group};{count};bort\n" for group, count in (("a", 1), ("b", 2), ("e", 5)))
    sent = Delivery("f.csv", (HEADER + rows + "0301;01.01.2024;c;3;\n").encode(), "folketall", "ssb")
    assert both(able, sent) == (1, 0, 0, 1, 2, 1)


def test_a_delivery_that_is_tried_again_changes_nothing_of_itself(home: Installation) -> None:
    sent = delivery(("a", 1))
    submit(home, sent)
    assert check_delivery(home, sent)[0].earlier is None
