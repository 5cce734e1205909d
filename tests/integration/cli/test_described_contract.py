"""`engang contracts new --from-klass`: a contract of a published description, and the kind of its records."""

from pathlib import Path

import pytest

from flows.onboarding.described import write_described_contract
from schemas.contract import read_contract
from schemas.errors import ContractError, UsageError
from schemas.kind import load_kinds
from tests.support.small_installation import open_small

FIELD = "- {{name: {name}, from: {start}, size: 4, dataType: {kind}}}\n"


def description(folder: Path, *fields: tuple[str, str]) -> Path:
    lines = [FIELD.format(name=name, start=4 * n + 1, kind=kind) for n, (name, kind) in enumerate(fields)]
    path = folder / "description.yaml"
    path.write_text(f"id: 1A\ntitle: Form\nreportingYear: 2024\nfields:\n{''.join(lines)}", encoding="utf-8")
    return path


@pytest.fixture
def kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "kinds"
    folder.mkdir()
    monkeypatch.setenv("ENGANG_KINDS", str(folder))
    return folder


def test_records_get_a_kind_and_the_next_form_its_new_fields(tmp_path: Path, kinds: Path) -> None:
    home = open_small(tmp_path / "home")
    first = description(tmp_path, ("KOMMUNE_NR", "STRING_TYPE"), ("JOURNALNR", "STRING_TYPE"))
    written = write_described_contract(home, "a-2024", first, to=tmp_path, kind="client")
    assert (written.kind_file, written.added) == (kinds / "client.yml", ("kommune_nr", "journalnr"))
    second = description(tmp_path, ("JOURNALNR", "STRING_TYPE"), ("ANTALL", "INTEGER_TYPE"))
    assert write_described_contract(home, "b-2024", second, to=tmp_path, kind="client").added == ("antall",)
    assert list(load_kinds(kinds)["client"].fields) == ["kommune_nr", "journalnr", "antall"]
    with pytest.raises(UsageError, match="exists: edit it"):
        write_described_contract(home, "b-2024", second, to=tmp_path, kind="client")
    clash = description(tmp_path, ("JOURNALNR", "STRING_TYPE"), ("ANTALL", "STRING_TYPE"))
    with pytest.raises(UsageError, match="choose another kind"):
        write_described_contract(home, "c-2024", clash, to=tmp_path, kind="client")


@pytest.mark.usefixtures("kinds")
def test_figures_get_no_kind(tmp_path: Path) -> None:
    home = open_small(tmp_path / "home")
    figures = description(tmp_path, ("KOMMUNE_NR", "STRING_TYPE"), ("ANTALL", "INTEGER_TYPE"))
    assert write_described_contract(home, "a-2024", figures, to=tmp_path).kind_file is None
    with pytest.raises(UsageError, match="describes figures"):
        write_described_contract(home, "b-2024", figures, to=tmp_path, kind="client")
    with pytest.raises(UsageError, match="no name for a contract"):
        write_described_contract(home, "B 2024", figures, to=tmp_path)


@pytest.mark.usefixtures("kinds")
def test_a_delivery_shows_the_encoding_and_gives_the_example_of_figures(tmp_path: Path) -> None:
    home = open_small(tmp_path / "home")
    figures = description(
        tmp_path, ("KOMMUNE_NR", "STRING_TYPE"), ("SKJEMA", "STRING_TYPE"), ("ANTALL", "INTEGER_TYPE")
    )
    delivery = tmp_path / "f.dat"
    delivery.write_text("0301Ærø1  12\n9999a      1\n0301b      3\n", encoding="utf-8")
    written = write_described_contract(home, "a-2024", figures, to=tmp_path, delivery=delivery)
    contract = read_contract(written.file.read_text(encoding="utf-8"))
    assert contract.format.encoding == "utf-8"
    (example,) = contract.examples
    assert example.given == "0301Ærø1  12\n9999a      1\n"
    assert [(claim["row"], claim["value"]) for claim in example.claims] == [(1, "12")]
    assert [reject["reason"] for reject in example.rejects] == ["unknown-unit"]


def test_a_delivery_of_persons_is_not_copied(tmp_path: Path, kinds: Path) -> None:
    home = open_small(tmp_path / "home")
    persons = description(tmp_path, ("KOMMUNE_NR", "STRING_TYPE"), ("JOURNALNR", "STRING_TYPE"))
    delivery = tmp_path / "f.dat"
    delivery.write_text("03014711\n", encoding="utf-8")
    written = write_described_contract(home, "a-2024", persons, to=tmp_path, kind="client", delivery=delivery)
    assert "4711" not in written.file.read_text(encoding="utf-8")
    assert written.kind_file == kinds / "client.yml"


@pytest.mark.usefixtures("kinds")
def test_a_file_that_is_no_description_is_an_error(tmp_path: Path) -> None:
    home = open_small(tmp_path / "home")
    path = tmp_path / "x.yaml"
    path.write_text("title: x\n")
    with pytest.raises(ContractError, match=r"x\.yaml"):
        write_described_contract(home, "a", path, to=tmp_path)
    with pytest.raises(UsageError, match="expected a description"):
        write_described_contract(home, "a", tmp_path / "none.yaml", to=tmp_path)
