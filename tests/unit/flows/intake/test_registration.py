"""Registration: the receipt of each delivery, what is parked, what a second delivery of the same bytes does."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from flows.installation import Installation
from flows.intake import deliveries, registration
from flows.intake.batches import storing
from flows.intake.deliveries import Delivery, land
from flows.intake.receipt import Receipt
from infra.inbox import work_queue as inbox
from infra.ledger import submissions as ledger_submissions
from infra.ledger import tables as t
from infra.ledger.erasures import begin_erasure
from schemas.contract import Contract
from schemas.errors import StoreAwayError, StoreError, UsageError
from tests.support.small_installation import HEADER, kept_claims

SOUND = "0301;01.01.2024;alle;700 000;\n"
OTHER = "1120;01.02.2024;alle;20 000;\n"
BAD = "0301;32.01.2024;alle;5;\n"


def delivery(name: str, lines: str = SOUND, **stated: Any) -> Delivery:
    return Delivery(f"{name}.csv", (HEADER + lines).encode(), "folketall", "ssb", **stated)


def receive(home: Installation, *files: Delivery) -> list[Receipt]:
    return [receipt for batch in registration.receive(home, files) for receipt in batch]


def statuses(receipts: list[Receipt]) -> list[tuple[str, str]]:
    return [(receipt.filename, receipt.status) for receipt in receipts]


def parked(home: Installation) -> list[tuple[Any, ...]]:
    return inbox.list_parked(home.engine).select("source", "sender", "reason").rows()


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception, *names: str) -> list[int]:
    """Let registering fail where one of these files is in it; give how many files each call had."""
    register, calls = registration.register, list[int]()

    def stumble(home: Installation, landed: list[Any], *settle: Any) -> list[Receipt]:
        calls.append(len(landed))
        if {f"{name}.csv" for name in names} & {each.note.filename for each in landed}:
            raise error
        return register(home, landed, *settle)

    monkeypatch.setattr(registration, "register", stumble)
    return calls


def test_each_delivery_has_a_receipt_in_order(home: Installation) -> None:
    receipts = receive(home, delivery("a"), delivery("b", SOUND + OTHER + BAD), delivery("c", BAD), delivery("d"))
    assert statuses(receipts) == [
        ("a.csv", "registered"), ("b.csv", "registered"), ("c.csv", "rejected"), ("a.csv", "redelivered"),
    ]  # fmt: skip
    assert [(r.delivered, r.claims, r.rejected) for r in receipts] == [(1, 1, 0), (3, 2, 1), (1, 0, 1), (1, 1, 0)]
    assert receipts[3].submission_id == receipts[0].submission_id
    stored = ledger_submissions.read_submissions(home.engine)
    assert stored["batch"].n_unique() == 1
    assert sorted(stored["status"]) == ["live", "live", "rejected"]
    partitions = ledger_submissions.read_submission_partitions(home.engine, ids=[receipts[1].submission_id])
    assert partitions.select("partition", "claims").rows() == [("2024-01", 1), ("2024-02", 1)]
    assert kept_claims(home, receipts[1].submission_id)["row"].to_list() == [2, 3]


def test_the_same_bytes_again_change_nothing_and_a_withdrawn_one_counts_again(home: Installation) -> None:
    (first,) = receive(home, delivery("a"))
    assert statuses(receive(home, delivery("again"))) == [("a.csv", "redelivered")]
    assert registration.withdraw(home, first.submission_id) is True
    assert registration.withdraw(home, first.submission_id) is False
    assert statuses(receive(home, delivery("a"))) == [("a.csv", "restored")]
    assert statuses(receive(home, delivery("a"))) == [("a.csv", "redelivered")]
    assert ledger_submissions.read_submissions(home.engine)["status"].to_list() == ["live"]


def test_what_the_same_contract_rejected_stays_rejected_and_another_reads_it_again(home: Installation) -> None:
    (first,) = receive(home, delivery("a", "0301;01.01.2024;alle;;\n"))
    assert first.status == "rejected"
    assert statuses(receive(home, delivery("a", "0301;01.01.2024;alle;;\n"))) == [("a.csv", "rejected")]
    contract = home.contract("folketall")
    newer = contract.model_copy(update={"ignore": (*contract.ignore, "y")})
    changed = home.with_presets(contracts={"folketall": newer})
    (second,) = receive(changed, delivery("a", "0301;01.01.2024;alle;;\n"))
    assert second.submission_id == first.submission_id
    (stored,) = ledger_submissions.read_submissions(home.engine).to_dicts()
    assert stored["contract_digest"] == newer.digest()


@pytest.mark.parametrize("id_", ["unknown", "s" * 64, "", "../x", "A'B", "x; DROP TABLE submissions"])
@pytest.mark.parametrize("ask", [registration.withdraw, registration.list_rejects])
def test_an_unknown_submission_is_named(home: Installation, ask: Callable[..., Any], id_: str) -> None:
    with pytest.raises(UsageError) as raised:
        ask(home, id_)
    expected = f"no submission {id_!r}: ask `engang query` for the submission_id of submissions"
    assert str(raised.value) == expected


def test_rejects_are_listed_of_one_submission(home: Installation) -> None:
    sound, bad, _ = receive(home, delivery("a"), delivery("b", SOUND + BAD), delivery("c", BAD))
    assert registration.list_rejects(home, sound.submission_id).is_empty()
    assert registration.list_rejects(home, bad.submission_id).select("row", "reason").rows() == [(3, "not-a-date")]


def test_a_file_that_cannot_be_read_is_parked_and_tried_again_on_request(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = registration.read_isolated

    def stumble(home: Installation, contract: Any, files: Any) -> Any:
        found = read(home, contract, [f for f in files if f[0].filename != "b.csv"])
        return replace(found, failures={n.submission_id: "over its budget" for n, _ in files if n.filename == "b.csv"})

    monkeypatch.setattr(registration, "read_isolated", stumble)
    receipts = receive(home, delivery("a"), delivery("b", OTHER))
    assert statuses(receipts) == [("a.csv", "registered"), ("b.csv", "parked")]
    assert receipts[1].problem == "over its budget"
    assert parked(home) == [("landing", "ssb", "over its budget")]
    assert registration.reconcile(home) == [], "a person looks after it"
    monkeypatch.setattr(registration, "read_isolated", read)
    assert statuses(receive(home, delivery("b", OTHER))) == [("b.csv", "registered")]
    assert parked(home) == []


def test_a_batch_that_fails_is_redone_one_by_one(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = failing(monkeypatch, ZeroDivisionError(), "b")
    receipts = receive(home, delivery("a"), delivery("b", OTHER), delivery("c", BAD))
    assert statuses(receipts) == [("a.csv", "registered"), ("b.csv", "parked"), ("c.csv", "rejected")]
    assert calls == [3, 1, 1, 1]
    assert parked(home)[0][2].startswith("unforeseen: ZeroDivisionError at test_registration.py:")


@pytest.mark.parametrize("error", [StoreError("the disk is full"), OSError("the disk is full"), UsageError("no")])
def test_who_waits_for_a_receipt_gets_the_error(
    home: Installation, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    failing(monkeypatch, error, "a")
    with pytest.raises(type(error), match=str(error)):
        receive(home, delivery("a"))
    assert inbox.count_open(home.engine)["status"].to_list() == ["waiting"]


def test_what_was_cut_off_is_registered_by_the_next_night(home: Installation) -> None:
    land(home, [delivery("a"), delivery("b", OTHER)])
    found = sorted(statuses(registration.reconcile(home)))
    assert found == [("a.csv", "registered"), ("b.csv", "registered")]
    assert sorted(ledger_submissions.read_submissions(home.engine)["filename"]) == ["a.csv", "b.csv"]
    assert registration.reconcile(home) == []
    assert inbox.count_done(home.engine) == 2


def test_a_landed_file_whose_store_fails_waits_and_is_not_parked(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(home, [delivery("a"), delivery("b", OTHER)])
    failing(monkeypatch, StoreError("it fails"), "a")
    assert statuses(registration.reconcile(home)) == [("b.csv", "registered")]
    assert inbox.count_open(home.engine).select("status", "objects").rows() == [("waiting", 1)]
    assert registration.reconcile(home) == [], "its back-off is not over"


def test_where_a_store_is_away_the_night_stops(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    land(home, [delivery("a")])
    failing(monkeypatch, StoreError("s3 is away"), "a")

    def away(_: Installation) -> None:
        raise StoreAwayError("nothing can be received now")

    monkeypatch.setattr(registration, "check_stores", away)
    with pytest.raises(StoreAwayError):
        registration.reconcile(home)
    assert parked(home) == []


def test_a_landed_file_without_a_contract_is_parked_and_said(home: Installation) -> None:
    land(home, [delivery("a")])
    said: list[str] = []
    assert registration.reconcile(home.with_presets(contracts={}), said.append) == []
    ((source, sender, reason),) = parked(home)
    assert (source, sender) == ("landing", "ssb")
    assert reason.startswith("no contract 'folketall': ")
    assert said[0].startswith("parked: folketall/ssb/")
    assert said[0].endswith(f" of the landing zone: {reason}")


def test_erased_bytes_are_refused_and_the_others_received(home: Installation) -> None:
    (first,) = receive(home, delivery("a"))
    (row,) = ledger_submissions.read_submissions(home.engine, ids=[first.submission_id]).to_dicts()
    begin_erasure(home.engine, row, who="kari", why="asked")
    receipts = receive(home, delivery("b", OTHER), delivery("a"), delivery("c", OTHER + SOUND))
    assert statuses(receipts) == [("b.csv", "registered"), ("a.csv", "rejected"), ("c.csv", "registered")]
    assert receipts[1].problem is not None
    assert receipts[1].problem.endswith("by kari: asked")


def test_batches_are_read_two_at_a_time_and_answered_in_order(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "BATCH_FILES", 1)
    names = "abcde"
    files = [delivery(name, f"0301;0{n}.01.2024;alle;7;\n") for n, name in enumerate(names, 1)]
    batches = list(registration.receive(home, files))
    assert [[receipt.filename for receipt in batch] for batch in batches] == [[f"{name}.csv"] for name in names]


def test_a_delivery_is_tried_and_nothing_is_stored(home: Installation) -> None:
    receipt, rejects = registration.check_delivery(home, delivery("a", SOUND + BAD))
    assert (receipt.status, receipt.delivered, receipt.claims, receipt.rejected) == ("registered", 2, 1, 1)
    assert receipt.earlier is None
    assert rejects["row"].to_list() == [3]
    whole, _ = registration.check_delivery(home, replace(delivery("a"), data=b"no;header\n"))
    assert whole.status == "rejected"
    assert (whole.problem or "").startswith("missing-column")
    assert ledger_submissions.read_submissions(home.engine).is_empty()
    assert not (home.settings.home / "landing").exists()


def test_what_changed_while_it_was_read_is_an_error_of_its_store(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(_: Installation, __: Any, files: Any) -> Any:
        return replace(registration.EMPTY_READING, failures={files[0][0].submission_id: registration.CHANGED})

    monkeypatch.setattr(registration, "read_isolated", changed)
    with pytest.raises(StoreError) as raised:
        registration.check_delivery(home, delivery("a"))
    assert str(raised.value) == f"a.csv: {registration.CHANGED}"


def test_a_registration_that_lost_to_another_is_a_redelivery(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_submissions, "register_submissions", lambda *_, **__: [])
    assert statuses(receive(home, delivery("a"))) == [("a.csv", "redelivered")]


def test_records_are_appended_to_the_table_of_their_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    appended: list[Any] = []
    monkeypatch.setattr(storing.lake, "append", lambda *given: appended.append(given))
    monkeypatch.setattr(storing, "record_columns", lambda kind: (f"a column of {kind.kind}",))
    home: Any = SimpleNamespace(lake="root", kind=lambda name: SimpleNamespace(kind=name))
    normalised: Any = SimpleNamespace(records=pl.DataFrame({"report_id": ["r"]}))
    contract: Any = SimpleNamespace(record=SimpleNamespace(kind="boat"))
    storing.append_batch(home, contract, normalised, "b1")
    ((root, table, rows, columns),) = appended
    assert (root, table, rows.to_dicts()) == ("root", "boat_records", [{"report_id": "r", "batch": "b1"}])
    assert columns == ("a column of boat", storing.lake.BATCH_COLUMN)


def test_partitions_and_units_of_nothing_are_empty() -> None:
    assert storing.partitions_of(None).schema == {
        "submission_id": pl.String, "partition": pl.String, "claims": pl.Int64,
    }  # fmt: skip
    assert storing.provisional_units_of(None).schema == dict.fromkeys(("unit_id", "kind", "name"), pl.String)


def test_a_lease_is_held_while_a_landed_file_is_registered(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Any, ...]] = []
    register = registration.register

    def look(home: Installation, landed: list[Any], *settle: Any) -> list[Receipt]:
        with home.engine.connect() as connection:
            seen.extend(connection.execute(sa.select(t.inbox.c.status, t.inbox.c.source, t.inbox.c.attempts)).tuples())
        return register(home, landed, *settle)

    monkeypatch.setattr(registration, "register", look)
    receive(home, delivery("a"))
    assert seen == [("leased", "landing", 1)]


def test_what_a_listing_cannot_read_is_said_and_gives_no_receipt(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [Delivery(f"{n}.csv", (HEADER + text).encode(), "folketall", "ssb") for n, text in enumerate((SOUND, OTHER))]
    ((note, _), _) = land(home, sent)

    def read(installation: Installation, contract: Contract, files: list[Any]) -> Any:
        found = read_here(installation, contract, [file for file in files if file[0] != note])
        return replace(found, failures={note.submission_id: "over its budget"})

    read_here = registration.read_isolated
    monkeypatch.setattr(registration, "read_isolated", read)
    said: list[str] = []
    assert [receipt.filename for receipt in registration.reconcile(home, said.append)] == ["1.csv"]
    assert said == [f"parked: {note.submission_id} of folketall: over its budget"]
