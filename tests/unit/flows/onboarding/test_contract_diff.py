"""What a changed contract reads otherwise: counted by statement, over files or the contracts' own examples."""

from pathlib import Path

import pytest

from flows.installation import Installation
from flows.onboarding.contract_diff import DiffOptions, FileDifference, diff_contracts
from schemas.errors import ContractError, UsageError
from tests.support.backfill_installation import FILES, changed, opened

SCALED = ("measure: {value: persons}\n", "measure: {value: persons}\n    scale: 1000\n")
NO_OPTIONS = DiffOptions(sender="kommunen")


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    return opened(tmp_path / "home")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text(FILES["a.csv"], encoding="utf-8")
    return path


def diff(home: Installation, new: str | Path, *files: Path) -> list[FileDifference]:
    return diff_contracts(home, "folketall", str(new), files, NO_OPTIONS)


def test_a_contract_reads_as_itself(home: Installation, file: Path) -> None:
    (found,) = diff(home, "folketall", file)
    assert found.counts == {"same": 2, "changed": 0, "only_old": 0, "only_new": 0}
    assert found.rejected == (1, 1)
    assert not found.differs


def test_a_scale_changes_every_figure(home: Installation, file: Path) -> None:
    (found,) = diff(home, changed(home, SCALED), file)
    assert found.counts["changed"] == 2
    assert found.differs
    assert [str(value) for value in found.changes[0]["fields"]["value"]] == ["700.000000000", "700000.000000000"]


def test_rows_may_be_ignored_instead_of_rejected(home: Installation, file: Path) -> None:
    (found,) = diff(home, changed(home, ("values: [Sum]", "values: [Sum, '9998', '1120']")), file)
    assert (found.counts["only_old"], found.rejected, found.ignored) == (1, (1, 0), (0, 2))


def test_a_file_that_one_of_them_cannot_read_has_its_problem(home: Installation, file: Path) -> None:
    (found,) = diff(home, changed(home, ("column: gruppe", "column: group")), file)
    assert found.counts["only_old"] == 2
    assert found.problems[0] is None
    assert "missing-column column 'group'" in str(found.problems[1])


def test_without_files_the_examples_are_read(home: Installation) -> None:
    (found,) = diff(home, changed(home, SCALED))
    assert found.file == "example 'One row'"
    assert found.counts["changed"] == 1


def test_wrong_use_is_named(home: Installation, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no contract 'nothing'"):
        diff(home, "nothing")
    with pytest.raises(UsageError, match="cannot be read"):
        diff(home, tmp_path / "absent.yml")
    with pytest.raises(ContractError, match="did you mean 'rhythm'"):
        diff(home, changed(home, ("rhythm: daily", "rythm: daily")))
