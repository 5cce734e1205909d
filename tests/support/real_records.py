"""Real records as deliveries, written from public data, and beside each what is known to be true of it.

A truth file has the column of the delivery's own row key and a label: rows with one label are one item.
"""

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from tests.support.paths import DATA

RAIL: Final = DATA / "fra"
TIME_THIEVES: Final = DATA / "tidstyv" / "dataset.csv"
CROSSWALK: Final = DATA / "camd_eia" / "epa_eia_crosswalk.csv.gz"
CAMD: Final = {
    "state": "CAMD_STATE", "facility": "CAMD_FACILITY_NAME", "unit": "CAMD_UNIT_ID", "generator": "CAMD_GENERATOR_ID",
    "capacity_mw": "CAMD_NAMEPLATE_CAPACITY", "fuel": "CAMD_FUEL_TYPE", "latitude": "CAMD_LATITUDE",
    "longitude": "CAMD_LONGITUDE", "retired": "CAMD_RETIRE_YEAR",
}  # fmt: skip
EIA: Final = {
    "state": "EIA_STATE", "plant": "EIA_PLANT_NAME", "boiler": "EIA_BOILER_ID", "generator": "EIA_GENERATOR_ID",
    "capacity_mw": "EIA_NAMEPLATE_CAPACITY", "fuel": "EIA_FUEL_TYPE", "latitude": "EIA_LATITUDE",
    "longitude": "EIA_LONGITUDE", "retired": "EIA_RETIRE_YEAR",
}  # fmt: skip
FEBRL: Final = (
    "id", "source", "given_name", "surname", "street_number", "address_1", "address_2", "suburb", "postcode", "state",
    "date_of_birth", "soc_sec_id",
)  # fmt: skip


def rail_files() -> list[Path]:
    """Return the ten years of railroad accidents, gzipped CSV as delivered; contract rail-form54."""
    return sorted(RAIL.glob("form54-*.csv.gz"))


def power_plants(folder: Path) -> tuple[Path, Path, Path]:
    """Write both registers without the link: camd.csv (power-plant-camd), eia.csv (power-plant-eia), truth.parquet.

    A row is a unit by its own register's ids, plant id included, which neither file tells. The truth has `sequence` and
    `unit`: units that the crosswalk links, however indirectly, are one; those it leaves unmatched are each alone.
    """
    links = pl.read_csv(CROSSWALK, infer_schema=False, empty_string_is_null=False)
    matched = links.filter(pl.col("EIA_PLANT_ID") != "")
    camd, camd_ids = _side(links, "camd", ["CAMD_PLANT_ID", "CAMD_UNIT_ID", "CAMD_GENERATOR_ID"], CAMD)
    eia, eia_ids = _side(matched, "eia", ["EIA_PLANT_ID", "EIA_GENERATOR_ID", "EIA_BOILER_ID"], EIA)
    linked = links.join(camd_ids, on="SEQUENCE_NUMBER").join(eia_ids, on="SEQUENCE_NUMBER", how="left")
    camd.write_csv(folder / "camd.csv")
    eia.write_csv(folder / "eia.csv")
    sequences = pl.concat([camd["sequence"], eia["sequence"]])
    _labels(sequences, linked.select("camd", "eia").drop_nulls()).write_parquet(folder / "truth.parquet")
    return folder / "camd.csv", folder / "eia.csv", folder / "truth.parquet"


def _side(
    links: pl.DataFrame, agency: str, own: list[str], fields: dict[str, str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return one agency's units in its columns, `sequence` first, and SEQUENCE_NUMBER -> sequence (column `agency`).

    The sequence is the units' own order, so that it says nothing of the other agency's.
    """
    columns = list(dict.fromkeys((*fields.values(), *own)))
    units = links.select(columns).sort(columns).unique(own, keep="first", maintain_order=True)
    units = units.with_row_index("n", offset=1).with_columns(pl.format(f"{agency}-{{}}", "n").alias(agency))
    ids = links.join(units, on=own, maintain_order="left").select("SEQUENCE_NUMBER", agency)
    return units.select(sequence=agency, **{name: pl.col(column) for name, column in fields.items()}), ids


def _labels(nodes: pl.Series, links: pl.DataFrame) -> pl.DataFrame:
    """Return sequence and unit: which connected component each node is in."""
    numbers = pl.DataFrame({"node": nodes}).with_row_index("n")
    ends = [
        links.join(numbers, left_on=side, right_on="node", how="left", maintain_order="left")["n"].to_numpy()
        for side in links.columns
    ]
    graph = coo_matrix((np.ones(links.height), (ends[0], ends[1])), shape=(len(nodes), len(nodes)))
    return pl.DataFrame({"sequence": nodes, "unit": connected_components(graph, directed=False)[1]})


def febrl(n: int, folder: Path) -> tuple[Path, Path]:
    """Write febrl set 3 (one register with duplicates) or 4 (two registers): persons.csv (person-febrl), truth.parquet.

    The truth has `id` and `cluster`.
    """
    persons = pl.read_parquet(DATA / "er" / f"febrl{n}" / "records.parquet")
    if "source" not in persons.columns:
        persons = persons.with_columns(source=pl.lit("a"))
    persons.select(pl.col(FEBRL).fill_null("")).write_csv(folder / "persons.csv")
    persons.select("id", "cluster").write_parquet(folder / "truth.parquet")
    return folder / "persons.csv", folder / "truth.parquet"
