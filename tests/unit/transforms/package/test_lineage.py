"""The event of a night in OpenLineage: what it read and wrote, the same run each time it is sent."""

import datetime as dt
import uuid

from transforms.package.lineage import LineageRun, lineage_event

AT = dt.datetime(2025, 3, 4, 5, 6, 7)
TABLES = {
    "observations": [{"column": "value", "type": "Decimal", "means": "The value"}],
    "sources": [{"column": "row", "type": "Int64", "means": "The row"}],
    "concepts": [{"column": "concept", "type": "String", "means": "Its name"}],
}
PUBLISHED = LineageRun("urn:engang", "run-1", AT, 4, ["kostra", "beds"], {"items": 9, "sources": 0})


def test_a_night_that_published_has_its_contracts_and_its_tables() -> None:
    event = lineage_event(PUBLISHED, TABLES)
    assert (event["eventType"], event["eventTime"]) == ("COMPLETE", "2025-03-04T05:06:07+00:00")
    assert [each["name"] for each in event["inputs"]] == ["contract/beds", "contract/kostra"]
    assert [each["name"] for each in event["outputs"]] == list(TABLES)
    assert event["run"]["facets"] == {}
    assert {each["namespace"] for each in (*event["inputs"], *event["outputs"], event["job"])} == {"urn:engang"}
    facets = event["outputs"][0]["facets"]
    assert facets["schema"]["fields"] == [{"name": "value", "type": "Decimal", "description": "The value"}]
    assert facets["version"]["datasetVersion"] == "4"
    assert facets["schema"]["_schemaURL"].endswith(
        "/spec/facets/1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet"
    )


def test_rows_are_counted_where_a_count_is_known_items_for_observations() -> None:
    outputs = {each["name"]: each["outputFacets"] for each in lineage_event(PUBLISHED, TABLES)["outputs"]}
    assert outputs["observations"]["outputStatistics"]["rowCount"] == 9
    assert outputs["sources"]["outputStatistics"]["rowCount"] == 0
    assert outputs["concepts"] == {}


def test_a_night_that_failed_wrote_nothing_and_says_why() -> None:
    event = lineage_event(LineageRun("urn:engang", "run-2", AT, problem="the disk is full"), TABLES)
    assert (event["eventType"], event["outputs"], event["inputs"]) == ("FAIL", [], [])
    assert event["run"]["facets"]["errorMessage"]["message"] == "the disk is full"


def test_a_run_has_one_id_however_often_it_is_sent() -> None:
    one, again, other, elsewhere = (
        lineage_event(run, TABLES)["run"]["runId"]
        for run in (
            PUBLISHED, PUBLISHED, PUBLISHED._replace(run_id="run-2"), PUBLISHED._replace(source="urn:other"),
        )
    )  # fmt: skip
    assert one == again
    assert len({one, other, elsewhere}) == 3
    assert uuid.UUID(one).version == 5
