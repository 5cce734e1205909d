"""Receipts of records: the bucket of each row of a report, its item, whose reports agree and whose contradict."""

from collections.abc import Iterator

import pytest

from flows.receipts.receipt import ReceiptRequest, submission_receipt
from tests.support.incident_deliveries import Home, Row, Sent, new_home

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture(scope="module")
def home(unchecked: None) -> Iterator[tuple[Home, str]]:  # noqa: ARG001
    """Give a home with three reports of one incident, of which one has two rows, and the first submission."""
    parts = (Row("1", "a", speed="10", line="x"), Row("1", "a", speed="10", hurt="3", line="part"))
    others = [Sent((Row("7", "b", speed="20"),), sender="berit"), Sent((Row("9", "c", speed="10"),), sender="carl")]
    with new_home() as home:
        receipts = home.deliver([Sent((*parts, Row("2", "d", place="Bø", day="2024-05-05"))), *others])
        home.night()
        yield home, receipts[0].submission_id


def test_each_row_of_a_report_has_its_bucket_and_its_item(home: tuple[Home, str]) -> None:
    receipt = submission_receipt(home[0].installation, ReceiptRequest(home[1]))
    first, part, alone = receipt["rows"]
    assert {first["bucket"], part["bucket"], alone["bucket"]} >= {"additive", "published"}
    assert part["bucket"] == "additive"
    assert first["items"][0]["item_id"] == part["items"][0]["item_id"] != alone["items"][0]["item_id"]
    assert {item["kind"] for row in receipt["rows"] for item in row["items"]} == {"incident"}
    (item,) = first["items"]
    assert [other["reported_by"] for other in item["agrees"]] == ["c"]
    assert item["contradicts"] == [{"contract": "melding", "sender": "berit", "reported_by": "b"}]
    assert (alone["items"][0]["agrees"], alone["items"][0]["contradicts"]) == ([], [])


def test_of_a_kind_of_persons_no_reporter_is_shown(home: tuple[Home, str]) -> None:
    installation = home[0].installation
    persons = {name: kind.model_copy(update={"personal": True}) for name, kind in installation.kinds.items()}
    receipt = submission_receipt(installation.with_presets(kinds=persons), ReceiptRequest(home[1], row=2))
    (item,) = receipt["rows"][0]["items"]
    assert [other["reported_by"] for other in (*item["agrees"], *item["contradicts"])] == [None, None]
    assert [other["sender"] for other in item["contradicts"]] == ["berit"]
