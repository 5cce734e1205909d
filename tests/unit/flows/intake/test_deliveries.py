"""Deliveries in batches, and the note that is kept of each."""

import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pytest

from flows.intake import deliveries
from flows.intake.deliveries import (
    Delivery,
    batches,
    deliveries_from_paths,
    land,
    landing_note,
    make_delivery,
    refused_deliveries,
    unregistered_deliveries,
)
from infra.settings import read_settings
from schemas.contract import load_contracts
from schemas.errors import OverLimitError, StoreError, UsageError
from tests.support.paths import CONTRACTS
from transforms.identity import submission_id

if TYPE_CHECKING:
    from flows.installation import Installation

AT = datetime(2025, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
FOLKETALL, BETALING = (load_contracts(CONTRACTS)[name] for name in ("folketall", "betaling"))
PLAIN = Delivery("f.csv", b"a;1\n", "c", "s")


def sizes(*given: int | str) -> list[list[int]]:
    """Return the sizes of the deliveries of each batch; a text begins another contract."""
    contract, made = "c", []
    for one in given:
        if isinstance(one, str):
            contract = one
        else:
            made.append(replace(PLAIN, data=b"x" * one, contract=contract))
    return [[len(d.data) for d in batch if isinstance(d.data, bytes)] for batch in batches(made)]


@pytest.mark.parametrize("data", [b"", b"a;1\n", b"x" * 17, b"x" * 18, b"x" * 40])
def test_the_size_of_a_small_file_that_is_no_gzip_is_its_own(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f").write_bytes(data)
    found = deliveries._likely_size(tmp_path / "f")  # noqa: SLF001  only larger files come as a path
    assert found - len(data) in range(4), "a few bytes at the start of a small one may count twice"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), []),
        ((1,), [[1]]),
        ((5, 5), [[5, 5]]),
        ((5, 6), [[5], [6]]),
        ((11, 1), [[11], [1]]),  # one that is too large is alone
        ((1, 11), [[1], [11]]),
        ((1, 2, 3, 1), [[1, 2, 3], [1]]),
        ((6, 5, 5), [[6], [5, 5]]),
        ((1, "d", 1, 1, "c", 1), [[1], [1, 1], [1]]),
    ],
)
def test_a_batch_is_of_one_contract_and_limited_in_bytes_and_files(
    given: tuple[int | str, ...], expected: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "BATCH_BYTES", 10)
    monkeypatch.setattr(deliveries, "BATCH_FILES", 3)
    assert sizes(*given) == expected


@pytest.mark.parametrize("in_file", [False, True])
def test_a_packed_file_counts_with_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_file: bool
) -> None:
    monkeypatch.setattr(deliveries, "BATCH_BYTES", 3_000)
    packed = gzip.compress(b"x" * 2_000)
    (tmp_path / "f").write_bytes(packed)
    one = replace(PLAIN, data=tmp_path / "f" if in_file else packed)
    assert [len(batch) for batch in batches([one, one])] == [1, 1]


def test_the_note_keeps_what_was_stated() -> None:
    note = landing_note(PLAIN, AT)
    assert (note.filename, note.contract, note.sender, note.period, note.bytes) == ("f.csv", "c", "s", None, 4)
    assert (note.received_at, note.as_of, note.replaces) == ("2025-01-02T03:04:05.000006+00:00", None, None)
    assert note.submission_id == submission_id("c", "s", None, note.sha256)


@pytest.mark.parametrize(
    ("stated", "parts"),
    [
        ({"as_of": datetime(2024, 12, 31)}, ("2024-12-31T00:00:00.000000", "")),
        ({"replaces": "f00"}, ("", "f00")),
        ({"as_of": datetime(2024, 12, 31), "replaces": "f00"}, ("2024-12-31T00:00:00.000000", "f00")),
    ],
)
def test_what_is_stated_besides_makes_another_submission(stated: dict[str, object], parts: tuple[str, str]) -> None:
    note = landing_note(replace(PLAIN, period="2024", **stated), AT)
    assert (note.as_of or "", note.replaces or "") == parts
    assert note.submission_id == submission_id("c", "s", "2024", note.sha256, *parts)


