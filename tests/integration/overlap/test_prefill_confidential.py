"""Nothing that is withheld can be read off a draft, its sidecar, what is known or a backtest: all are the same."""

import json
from pathlib import Path
from typing import Final

import pytest

from flows.overlap.known import known_cells
from flows.overlap.prefill.backtest import backtest_drafts
from flows.overlap.prefill.draft import draw_up_draft
from flows.overlap.prefill.sources import sources_json
from tests.support.prefill import MONEY, SOURCE, contract_text, deliver, publish
from tests.support.small_installation import open_small

OWN: Final = 31_415
"""What the form itself reports of each figure."""
SMALL: Final = """\
concepts:
  rare_cases:
    title: {nb: Tilfeller, nn: Tilfelle, en: Cases}
    definition: Cases of something rare.
    measures: [number]
    suppress_below: 5
format: {type: csv, delimiter: ";"}
unit: {column: nr, kind: municipality}
period: {column: month, type: month}
repeat: error
claims: [{concept: rare_cases, column: n, reported_by: {value: D}, unit_measure: {value: number}}]
examples: [{name: none, given: "nr;month;n\\n1120;2025-01;1\\n", claims: [{row: 2, value: 1}]}]
"""
FORM: Final = """\
format: {type: csv, delimiter: ";"}
unit: {column: nr, kind: municipality}
period: {column: month, type: month}
repeat: error
claims:
  - {concept: pupils, column: first, reported_by: {value: T}, unit_measure: {value: persons},
     breakdown: {stage: {value: primary}}}
  - {concept: pupils, column: second, reported_by: {value: T}, unit_measure: {value: persons},
     breakdown: {stage: {value: lower_secondary}}}
  - {concept: pupils, column: all, reported_by: {value: T}, unit_measure: {value: persons}}
  - {concept: care_costs, column: costs, reported_by: {value: T}, unit_measure: {value: NOK}}
  - {concept: care_residents, column: residents, reported_by: {value: T}, unit_measure: {value: persons}}
  - {concept: rare_cases, column: rare, reported_by: {value: T}, unit_measure: {value: number}, missing: skip}
"""
CONTRACTS: Final = {
    "source": contract_text("source", SOURCE),
    "closed": contract_text("closed", MONEY, more="may_share: none"),
    "persons": contract_text("persons", MONEY, more="personal: {residents: keep}"),
    "few": contract_text("few", SMALL),
    "form": contract_text("form", FORM),
    "echo": contract_text("echo", MONEY, more="copy_of: form"),
}


def shown(folder: Path, secret: int) -> tuple[str, int]:
    """Return all that is shown where each figure but one is a secret of its own kind; and how many are filled in."""
    contracts = folder / "contracts"
    contracts.mkdir(parents=True)
    for name, text in CONTRACTS.items():
        (contracts / f"{name}.yml").write_text(text, encoding="utf-8")
    here = open_small(folder / ".engang", contracts)
    assert not here.broken_contracts
    for month in ("2025-01", "2025-02"):
        pupils = f"1120;{month};primary;{secret};;x\n1120;{month};lower_secondary;95;;\n"
        deliver(here, "source", f"nr;month;stage;pupils;groups;secret\n{pupils}")
        deliver(here, "closed", f"nr;month;costs;residents\n1120;{month};{secret};\n")
        deliver(here, "persons", f"nr;month;costs;residents\n1120;{month};;{secret}\n")
        deliver(here, "echo", f"nr;month;costs;residents\n1120;{month};{secret};{secret}\n")
        deliver(here, "few", f"nr;month;n\n1120;{month};{1 + (secret == OWN)}\n")
    own = f"1120;2025-02;{OWN};95;{OWN};{OWN};{OWN};2"
    deliver(here, "form", f"nr;month;first;second;all;costs;residents;rare\n{own}\n")
    publish(here)
    drafts = [draw_up_draft(here, "form", "1120", month, everyone=each) for month in ("2025-01", "2025-02")
              for each in (False, True)]  # fmt: skip
    cells = [known_cells(here, "form", "1120", month) for month in ("2025-01", "2025-02")]
    parts = [*(draft.data.decode() + sources_json(draft.sources) + repr(draft.rejects) for draft in drafts)]
    text = "\n".join([*parts, json.dumps([*cells, backtest_drafts(here, "form")], default=str)])
    return text, drafts[0].filled


@pytest.mark.usefixtures("unchecked")
def test_whatever_is_withheld_all_that_is_shown_is_the_same(tmp_path: Path) -> None:
    text, filled = shown(tmp_path / "one", 27_182)
    assert (text, filled) == shown(tmp_path / "two", OWN)
    assert filled == 1, "the one figure that is no secret"
    assert "27182" not in text
    for why in ("the value is withheld", "nobody who may share it has reported it", "the value is personal data",
                "the value is too small to be shown"):  # fmt: skip
        assert why in text
