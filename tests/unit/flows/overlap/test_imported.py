"""What is imported is stored in the home, replaced by name, and listed with the contracts' own obligations."""

from pathlib import Path

import pytest

from flows.overlap.imported import declared_pairs, import_obligations
from flows.release.descriptions import _descriptions
from infra.imported_obligations import read_imports
from schemas.claims import frame_schema
from schemas.description_tables import OBLIGATION
from schemas.errors import UsageError
from tests.support.small_installation import open_small

MATRIX = "requirement,agency,name,staff\nA1,A,x,x\nB1,B,x,\n"


def test_an_import_is_stored_replaced_and_listed(tmp_path: Path) -> None:
    home, file = open_small(tmp_path / "home"), tmp_path / "Nye krav.csv"
    file.write_text(MATRIX, encoding="utf-8")
    own = _descriptions(home)["obligations"]
    found = import_obligations(home, file, "matrix", dry_run=True)
    assert found == {
        "name": "nye-krav", "obligations": 2, "items": 2, "cells": 3, "shared": 1, "contained": 1, "stored": False
    }  # fmt: skip
    assert read_imports(home.settings.home) == []
    assert import_obligations(home, file, "matrix")["stored"]
    table = _descriptions(home)["obligations"]
    assert table.schema == frame_schema(OBLIGATION)
    assert table.height == own.height + 2
    assert table.tail(2)["obligation"].to_list() == ["nye-krav-a1", "nye-krav-b1"]
    assert [(pair["obligation_a"], pair["items"]) for pair in declared_pairs(home)] == [("nye-krav-a1", 1)]
    file.write_text(MATRIX.replace("B1,B,x,\n", ""), encoding="utf-8")
    import_obligations(home, file, "matrix")
    (stored,) = read_imports(home.settings.home)
    assert stored["obligation"].to_list() == ["nye-krav-a1"]
    assert declared_pairs(home) == []


def test_a_file_or_name_that_cannot_be_is_refused(tmp_path: Path) -> None:
    home, file = open_small(tmp_path / "home"), tmp_path / "a.csv"
    file.write_text("requirement,name\n", encoding="utf-8")
    for source, name, path in (("matrix", None, file), ("matrix", "../a", file), ("other", None, file),
                               ("matrix", None, tmp_path / "absent.csv")):  # fmt: skip
        with pytest.raises(UsageError):
            import_obligations(home, path, source, name)
    assert read_imports(home.settings.home) == []
