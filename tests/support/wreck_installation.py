"""A small installation with a record kind, `wreck`, and a model of it whose weights are set by hand.

Weights in bits, whole numbers, before: -8; place: the same 8, alike 4, differs -4; day: the same 6, a day apart 3,
differs -5; speed: the same 3, 5 apart 1, differs -3; story: shared words 5, none -1. A field missing in one: 0.
From 4 bits on two reports are one wreck; from -2 on they are worth a look.
"""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl

from flows.installation import Installation, open_installation
from flows.intake.deliveries import Delivery
from flows.intake.receipt import Receipt
from flows.intake.registration import receive
from flows.release.build import night
from flows.release.publish import Night
from infra.ledger import models as ledger_models
from schemas.kind import Kind, read_kind
from transforms.identity import report_id
from transforms.linkage.comparisons import splink_settings
from transforms.linkage.model import MatchModel, WordWeights

AUTOMATIC, REVIEW = 4.0, -2.0
PRIOR = -8
KIND = """
kind: wreck
version: 1
title: {en: Wreck, nb: Havari, nn: Havari}
one_report_per_item: true
fields:
  case: {type: code, role: identity, doc: The case}
  place: {type: text, role: comparison, doc: Where, compare: {by: similarity, levels: [0.9]}, survives: longest}
  day: {type: date, role: comparison, doc: When, compare: {by: days, levels: [1]}, survives: first}
  speed: {type: integer, role: comparison, doc: How fast, compare: {by: difference, levels: [5]}}
  causes: {type: list, role: attribute, doc: Why}
  story: {type: text, role: text, doc: What happened, compare: {by: words, levels: [10]}}
blocking: [[day], [{field: place, prefix: 4}, {field: day, unit: month}]]
largest_block: 5
thresholds: {automatic: 0.9411764705882353, review: 0.2}
"""
CONTRACT = """
contract: wrecks
version: 1
obligation: wrecks
title: {en: Wrecks, nb: Havari, nn: Havari}
agency: Example agency
legal_basis: none
rhythm: yearly
hours_per_report: null
sender: {default: agency}
format: {type: csv, delimiter: ","}
record:
  kind: wreck
  reported_by: {column: railroad}
  report_key: [number]
  row_key: number
  fields:
    case: {column: case}
    place: {column: place}
    day: {column: day}
    speed: {column: speed}
    causes: {column: causes, separator: "|"}
    story: {column: story}
examples:
  - name: One
    given: |
      number,railroad,case,place,day,speed,causes,story
      1,UP,,Vik,2024-03-01,40,,
    records:
      - {row: 2, place: Vik}
"""
COLUMNS = ("number", "railroad", "case", "place", "day", "speed", "causes", "story")
WEIGHTS = {"place": (8, 4, -4), "day": (6, 3, -5), "speed": (3, 1, -3), "story": (5, -1)}
"""Bits of each level, nearest first."""


def kind() -> Kind:
    """Return the kind."""
    return read_kind(KIND, "wreck.yml")


def model(of: Kind | None = None) -> MatchModel:
    """Return the model: every level weighs what this module's top says."""
    of = of or kind()
    settings = splink_settings(of)
    for comparison in settings["comparisons"]:
        levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        for level, bits in zip(levels, WEIGHTS[comparison["output_column_name"]], strict=True):
            level["u_probability"] = 2.0**-9
            level["m_probability"] = 2.0 ** (bits - 9)
    settings["probability_two_random_records_match"] = 1 / (1 + 2.0**-PRIOR)
    return MatchModel(
        of.kind, of.match_digest(), settings, {}, {"story": WordWeights({}, 10.0)}, AUTOMATIC, {"reports": 0}
    )


def folders(root: Path, *others: str) -> dict[str, str]:
    """Write the kind and its contract under a folder; return the settings (environment) of a home beside them.

    `others` are kinds that are the same by another name: `ship` with contract `ships`.
    """
    for folder, text, file in (("kinds", KIND, "wreck.yml"), ("contracts", CONTRACT, "wrecks.yml")):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in ("wreck", *others):
            (root / folder / file.replace("wreck", name)).write_text(text.replace("wreck", name))
    places = {"HOME": root / "home", "KINDS": root / "kinds", "CONTRACTS": root / "contracts"}
    return {f"ENGANG_{name}": str(path) for name, path in places.items()}


def open_wrecks(home: Path | None = None, *, pinned: bool = True) -> Installation:
    """Open an installation, by default the environment's, with its model pinned."""
    installation = open_installation(home)
    if pinned:
        pin(installation, model())
    return installation


def pin(installation: Installation, match_model: MatchModel) -> None:
    """Put a model in force."""
    row = ledger_models.StoredModel(
        digest=match_model.digest,
        kind=match_model.kind,
        text=match_model.as_json(),
        trained_at=dt.datetime(2026, 11, 22),
        about={},
    )
    ledger_models.add_model(installation.engine, row)
    ledger_models.write_pin(installation.engine, match_model.kind, match_model.digest, who="Kari", why="set by hand")


def csv(*rows: dict[str, Any]) -> bytes:
    """Return a delivery: what a row does not tell is empty."""
    lines = [",".join(COLUMNS), *(",".join(str(row.get(name, "")) for name in COLUMNS) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def deliver(
    installation: Installation, *rows: dict[str, Any], filename: str = "wrecks.csv", contract: str = "wrecks"
) -> Receipt:
    """Deliver rows as one file."""
    (receipt,) = next(iter(receive(installation, [Delivery(filename, csv(*rows), contract, "agency")])))
    assert receipt.status in {"registered", "restored"}, receipt
    return receipt


def released(installation: Installation, *rows: dict[str, Any]) -> Night:
    """Deliver rows, if any, and publish a release."""
    if rows:
        deliver(installation, *rows)
    return night(installation)


def report(number: object, railroad: str, contract: str = "wrecks") -> str:
    """Return the id of a report."""
    fields = {"contract": contract, "reported_by": railroad, "report_key": f'["{number}"]'}
    return str(pl.DataFrame([fields]).select(report_id()).item())
