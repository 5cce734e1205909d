"""The commands on overlap, on a run of the demo: what they print, and that the prediction holds when it is rebuilt."""

import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from flows.installation import open_installation
from flows.overlap.known import known_cells
from schemas.contract import CONTRACT_FOLDER
from tests.support.cli_runner import engang

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture(scope="module")
def demo(demo_run: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("overlap") / "demo"
    shutil.copytree(demo_run[0], folder)
    with chdir(folder):
        yield


@pytest.mark.usefixtures("demo")
def test_overlap_is_a_table_of_the_release() -> None:
    rows = engang("query", "SELECT * FROM overlap ORDER BY items DESC, concept", "--format", "json").json
    assert {(row["obligation_a"], row["obligation_b"]) for row in rows} >= {("demo-omsorg", "demo-tilsyn")}
    assert all(row["agreeing"] + row["consistent"] + row["conflicting"] <= row["items"] for row in rows)
    assert engang("query", "SELECT count(*) AS n FROM burden", "--format", "json").json[0]["n"] == 4
    assert engang("query", "SELECT * FROM suspected", "--format", "json").code == 0


@pytest.mark.usefixtures("demo")
def test_burden_ranks_obligations_by_hours_on_known_figures() -> None:
    rows = engang("burden", "--json").json
    assert len(rows) == 4
    hours = [row["hours_elsewhere_high"] for row in rows]
    assert hours == sorted(hours, reverse=True)
    assert all(0 <= row["figures_elsewhere"] <= row["figures"] for row in rows)
    assert "hours" in engang("burden").out


@pytest.mark.usefixtures("demo")
def test_the_minimal_set_keeps_every_item() -> None:
    found = engang("burden", "minimal", "--json").json
    items = engang("query", "SELECT count(*) AS n FROM observations", "--format", "json").json[0]["n"]
    assert found["items"] == items
    assert set(found["kept"]) | set(found["dropped"]) == {"demo-omsorg", "demo-tilsyn", "demo-skole", "demo-lonn"}
    assert found["hours_kept"] <= found["hours_all"]
    assert "items are all reported by" in engang("burden", "minimal").out
    columns = engang("burden", "minimal", "--columns", "--json").json
    assert columns["items"] == items
    assert columns["hours_kept"] <= found["hours_kept"] + 1e-6
    assert columns["hours_all"] == pytest.approx(found["hours_all"])


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("obligation", ["demo-tilsyn", "demo-lonn"])
def test_the_release_without_an_obligation_is_as_predicted(obligation: str) -> None:
    found = engang("dossier", obligation, "--without", "--json").json
    assert found["predicted_equals_rebuilt"] is True
    assert (
        found["items_rebuilt"]
        == found["items_predicted"]
        == found["items_before"] - (found["items"] - found["covered"])
    )
    assert found["items"] == sum(column["items"] for column in found["columns"])


@pytest.mark.usefixtures("demo")
def test_a_dossier_in_words() -> None:
    answer = engang("dossier", "demo-tilsyn")
    assert answer.out.startswith("demo-tilsyn: ")
    assert "95 % lower bound" in answer.out
    assert "columns, " in answer.out
    assert "legal gate: " in answer.out
    unknown = engang("dossier", "demo-tilsy")
    assert (unknown.code, "did you mean 'demo-tilsyn'?" in unknown.err) == (2, True)


@pytest.mark.usefixtures("demo")
def test_a_dossier_as_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert engang("dossier", "demo-tilsyn", "--lang", "nn", "--out", page).out == f"wrote {page}\n"
    text = page.read_text(encoding="utf-8")
    assert '<html lang="nn">' in text
    printed = text.replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert engang("dossier", "demo-tilsyn", "--lang", "nn", "--format", "html").out.strip() == printed.strip()
    assert engang("dossier", "demo-tilsyn", "--lang", "se").code == 2


@pytest.mark.usefixtures("demo")
def test_the_sql_of_a_dossier_repeats_its_figures() -> None:
    found = engang("dossier", "demo-tilsyn", "--json").json
    for figure in ("agreeing", "differing_items"):
        rows = engang("query", found["sql"][figure], "--format", "json").json
        expected = len(found[figure]) if isinstance(found[figure], list) else found[figure]
        assert (len(rows) if figure == "differing_items" else rows[0][figure]) == expected
    assert found["legal_basis"][0]["obligation"] == "demo-tilsyn"


@pytest.mark.usefixtures("demo")
def test_derivable_items_are_the_sums_of_published_ones() -> None:
    sums = """
        SELECT count(*) AS rows, count(*) FILTER (d.value = sums.value AND d.parts = sums.parts) AS equal
        FROM derivable d JOIN (
            SELECT e.item_id, rule, sum(value) AS value, count(value) AS parts
            FROM derivable_from e JOIN observations o ON o.item_id = e.part_id GROUP BY ALL
        ) sums USING (item_id, rule)
    """
    (counts,) = engang("query", sums, "--format", "json").json
    assert counts["rows"] == counts["equal"] > 0


@pytest.mark.usefixtures("demo")
def test_what_is_known_of_a_report() -> None:
    month = engang("query", "SELECT min(period_start) AS day FROM observations", "--format", "json").json[0]["day"][:7]
    asked = ("--unit", "1120", "--contract", "demo-tilsyn", "--period", month)
    cells = engang("known", *asked, "--json").json["cells"]
    known = [cell for cell in cells if cell["known"]]
    assert known
    assert all(cell["value"] is not None and cell["source"] for cell in known)
    assert all("demo-tilsyn" not in cell["source"] for cell in known)
    assert all(cell["why"] for cell in cells if not cell["known"])
    assert f"{len(known)} of {len(cells)} figures are known" in engang("known", *asked).out
    assert engang("known", "--unit", "1120", "--contract", "demo-tilsyn", "--period", "soon").code == 2
    assert "did you mean" in engang("known", "--unit", "1", "--contract", "demo-tilsy", "--period", "2025").err


@pytest.mark.usefixtures("demo")
def test_nothing_is_known_that_an_agency_may_not_be_shown() -> None:
    here = open_installation()
    month = engang("query", "SELECT min(period_start) AS day FROM observations", "--format", "json").json[0]["day"][:7]

    def _known(may_share: str) -> int:
        others = {
            name: contract if name == "demo-tilsyn" else contract.model_copy(update={"may_share": may_share})
            for name, contract in here.contracts.items()
        }
        cells = known_cells(here.with_presets(contracts=others), "demo-tilsyn", "1120", month)
        shown = [cell for cell in cells if cell["known"] or cell["value"] is not None or cell["source"]]
        return len(shown)

    assert _known("all") > 0
    assert _known("none") == 0


@pytest.mark.usefixtures("demo")
def test_a_planned_form_that_asks_what_is_asked_already(tmp_path: Path) -> None:
    text = (CONTRACT_FOLDER / "demo-tilsyn.yml").read_text(encoding="utf-8")
    planned = tmp_path / "planned.yml"
    planned.write_text(text.replace("demo-tilsyn", "planned"), encoding="utf-8")
    columns = engang("overlap", planned, "--json").json["columns"]
    asked = {column["column"]: {by["obligation"] for by in column["asked_by"]} for column in columns}
    assert any("demo-omsorg" in obligations for obligations in asked.values())
    assert all("demo-tilsyn" in obligations for obligations in asked.values())
    first = columns[0]["asked_by"][0]
    assert first["items"] > 0
    assert first["since"]
    assert f"{len(columns)} of {len(columns)} columns are asked already" in engang("overlap", planned).out
    assert engang("overlap", tmp_path / "none.yml").code == 2


@pytest.mark.usefixtures("demo")
def test_a_planned_record_form_is_compared_field_by_field(tmp_path: Path) -> None:
    text = (CONTRACT_FOLDER / "demo-hendelse-helse.yml").read_text(encoding="utf-8")
    planned = tmp_path / "planned.yml"
    planned.write_text(text.replace("demo-hendelse-helse", "planned"), encoding="utf-8")
    columns = engang("overlap", planned, "--json").json["columns"]
    place = next(column for column in columns if column["field"] == "place")
    assert {by["contract"] for by in place["asked_by"]} == {"demo-hendelse-helse", "demo-hendelse-tilsyn"}


@pytest.mark.usefixtures("demo")
def test_discover_answers_in_words_and_as_json() -> None:
    rows = engang("discover", "--json").json
    assert all(row["kind"] in {"same", "near", "sum", "constant"} for row in rows)
    assert engang("discover").code == 0
