"""An installation wholly on S3 and PostgreSQL says what one in a folder on SQLite says, byte for byte."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import polars as pl
import pytest

from flows.installation import Installation, open_installation
from flows.intake.deliveries import Delivery
from flows.intake.receipt import Receipt
from flows.intake.registration import receive, withdraw
from flows.monitoring.status import status
from flows.monitoring.storage import check_storage
from flows.pipeline import nightly
from flows.queries.observation_story import explain_observation
from flows.queries.sql import query
from flows.release.build import night
from flows.release.export import export_release
from flows.release.verify import verify
from flows.releases import find_release
from infra.checks import engine as checks
from infra.lake import delta as lake
from infra.lake import item_tables
from infra.storage.places import S3Place
from infra.storage.s3 import S3Store
from schemas.contract import CONTRACT_FOLDER
from schemas.errors import StoreError, UsageError
from tests.support.marts import synced
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER

PERSONS = (
    "id,source,given_name,surname,street_number,address_1,address_2,suburb,postcode,state,date_of_birth,soc_sec_id\n"
    "r-1,a,Åse,Ødegård,7,storgata,,lillevik,0007,nn,19150230,0304367\nr-2,b,Ola,,,,,,,,,\n"
)
FIRST = {
    "jan.csv": "0301;01.01.2024;alle;709 037;\n4601;01.01.2024;alle;291940;\n",
    "feb.csv": "0301;01.02.2024;alle;1;",
}
SECOND = {"again.csv": "0301;01.01.2024;alle;709 038;\n"}

Home = Callable[[str], Installation]


@pytest.fixture
def home(tmp_path: Path, s3: S3Place, new_postgresql: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Home:
    """Give what opens a new installation in a folder, or on S3 and PostgreSQL."""
    monkeypatch.setattr(checks, "preload", lambda: None)
    monkeypatch.setattr(checks.TableCheck, "findings", lambda _: [])  # they read frames, and take the longest
    contracts = shutil.copytree(CONTRACTS, tmp_path / "contracts")
    shutil.copy(CONTRACT_FOLDER / "person-febrl.yml", contracts)
    monkeypatch.setenv("ENGANG_CONTRACTS", str(contracts))

    def make(name: str) -> Installation:
        if name == "s3":
            assert s3.endpoint is not None
            monkeypatch.setenv("ENGANG_S3_ENDPOINT", s3.endpoint)
            monkeypatch.setenv("ENGANG_LEDGER", new_postgresql())
            for place in ("arrivals", "landing", "lake"):
                monkeypatch.setenv(f"ENGANG_{place.upper()}", f"{s3}/{place}")
        return open_installation(tmp_path / name)

    return make


def send(home: Installation, files: dict[str, str]) -> list[Receipt]:
    given = [Delivery(n, f"{HEADER}{text}".encode(), "folketall", "kommunen") for n, text in files.items()]
    return [receipt for receipts in receive(home, given) for receipt in receipts]


def whole_way(home: Installation) -> list[str | None]:
    """Deliver, publish, correct, publish, withdraw, publish; return the digests, each proved by a rebuild."""
    first = send(home, FIRST)
    next(iter(receive(home, [Delivery("p.csv", PERSONS.encode(), "person-febrl", "febrl")])))
    digests = [nightly(home, export="never").digest]
    assert send(home, FIRST)[0].status == "redelivered"
    assert not nightly(home, export="never").published, "twice is once"
    send(home, SECOND)
    digests.append(nightly(home, export="never").digest)
    assert verify(home).same
    assert withdraw(home, first[1].submission_id)
    digests.append(nightly(home, export="never").digest)
    return digests


def test_s3_and_a_folder_give_the_same(
    home: Home, tmp_path: Path, s3: S3Place, new_postgresql: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_tables, "COMPACT_ROWS", -1)  # so that what is retired is still there, and is left out
    monkeypatch.setattr(item_tables, "COMPACT_SHARE", 10)
    monkeypatch.setenv("ENGANG_SIGNING_KEY", "5" * 64)  # else one is made, and kept beside
    there = home("s3")
    digests = whole_way(there)
    assert (there.settings.lake, there.settings.landing) == (s3 / "lake", s3 / "landing")
    beside = {p.name for p in (tmp_path / "s3").rglob("*")}
    assert beside <= {"engang.lock", "contract-tests.json"}, "nothing is kept beside that is not made again"
    seen = {**asked(there), "exported": exported(there, tmp_path / "s3-release")}
    assert explain_observation(there, seen["observations"]["item_id"][0]).claims
    refused_to_look_around(there, s3)
    assert synced(there, new_postgresql()).outcome == "loaded"
    for name in ("S3_ENDPOINT", "LEDGER", "ARRIVALS", "LANDING", "LAKE"):
        monkeypatch.delenv(f"ENGANG_{name}")
    folder = home("folder")
    assert whole_way(folder) == digests
    here = {**asked(folder), "exported": exported(folder, tmp_path / "folder-release")}
    for name, frame in seen.items():
        assert frame.height or name == "person_changes", name
        assert frame.equals(here[name]), name
        assert frame.schema == here[name].schema


def asked(home: Installation) -> dict[str, pl.DataFrame]:
    """Return what a query finds in every table that has rows, and see that the first release is still there."""
    assert query(home, "SELECT count(*) AS n FROM person JOIN person_sources USING (item_id)")["n"].item() == 2
    assert query(home, "SELECT count(*) AS n FROM submissions")["n"].item() == 4
    assert query(home, "SELECT count(*) AS n FROM observations", 1)["n"].item() == 3
    tables = ("observations", "sources", "changes", "person", "person_sources", "person_changes")
    return {name: query(home, f"FROM {name} ORDER BY ALL") for name in tables}


def exported(home: Installation, to: Path) -> pl.DataFrame:
    folder = export_release(home, find_release(home), to)
    return pl.read_parquet(folder / "observations" / "*.parquet").sort("item_id")


def refused_to_look_around(home: Installation, s3: S3Place) -> None:
    for sql in (
        f"FROM read_parquet('{s3}/lake/observations/*/*.parquet')",
        "SELECT * FROM read_text('/etc/passwd')",
        "INSTALL httpfs",
        "COPY (SELECT 1) TO '/tmp/engang-out'",
    ):
        with pytest.raises(UsageError, match="the query failed"):
            query(home, sql)


def test_what_s3_withholds_while_it_is_read_is_reported_as_the_store_s_failure(home: Home, s3: S3Place) -> None:
    there = home("s3")
    send(there, FIRST)
    assert night(there).published
    client = boto3.client("s3", endpoint_url=s3.endpoint)
    for each in client.list_objects_v2(Bucket=s3.bucket, Prefix=s3.key("lake/"))["Contents"]:
        if each["Key"].endswith(".parquet"):
            client.delete_object(Bucket=s3.bucket, Key=each["Key"])
    with pytest.raises(UsageError, match="the query failed: Binder Error"):
        query(there, "SELECT no_such_column FROM observations")
    send(there, SECOND)
    for fails in (night, verify, lambda home: query(home, "FROM observations")):
        with pytest.raises(StoreError, match=r"a table on S3 cannot be reached \(NoSuchKey\)"):
            fails(there)


def test_a_night_finds_what_is_missing_or_altered_on_s3(home: Home, s3: S3Place) -> None:
    there = home("s3")
    send(there, FIRST)
    assert night(there).published
    assert check_storage(there) == []
    client = boto3.client("s3", endpoint_url=s3.endpoint)
    landed = [e["Key"] for e in client.list_objects_v2(Bucket=s3.bucket, Prefix=s3.key("landing/"))["Contents"]]
    first, second = sorted(key for key in landed if not key.endswith(".json"))[:2]
    stored = [e["Key"] for e in client.list_objects_v2(Bucket=s3.bucket, Prefix=s3.key("lake/claims/"))["Contents"]]
    client.delete_object(Bucket=s3.bucket, Key=next(key for key in stored if key.endswith(".parquet")))
    client.delete_object(Bucket=s3.bucket, Key=first)
    size = client.head_object(Bucket=s3.bucket, Key=second)["ContentLength"]
    client.put_object(Bucket=s3.bucket, Key=second, Body=b"x" * size)  # of its length: only reading it shows it
    lake_problem, landing_problem, *read = check_storage(there)
    assert lake_problem.startswith("lake: claims/")
    assert landing_problem.startswith("landing zone: ")
    assert Path(first).name in landing_problem
    assert [problem for problem in read if Path(second).name in problem]
    assert {lake_problem, landing_problem} <= set(status(there).storage)


def test_of_two_writers_of_a_table_on_s3_none_overwrites_the_other(home: Home) -> None:
    there = home("s3")
    columns = lake.RETIRED

    def add(n: int) -> bool:
        row = {"item_id": [f"{n}"], "release": [n], "partition": ["2024-01"]}
        frame = pl.DataFrame(row, schema_overrides={"release": pl.Int32})
        try:
            lake.append(there.settings.lake, "retired", frame, columns)
        except StoreError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(add, range(16)))
    held = lake.scan(there.settings.lake, "retired").collect()["item_id"].to_list()
    assert sorted(held) == sorted(str(n) for n, done in enumerate(outcomes) if done)


def test_a_store_is_probed_before_anything_is_kept(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    there = home("s3")

    def ignoring(self: S3Store, **_: bool) -> None:
        raise StoreError(f"{self.place}: this store ignores If-None-Match")

    monkeypatch.setattr(S3Store, "probe", ignoring)
    with pytest.raises(StoreError, match=r"landing: this store ignores"):
        send(there, FIRST)
    with pytest.raises(StoreError, match=r"lake: this store ignores"):
        night(there)
