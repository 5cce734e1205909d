"""Records from delivery to ledger and lake: stored, counted, separated by kind, recognised when delivered again."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from flows.cli import contracts as cli_contracts
from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from flows.intake.receipt import Receipt
from flows.intake.registration import check_delivery, list_rejects, receive, reconcile, withdraw
from infra.lake import delta as lake
from infra.ledger import submissions as ledger_submissions
from infra.ledger.open import open_ledger
from infra.storage import landing
from schemas.claims import frame_schema
from schemas.contract import CONTRACT_FOLDER
from schemas.errors import ContractError, UsageError
from schemas.record_tables import record_columns
from tests.support.small_installation import open_small
from transforms.submissions import mark_counting

app = cli_contracts.app

HEADER = (
    "id,source,given_name,surname,street_number,address_1,address_2,suburb,postcode,state,date_of_birth,soc_sec_id\n"
)
PERSONS = HEADER + "r-1,a,Åse,Ødegård,7,storgata,,lillevik,0007,nn,19150230,0304367\nr-2,b,Ola,,,,,,,,,\n"
BAD = HEADER + "r-1,,Åse,,,,,,,,,\n"


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    return open_small(tmp_path / "home", CONTRACT_FOLDER)


def send(home: Installation, *texts: str | bytes, contract: str = "person-febrl") -> list[Receipt]:
    files = [t.encode() if isinstance(t, str) else t for t in texts]
    given = [make_delivery(home, f"{n}.csv", data, contract, sender=None, period=None) for n, data in enumerate(files)]
    return [receipt for receipts in receive(home, given) for receipt in receipts]


def stored_records(home: Installation, kind: str = "person") -> pl.DataFrame:
    return lake.scan(home.settings.lake, f"{kind}_records").sort("submission_id", "row").collect()


def test_records_are_kept_and_counted(home: Installation) -> None:
    (receipt,) = send(home, PERSONS)
    assert (receipt.status, receipt.delivered, receipt.claims, receipt.rejected) == ("registered", 2, 2, 0)
    rows = stored_records(home)
    assert rows.drop("batch").schema == frame_schema(record_columns(home.kinds["person"]))
    assert rows.select("reported_by", "given_name", "rows").rows() == [("a", "Åse", [2]), ("b", "Ola", [3])]
    partitions = ledger_submissions.read_submission_partitions(home.engine)
    assert partitions.rows() == [(receipt.submission_id, "records/person", 2)]
    submissions = ledger_submissions.read_submissions(home.engine)
    assert rows["batch"].unique().to_list() == submissions["batch"].to_list()


def test_the_same_bytes_are_redelivered_and_the_same_content_is_rewrapped(home: Installation) -> None:
    packed = gzip.compress(PERSONS.encode())
    head, *lines = PERSONS.splitlines(keepends=True)
    receipts = send(home, PERSONS, PERSONS, packed, head + "".join(reversed(lines)))
    assert [r.status for r in receipts] == ["registered", "redelivered", "registered", "registered"]
    counted = mark_counting(ledger_submissions.read_submissions(home.engine))
    assert counted["content_digest"].n_unique() == 1
    assert (counted.height, counted["counts"].sum()) == (3, 1)
    note = ledger_submissions.read_submissions(home.engine, ids=[receipts[2].submission_id]).row(0, named=True)
    assert landing.get(home.landing, note["contract"], note["sender"], note["sha256"]) == packed


def test_what_is_rejected_is_reported(home: Installation) -> None:
    (receipt,) = send(home, BAD)
    assert (receipt.status, receipt.delivered, receipt.claims, receipt.rejected) == ("rejected", 1, 0, 1)
    assert list_rejects(home, receipt.submission_id)["reason"].to_list() == ["missing-value"]
    assert not lake.exists(home.settings.lake, "person_records")
    (cut,) = send(home, gzip.compress(PERSONS.encode())[:-4])
    assert cut.status == "rejected"
    assert cut.problem is not None
    assert cut.problem.startswith("unreadable")


def test_a_check_stores_nothing(home: Installation) -> None:
    receipt, rejects = check_delivery(
        home, make_delivery(home, "x", PERSONS.encode(), "person-febrl", sender=None, period=None)
    )
    assert (receipt.claims, rejects.height) == (2, 0)
    assert not lake.exists(home.settings.lake, "person_records")
    assert ledger_submissions.read_submissions(home.engine).height == 0


def test_withdrawn_and_delivered_again(home: Installation) -> None:
    (receipt,) = send(home, PERSONS)
    assert withdraw(home, receipt.submission_id)
    assert send(home, PERSONS)[0].status == "restored"
    assert stored_records(home).height == 2


def test_what_landed_and_was_not_registered_is_received(home: Installation) -> None:
    (receipt,) = send(home, PERSONS)
    fresh = Installation(
        replace(home.settings, ledger_url=f"sqlite:///{home.settings.home / 'new.db'}"),
        open_ledger(f"sqlite:///{home.settings.home / 'new.db'}"),
    )
    assert [r.submission_id for r in reconcile(fresh)] == [receipt.submission_id]


def test_the_command_line_says_what_a_contract_of_records_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "home"))
    listed = json.loads(CliRunner().invoke(app, ["contracts", "list", "--json"]).stdout)
    assert [c["says"] for c in listed if c["contract"] == "rail-form54"] == ["records: rail_accident"]
    shown = CliRunner().invoke(app, ["contracts", "show", "rail-form54"]).stdout.splitlines()
    uses = dict(line.split(None, 1) for line in shown if line.split()[:1])
    assert uses["MILEPOST"].strip() == "rail_accident: milepost, mile"
    assert (uses["INCDTNO"].strip(), uses["ADJUNCT1"].strip()) == ("identity or rule", "ignored")


def test_a_contract_of_no_known_kind_is_said_at_once(home: Installation, tmp_path: Path) -> None:
    (tmp_path / "kinds").mkdir()
    text = (CONTRACT_FOLDER.parent / "kinds" / "person.yml").read_text(encoding="utf-8")
    (tmp_path / "kinds" / "persons.yml").write_text(text.replace("kind: person", "kind: persons"), encoding="utf-8")
    (tmp_path / "contracts").mkdir()
    for name in ("person-febrl", "demo-lonn"):
        (tmp_path / "contracts" / f"{name}.yml").write_bytes((CONTRACT_FOLDER / f"{name}.yml").read_bytes())
    settings = replace(home.settings, kinds=tmp_path / "kinds", contracts=tmp_path / "contracts")
    other = Installation(settings, home.engine)
    assert other.contract("demo-lonn").contract == "demo-lonn", "it costs its own obligation only"
    problem = r"'person-febrl' cannot be used: .*record\.kind: unknown kind 'person'; did you mean 'persons'"
    with pytest.raises(ContractError, match=problem):
        other.contract("person-febrl")
    with pytest.raises(UsageError, match="no record kind 'person': did you mean 'persons'"):
        other.kind("person")
