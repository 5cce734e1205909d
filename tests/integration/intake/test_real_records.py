"""The real records, read and nothing stored: every row of them is in a record, and the records are known in number."""

from pathlib import Path

import polars as pl
import pytest

from schemas.contract import load_contracts
from schemas.kind import load_kinds
from schemas.record_contract import check_records
from tests.support.real_records import CROSSWALK, DATA, RAIL, TIME_THIEVES, febrl, power_plants, rail_files
from transforms.normalisation.records import NormalisedRecords, read_records
from transforms.parsing.parse import parse

CONTRACTS = load_contracts()
KINDS = load_kinds()

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not RAIL.is_dir(), reason=f"real input is absent: {DATA} (fra, tidstyv, camd_eia, er)"),
]


def read(contract_id: str, *files: Path) -> NormalisedRecords:
    """Parse and read files as one batch; every delivered row is claimed, rejected or ignored."""
    contract = CONTRACTS[contract_id]
    assert contract.record
    check_records(contract, KINDS)
    parsed = [parse(path.read_bytes(), contract) for path in files]
    assert not sum(p.rejects.height for p in parsed)
    frames = [p.raw.with_columns(submission_id=pl.lit(path.name)) for path, p in zip(files, parsed, strict=True)]
    batch = pl.concat(frames).with_columns(
        sender=pl.lit(contract.sender.default), option_period=pl.lit(None, dtype=pl.String)
    )
    done = read_records(batch, contract, KINDS[contract.record.kind])
    assert sum(done.counts.select("claimed", "rejected", "ignored").sum().row(0)) == sum(p.delivered for p in parsed)
    return done


def test_railroad_accidents() -> None:
    done = read("rail-form54", *rail_files())
    totals = done.counts.select("rows", "claimed", "claims", "rejected", "ignored", "warnings").sum().row(0)
    assert totals == (37_079, 37_079, 32_297, 0, 0, 0)
    records = done.records
    assert records["report_id"].n_unique() == 32_297
    keys = records["row_keys"].list.explode(keep_nulls=True, empty_as_null=True)
    assert keys.n_unique() == keys.len() == 37_079
    truth = pl.read_parquet(RAIL / "truth.parquet")
    assert set(keys) == set(truth["row_id"].cast(pl.String))
    assert records["reported_by"].n_unique() == 472
    assert (records["occurred_on"].null_count(), records["occurred_at"].null_count()) == (0, 6)
    assert records.filter(pl.col("rows").list.len() > 1).height == 4_568
    expected = pl.concat(pl.read_csv(p, infer_schema=False).select("row_id", "EQPDMG") for p in rail_files())
    assert records["equipment_damage"].sum() == expected["EQPDMG"].cast(pl.Int64).sum()


def test_a_gzipped_year_says_what_it_holds(tmp_path: Path) -> None:
    import gzip

    packed = rail_files()[0]
    (tmp_path / packed.name).write_bytes(gzip.decompress(packed.read_bytes()))
    assert read("rail-form54", tmp_path / packed.name).records.equals(read("rail-form54", packed).records)


def test_time_thieves() -> None:
    done = read("time-thief", TIME_THIEVES)
    assert done.records.height == 1_355
    assert done.rejects.height == 0
    doubled = done.records.filter(pl.col("internal_kinds").list.contains("double work"))
    assert doubled.height == 448
    assert done.records["reported_by"].n_unique() == 143


def test_power_plants(tmp_path: Path) -> None:
    camd, eia, truth = power_plants(tmp_path)
    assert CROSSWALK.is_file()
    records = [
        read(contract, path).records for contract, path in (("power-plant-camd", camd), ("power-plant-eia", eia))
    ]
    assert [r.height for r in records] == [6_931, 5_950]
    labels = pl.read_parquet(truth)
    keys = pl.concat([r["row_keys"].list.first() for r in records])
    assert sorted(keys) == sorted(labels["sequence"])
    sizes = labels.group_by("unit").len()["len"]
    assert (sizes == 1).sum() == 503
    assert (sizes == 2).sum() == 5_582


@pytest.mark.parametrize(("number", "persons", "clusters"), [(3, 5_000, 2_000), (4, 10_000, 5_000)])
def test_febrl(number: int, persons: int, clusters: int, tmp_path: Path) -> None:
    deliveries, truth = febrl(number, tmp_path)
    done = read("person-febrl", deliveries)
    assert done.records.height == persons
    labels = pl.read_parquet(truth)
    assert labels["cluster"].n_unique() == clusters
    assert set(done.records["row_keys"].list.first()) == set(labels["id"])