def landed(monkeypatch: pytest.MonkeyPatch, *given: Delivery) -> list[str]:
    """Return the receipt times in the notes of a batch that is landed."""
    monkeypatch.setattr(deliveries, "refused_deliveries", lambda *_: {})
    monkeypatch.setattr(deliveries.landing, "put", lambda _, note, __: note)
    monkeypatch.setattr(deliveries.landing, "receipt_time", lambda: AT)
    installation = SimpleNamespace(landing=None, settings=SimpleNamespace(landing=Path("landing")))
    return [one.note.received_at for one in land(cast("Installation", installation), list(given))]


def test_of_one_batch_each_delivery_is_received_after_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    times = landed(monkeypatch, PLAIN, PLAIN, PLAIN)
    assert times == [(AT + timedelta(microseconds=n)).isoformat() for n in range(3)]


def test_a_delivery_that_is_read_again_keeps_its_receipt_time(monkeypatch: pytest.MonkeyPatch) -> None:
    before = replace(PLAIN, received_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert landed(monkeypatch, PLAIN, before)[1] == "2020-01-01T00:00:00+00:00"


def test_what_was_erased_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = landing_note(PLAIN, AT).sha256
    row = {"sha256": sha256, "begun_at": datetime(2025, 2, 3), "who": "Kari", "why": "sent by mistake"}
    batch = [replace(PLAIN, data=b"other"), PLAIN]
    installation = cast("Installation", SimpleNamespace(engine=None))
    for erased, refused in (([], {}), ([row], {1: "it was erased on 2025-02-03 by Kari: sent by mistake"})):
        frame = pl.DataFrame(erased, {"sha256": pl.String, "begun_at": pl.Datetime, "who": pl.String, "why": pl.String})
        monkeypatch.setattr(deliveries, "read_erasures", lambda _, frame=frame: frame)
        assert refused_deliveries(installation, batch) == refused


def test_a_batch_is_of_at_most_24_mebibytes_and_a_thousand_files(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [len(batch) for batch in sizes(*[1] * 1001)] == [1000, 1]
    monkeypatch.setattr(deliveries, "likely_size", int)
    half = replace(PLAIN, data=b"12582912")
    assert [len(batch) for batch in batches([half, half, replace(PLAIN, data=b"1")])] == [2, 1]


def home_of(**parts: Any) -> "Installation":
    contracts = {"folketall": FOLKETALL, "betaling": BETALING}
    settings = SimpleNamespace(landing=parts.pop("landing_at", None))
    given = {"contract": contracts.__getitem__, "usable": set(contracts), "engine": "ledger", "landing": "zone"}
    return cast("Installation", SimpleNamespace(settings=settings, cluster=None, **given, **parts))


@pytest.mark.parametrize(
    ("contract", "sender", "period", "made"),
    [
        ("folketall", "a", None, ("a", None)), ("folketall", "a", "2024", ("a", None)),
        ("betaling", None, "2024", ("skatteetaten", "2024")), ("betaling", "selskapet", "2024", ("selskapet", "2024")),
    ],
)  # fmt: skip
def test_a_delivery_has_the_sender_and_period_that_its_contract_asks_for(
    contract: str, sender: str | None, period: str | None, made: tuple[str, str | None]
) -> None:
    found = make_delivery(home_of(), "f.csv", b"x", contract, sender=sender, period=period)
    assert found == Delivery("f.csv", b"x", contract, *made)


@pytest.mark.parametrize(
    ("contract", "sender", "period", "problem"),
    [
        ("folketall", None, None, "contract 'folketall' names no default sender: give the sender with --sender"),
        ("folketall", "A b", None, "sender 'A b' is no name: expected small letters"),
        ("betaling", "a", "2024", "sender 'a' may not deliver 'betaling'; allowed: skatteetaten, selskapet. Add it"),
        ("betaling", None, None, "the files of contract 'betaling' do not state their period: give it with --period"),
    ],
)
def test_a_delivery_that_may_not_be_is_an_error(
    contract: str, sender: str | None, period: str | None, problem: str
) -> None:
    with pytest.raises(UsageError) as raised:
        make_delivery(home_of(), "f.csv", b"x", contract, sender=sender, period=period)
    assert str(raised.value).startswith(problem)


def from_paths(tmp_path: Path, *names: str, most: int = 100, **how: Any) -> list[str]:
    settings = replace(read_settings(tmp_path / "home"), max_file_bytes=most)
    home = cast("Installation", SimpleNamespace(settings=settings, contract=lambda _: FOLKETALL, usable={"folketall"}))
    paths = [tmp_path / name for name in names]
    return [one.filename for one in deliveries_from_paths(home, paths, "folketall", sender="a", period=None, **how)]


def test_each_file_below_a_path_is_a_delivery(tmp_path: Path) -> None:
    for name in ("one/a.csv", "one/b.csv", "two/c.csv", "empty/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"0123456789")
    assert from_paths(tmp_path, "one", "two/c.csv") == ["a.csv", "b.csv", "c.csv"]
    for refused in (None, []):
        with pytest.raises(UsageError, match="empty: no file in it; hidden files are left out"):
            from_paths(tmp_path, "one", "empty", refused=refused)


def test_a_file_over_a_limit_is_an_error_or_noted(tmp_path: Path) -> None:
    for name, size in (("one/a", 11), ("one/b", 10), ("two/c", 11)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    with pytest.raises(OverLimitError, match="a: 11 bytes, the limit is 10"):
        from_paths(tmp_path, "one", most=10)
    refused: list[OverLimitError] = []
    assert from_paths(tmp_path, "one", "two", most=10, refused=refused) == ["b"]
    assert [str(error)[:11] for error in refused] == ["a: 11 bytes", "c: 11 bytes"]


@pytest.mark.parametrize("at", [Path("landing"), "s3://bucket"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_is_landed_comes_back_in_order(monkeypatch: pytest.MonkeyPatch, at: Any, count: int) -> None:
    monkeypatch.setattr(deliveries, "refused_deliveries", lambda *_: {})
    monkeypatch.setattr(deliveries.landing, "put", lambda store, note, data: (store, note.filename, data))
    batch = [replace(PLAIN, filename=f"{n}.csv") for n in range(count)]
    found = land(home_of(landing_at=at), batch)
    assert found == [(("zone", f"{n}.csv", b"a;1\n"), b"a;1\n") for n in range(count)]  # type: ignore[comparison-overlap]


def test_nothing_is_landed_of_a_batch_with_erased_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "refused_deliveries", lambda *_: {1: "it was erased"})
    monkeypatch.setattr(deliveries.landing, "put", lambda *_: pytest.fail("it landed"))
    with pytest.raises(UsageError, match=r"^g\.csv: it was erased$"):
        land(home_of(), [PLAIN, replace(PLAIN, filename="g.csv")])


def test_what_landed_and_is_not_registered_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "NOTES_PER_LOOKUP", 2)
    listed = [("s5", "c/5"), ("s1", "c/1"), ("known", "c/2"), ("other", "c/3"), ("s1", "c/1"), ("bad", "a/9")]
    listed.append(("s4", "b/4"))
    notes = {key: landing_note(replace(PLAIN, contract="folketall", filename=key), AT) for _, key in listed}
    parked: list[tuple[str, str, str]] = []
    asked: list[list[str]] = []

    def read_submissions(_: object, *, ids: list[str], columns: list[str]) -> pl.DataFrame:
        asked.append(ids)
        return pl.DataFrame({columns[0]: [id_ for id_ in ids if id_ == "known"]}, {columns[0]: pl.String})

    def read_note(_: object, key: str) -> Any:
        if key == "a/9":
            raise StoreError("it has changed")
        return notes[key]

    monkeypatch.setattr(deliveries.landing, "list_notes", lambda _: iter(listed))
    monkeypatch.setattr(deliveries.landing, "read_note", read_note)
    monkeypatch.setattr(deliveries.landing, "content", lambda *given: given)
    monkeypatch.setattr(deliveries.ledger_submissions, "read_submissions", read_submissions)
    monkeypatch.setattr(deliveries, "left_to_others", lambda _, ids: ids & {"other"})
    found = list(unregistered_deliveries(home_of(), lambda *given: parked.append((*given[:2], str(given[2])))))
    assert [one.note.filename for one in found] == ["b/4", "c/1", "c/5"], "contract by contract"
    assert found[0].data == ("zone", "folketall", "s", notes["b/4"].sha256, 4)
    assert parked == [("bad", "a/9", "it has changed")]
    assert [len(ids) for ids in asked] == [2, 2, 2, 1]
