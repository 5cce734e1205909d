"""Law 7: any bytes under any contract end in a receipt or a parked file, and the next honest delivery is published."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from flows.installation import Installation
from flows.intake import arrivals, worker
from flows.intake.deliveries import Delivery, land
from flows.intake.registration import receive, reconcile
from flows.pipeline import nightly
from flows.releases import find_release, read_table
from infra.inbox import work_queue
from infra.ledger import submissions as ledger_submissions
from schemas.contract import read_contract
from tests.integration.intake.test_arrivals import put
from tests.support.paths import CONTRACTS
from tests.support.seed import LAW_EXAMPLES, TEST_SEED
from tests.support.small_installation import HEADER, open_small
from tests.support.temporary_installation import unchecked

COLUMNS = ("kommune", "dag", "gruppe", "antall", "merknad")
ROW = dict(zip(COLUMNS, ("0301", "02.01.2024", "alle", "5", ""), strict=True))
FORMATS = ("csv", "json", "xlsx", "parquet")
NASTY = (
    b'"', b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\\ud800", b"\x1a", b"\x1f\x8b\x08", b"PK\x03\x04", b"PAR1",
    b"[" * 2000, b"9" * 400, b"1e999", b"null", b"\xed\xa0\x80", b";" * 300, b"\n" * 50, b'{"rader":', b"12.9999",
    b"31.12.9999",
)  # fmt: skip


def contract_text(form: str) -> str:
    """Return the contract `folketall` for deliveries in a format."""
    text = (CONTRACTS / "folketall.yml").read_text(encoding="utf-8")
    text = text.replace("contract: folketall", f"contract: law-{form}")
    text = text.replace("obligation: folketall", "obligation: law")
    text = text.replace("type: csv", f"type: {form}" + (", rows: rader" if form == "json" else ""))
    for name in COLUMNS if form == "json" else ():
        path = f'"rader[].{name}"'
        text = text.replace(f"column: {name}", f"column: {path}").replace(f"[{name}]", f"[{path}]")
    return text


def sample(form: str) -> bytes:
    """Return an honest file of a format."""
    frame, file = pl.DataFrame([ROW, {**ROW, "kommune": "1103"}]), io.BytesIO()
    match form:
        case "csv":
            return frame.write_csv(separator=";").encode()
        case "json":
            return json.dumps({"rader": frame.to_dicts()}).encode()
        case "xlsx":
            frame.write_excel(file)
        case "parquet":
            frame.write_parquet(file)
    return file.getvalue()


SAMPLES = {form: sample(form) for form in FORMATS}


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, bytes]:
    """Draw a format, and bytes that were an honest file of one of the formats or never were."""
    form = draw(st.sampled_from(FORMATS))
    if draw(st.integers(0, 4)) == 0:
        return form, draw(st.binary(max_size=300))
    data = bytearray(SAMPLES[draw(st.sampled_from((form, form, form, *FORMATS)))])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        piece = draw(st.sampled_from(NASTY) | st.binary(max_size=6))
        data[at : at + draw(st.sampled_from((0, 0, 1, len(piece), 10**6)))] = piece
    return form, bytes(data)


def by_submit(home: Installation, form: str, data: bytes) -> None:
    list(receive(home, [Delivery(f"x.{form}", data, f"law-{form}", "ond")]))


def by_arrival(home: Installation, form: str, data: bytes) -> None:
    put(home, f"ond/law-{form}/x.{form}", data)
    arrivals.reconcile_arrivals(home)
    worker.process_inbox(home)


def by_listing(home: Installation, form: str, data: bytes) -> None:
    land(home, [Delivery(f"x.{form}", data, f"law-{form}", "ond")])
    reconcile(home)


def honest(number: int) -> bytes:
    return f"{HEADER}0301;{number % 28 + 1:02}.{number // 28 % 12 + 1:02}.2024;alle;{number};\n".encode()


@pytest.mark.parametrize("way", [by_submit, by_arrival, by_listing])
def test_any_bytes_end_in_a_receipt_or_a_parked_file_and_the_next_honest_delivery_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Callable[[Installation, str, bytes], None]
) -> None:
    monkeypatch.setattr(arrivals, "QUIET_SECONDS", 0)
    plain = open_small(tmp_path / "home")
    texts = {f"law-{form}": read_contract(contract_text(form), f"law-{form}.yml") for form in FORMATS}
    home = plain.with_presets(contracts={**plain.contracts, **texts})
    delivered: set[bytes] = set()

    @seed(TEST_SEED)
    @settings(
        max_examples=LAW_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,)
    )
    @given(mutations())
    def law(drawn: tuple[str, bytes]) -> None:
        way(home, *drawn)
        delivered.add(drawn[0].encode() + drawn[1])
        known = ledger_submissions.read_submissions(home.engine).filter(sender="ond").height
        assert known + work_queue.list_parked(home.engine).height == len(delivered)
        ((receipt,),) = receive(home, [Delivery("good.csv", honest(len(delivered)), "folketall", "god")])
        assert receipt.claims == 1

    law()
    with unchecked():
        assert nightly(home, export="never").published
    published = read_table(home, "sources", find_release(home)).filter(pl.col("reported_by") == "god").collect()
    assert (
        published["item_id"].n_unique() == ledger_submissions.read_submissions(home.engine).filter(sender="god").height
    )
