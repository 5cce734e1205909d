"""Code lists: units with codes of other systems, and whether the core list is read too."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from infra.codelists import read_codelists
from infra.settings import read_settings
from schemas.errors import RegisterError, UsageError
from transforms.register.build import build_register
from transforms.register.lookup import resolve_units

NATIONS = """kind,code,name,valid_from,valid_to,aliases,code:M49,code:ISO2
nation,ALB,Albania,1900-01-01,,,008,AL
nation,NOR,Norway,1900-01-01,,Norge,578,NO
nation,AFE,Eastern Africa,1900-01-01,,,,
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nations.csv").write_text(NATIONS, encoding="utf-8")
    return tmp_path


def test_codes_of_other_systems_denote_the_same_unit(folder: Path) -> None:
    register = build_register(*read_codelists(folder, core=False))
    assert register.codes.select("system", "code").sort("system", "code").rows() == [
        ("code:ISO2", "AL"), ("code:ISO2", "NO"), ("code:M49", "008"), ("code:M49", "578"),
    ]  # fmt: skip
    asked = [("code:M49", "008"), ("code:ISO2", "NO"), ("code", "ALB"), ("code:M49", "ALB")]
    keys = pl.DataFrame(asked, ["by", "key"], orient="row").with_columns(kind=pl.lit("nation"), date=date(2020, 1, 1))
    assert resolve_units(register, keys)["unit_code"].to_list() == ["ALB", "NOR", "ALB", None]


def test_the_core_list_may_be_left_out(folder: Path) -> None:
    name = pl.DataFrame({"kind": ["nation"], "by": ["name"], "key": ["Norway"], "date": [date(2020, 1, 1)]})
    both = resolve_units(build_register(*read_codelists(folder)), name)
    assert both["reason"].to_list() == ["ambiguous-unit"]
    alone = resolve_units(build_register(*read_codelists(folder, core=False)), name)
    assert alone["unit_code"].to_list() == ["NOR"]


def test_without_codes_of_other_systems_the_digest_is_the_same(folder: Path) -> None:
    (folder / "nations.csv").write_text("\n".join(line.rsplit(",", 2)[0] for line in NATIONS.splitlines()))
    plain = build_register(*read_codelists(folder, core=False))
    assert plain.codes.is_empty()
    units, changes = read_codelists(folder, core=False)
    assert plain.digest == build_register(units.drop("codes"), changes).digest


def test_a_folder_without_a_list_is_an_error_with_or_without_the_core(tmp_path: Path) -> None:
    for core in (True, False):
        with pytest.raises(RegisterError, match="found no code list"):
            read_codelists(tmp_path, core=core)


def test_a_setting_leaves_the_core_list_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings(tmp_path).core_units
    monkeypatch.setenv("ENGANG_CORE_UNITS", "off")
    assert not read_settings(tmp_path).core_units
    monkeypatch.setenv("ENGANG_CORE_UNITS", "no")
    with pytest.raises(UsageError, match="ENGANG_CORE_UNITS: found 'no', expected on or off"):
        read_settings(tmp_path)
