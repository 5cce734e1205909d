"""What a run read and wrote, as an event of OpenLineage 2-0-2, for a catalogue such as Marquez or DataHub.

Names of datasets: `contract/<contract>` for what is delivered under a contract, and the published tables by their own
names, all in the namespace of this installation. An event holds names, columns and counts, no delivered value.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

JOB: Final = "engang.nightly"
SPECIFICATION: Final = "https://openlineage.io/spec"
RUN_EVENT: Final = f"{SPECIFICATION}/2-0-2/OpenLineage.json#/$defs/RunEvent"
Columns = Sequence[Mapping[str, Any]]


class LineageRun(NamedTuple):
    """A run that ended, at `at` (UTC without a zone): with a release, or with a problem and none.

    source: the namespace, a URI. contracts: those of whose submissions any entered or left the release. counts: what
    the release counts, its `items` among them.
    """

    source: str
    run_id: str
    at: datetime
    release: int | None = None
    contracts: Collection[str] = ()
    counts: Mapping[str, int] = {}
    problem: str | None = None


def lineage_event(run: LineageRun, tables: Mapping[str, Columns]) -> dict[str, Any]:
    """Return COMPLETE for a run that published, with all tables and their columns, or FAIL for one that did not.

    tables: as `schemas.dictionary.dictionary` returns them. The run's id is derived from the namespace and its id here,
    so that an event that is sent again is about the same run.
    """
    return {
        "eventType": "FAIL" if run.release is None else "COMPLETE",
        "eventTime": run.at.replace(tzinfo=UTC).isoformat(),
        "producer": run.source,
        "schemaURL": RUN_EVENT,
        "run": {"runId": _run_uuid(run), "facets": _run_facets(run)},
        "job": {"namespace": run.source, "name": JOB, "facets": _job_facets(run)},
        "inputs": [{"namespace": run.source, "name": f"contract/{each}"} for each in sorted(run.contracts)],
        "outputs": [] if run.release is None else [_output(run, name, columns) for name, columns in tables.items()],
    }


def _run_uuid(run: LineageRun) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{run.source}\n{run.run_id}"))


def _run_facets(run: LineageRun) -> dict[str, Any]:
    if run.problem is None:
        return {}
    problem = {"message": run.problem, "programmingLanguage": "python"}
    return {"errorMessage": _facet(run, "1-0-1/ErrorMessageRunFacet", problem)}


def _job_facets(run: LineageRun) -> dict[str, Any]:
    kind = {"processingType": "BATCH", "integration": "ENGANG", "jobType": "JOB"}
    return {"jobType": _facet(run, "2-0-4/JobTypeJobFacet", kind)}


def _output(run: LineageRun, name: str, columns: Columns) -> dict[str, Any]:
    fields = [{"name": column["column"], "type": column["type"], "description": column["means"]} for column in columns]
    facets = {
        "schema": _facet(run, "1-2-0/SchemaDatasetFacet", {"fields": fields}),
        "version": _facet(run, "1-0-1/DatasetVersionDatasetFacet", {"datasetVersion": str(run.release)}),
    }
    counted = run.counts.get("items" if name == "observations" else name)
    rows = {} if counted is None else {"rowCount": counted}
    statistics = {"outputStatistics": _facet(run, "1-0-2/OutputStatisticsOutputDatasetFacet", rows)} if rows else {}
    return {"namespace": run.source, "name": name, "facets": facets, "outputFacets": statistics}


def _facet(run: LineageRun, schema: str, content: Mapping[str, Any]) -> dict[str, Any]:
    version, _, name = schema.partition("/")
    address = f"{SPECIFICATION}/facets/{version}/{name}.json#/$defs/{name}"
    return {"_producer": run.source, "_schemaURL": address, **content}
