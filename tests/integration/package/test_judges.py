"""Each description of a package, before the judge of its own standard: `make judges`.

The judges want other versions of packages than this project has, so each gets an environment of its own in `.judges`.
DuckDB, Parquet and the workbook are judged in the fast tests, by the libraries that this project has.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.integration.package.conftest import Packages

ENVIRONMENTS: Final = Path(__file__).parents[3] / ".judges"
SHAPES: Final = Path(__file__).with_name("dcat_shapes.ttl")
FRICTIONLESS: Final = """
from frictionless import Package
package = Package("datapackage.json")
tables = [r for r in package.resources if not r.name.endswith("-parquet")]  # it reads no null integer of Parquet
package.resources = tables
report = package.validate()
print(report.valid and len(tables), report.flatten(["name", "rowNumber", "message"])[:5])
"""
CSVW: Final = """
from csvw import CSVW
metadata = CSVW("csv-metadata.json", validate=True)
print(metadata.is_valid and len(metadata.tables), metadata.warnings[:5])
"""
ODCS: Final = """
import json, pathlib, jsonschema, open_data_contract_standard as standard, yaml
schema = json.loads((pathlib.Path(standard.__file__).parent / "schema.json").read_text())
contract = yaml.safe_load(open("datacontract.odcs.yaml"))
judge = jsonschema.validators.validator_for(schema)(schema)
faults = [f"{e.json_path}: {e.message}" for e in judge.iter_errors(contract)]
print(not faults and len(contract["schema"]), faults[:5])
"""
SDMX: Final = """
from pysdmx.io import read_sdmx
data = read_sdmx("sdmx/observations.csv", validate=True).get_datasets()
print(len(data[0].data), data[0].structure)
"""
CRATE: Final = """
from rocrate.rocrate import ROCrate
crate = ROCrate(".")
import pathlib
listed = {entity.id for entity in crate.data_entities}
missing = [name for name in listed if not pathlib.Path(name).is_file()]
print(not missing and crate.root_dataset["publisher"]["name"], missing)
"""
CITATION: Final = """
from cffconvert import Citation
citation = Citation(open("CITATION.cff").read())
citation.validate()
print("valid")
"""
DCAT: Final = """
import pyshacl, rdflib
record, shapes = rdflib.Graph(), rdflib.Graph()
record.parse("dcat.jsonld")
shapes.parse(SHAPES)
valid, _, text = pyshacl.validate(record, shacl_graph=shapes)
files = len(list(record.subjects(rdflib.RDF.type, rdflib.DCAT.Distribution)))
record.remove((None, rdflib.DCAT.contactPoint, None))
print(valid and files, pyshacl.validate(record, shacl_graph=shapes)[0], "" if valid else text)
"""
JUDGES: Final = {
    "frictionless": (["frictionless==5.21.0"], FRICTIONLESS, "18 []"),
    "csvw": (["csvw==4.1.1"], CSVW, "18 []"),
    "odcs": (["open-data-contract-standard==3.2.0", "jsonschema", "pyyaml"], ODCS, "18 []"),
    "sdmx": (["pysdmx[data]==1.21.0"], SDMX, "4 Dataflow=ENGANG:OBSERVATIONS(1.0)"),
    "crate": (["rocrate==0.16.0"], CRATE, "Etaten for prøver []"),
    "dcat": (["pyshacl==0.40.1"], DCAT.replace("SHAPES", repr(str(SHAPES))), "39 False"),
    "citation": (["cffconvert==2.0.0"], CITATION, "valid"),
}
"""Judge -> what is installed for it, what it runs in the folder of a package, and what it finds of a valid one."""


def environment(name: str, packages: list[str]) -> Path:
    """Return the Python of a judge's environment, made where it is not there yet."""
    folder, uv = ENVIRONMENTS / name, Path(sys.executable).with_name("uv")
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([uv, "venv", "-q", folder, "--python", sys.executable], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", folder, *packages], check=True)
        (folder / "ready").touch()
    return folder / "bin" / "python"


@pytest.mark.slow
@pytest.mark.parametrize("name", JUDGES)
def test_a_judge_finds_a_package_valid(packages: Packages, name: str) -> None:
    libraries, script, finding = JUDGES[name]
    python = environment(name, libraries)
    done = subprocess.run(
        [python, "-W", "ignore", "-c", script],
        cwd=packages.latest.resolve(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == finding
