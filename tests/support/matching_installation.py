"""A small installation with one record kind whose reports must be matched, invented deliveries of it, and the truth."""

import csv
import datetime as dt
import io
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from flows.intake.registration import receive
from infra.lake import delta as lake
from infra.ledger.open import open_ledger
from infra.settings import DEMO_CODELISTS, read_settings

KIND: Final = """
kind: mishap
version: 1
title: {en: Mishap, nb: Uhell, nn: Uhell}
one_report_per_item: true
fields:
  day: {type: date, role: comparison, doc: When, compare: {by: days, levels: [1]}}
  place: {type: text, role: comparison, doc: Where, compare: {by: similarity}, term_frequency: true}
  speed: {type: number, role: comparison, doc: How fast, compare: {by: difference, levels: [2, 10]}}
  cost: {type: number, role: attribute, doc: What it cost, survives: greatest}
  story: {type: text, role: text, doc: What happened, compare: {by: words, levels: [30, 15, 5]}}
blocking:
  - [{field: day, unit: month}]
  - [place]
thresholds: {automatic: 0.9, review: 0.01}
"""
CONTRACT: Final = """
contract: mishaps
version: 1
obligation: mishaps
title: {nb: Uhell, nn: Uhell, en: Mishaps}
agency: Example agency
legal_basis: none, it is invented
rhythm: event
hours_per_report: "1"
sender: {default: agency}
format: {type: csv, delimiter: ";"}
record:
  kind: mishap
  reported_by: {column: body}
  report_key: [number]
  row_key: line
  fields:
    day: {column: day}
    place: {column: place}
    speed: {column: speed}
    cost: {column: cost}
    story: {column: story}
examples:
  - name: one
    given: |
      line;body;number;day;place;speed;cost;story
      x-1;a;1;2024-01-02;Vik;10;5;It fell
    records:
      - {row: 2, reported_by: a, place: Vik}
"""
HEADER: Final = ("line", "body", "number", "day", "place", "speed", "cost", "story")
SYLLABLES: Final = ("ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "ås", "ør")


@dataclass(frozen=True)
class Small:
    """A small installation, the file of the truth (line, body, mishap_id), and each body's reports as one delivery."""

    home: Installation
    truth: Path
    files: dict[str, str]


def open_matching(home: Path, kind: str = KIND) -> Installation:
    """Open an installation with this one kind and its contract."""
    for folder, name, text in (("kinds", "mishap.yml", kind), ("contracts", "mishaps.yml", CONTRACT)):
        (home / folder).mkdir(parents=True, exist_ok=True)
        (home / folder / name).write_text(text, encoding="utf-8")
    settings = replace(
        read_settings(home), contracts=home / "contracts", kinds=home / "kinds", codelists=DEMO_CODELISTS,
        ledger_url=f"sqlite:///{home / 'ledger.db'}",
    )  # fmt: skip
    lake.open_lake(settings.lake)
    return Installation(settings, open_ledger(settings.ledger_url))


def small(home: Path, mishaps: int = 150, kind: str = KIND) -> Small:
    """Return an installation of its own, nothing delivered yet, invented deliveries and their truth."""
    rows = invented(mishaps)
    truth = home / "truth.parquet"
    home.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows).select("line", "body", "mishap_id").write_parquet(truth)
    files = {body: as_csv([r for r in rows if r["body"] == body]) for body in ("north", "south", "rail")}
    return Small(open_matching(home, kind), truth, files)


def send(home: Installation, *texts: str) -> None:
    """Deliver these files."""
    files = [
        make_delivery(home, f"{n}.csv", text.encode(), "mishaps", sender=None, period=None)
        for n, text in enumerate(texts)
    ]
    assert [r.rejected for receipts in receive(home, files) for r in receipts] == [0] * len(texts)


def invented(mishaps: int, seed: int = 7) -> list[dict[str, Any]]:
    """Return reports of mishaps, each by one to three bodies, each with its own slips."""
    chance = random.Random(seed)
    names = sorted({"".join(chance.choices(SYLLABLES, k=3)) for _ in range(400)})
    chance.shuffle(names)
    places, words = [n.title() for n in names[:60]], names[60:]
    rows = []
    for mishap in range(mishaps):
        what = {
            "day": dt.date(2024, 1, 1) + dt.timedelta(days=chance.randrange(360)), "place": chance.choice(places),
            "speed": chance.randrange(5, 90), "story": chance.sample(words, 9),
        }  # fmt: skip
        for body in chance.sample(("north", "south", "rail"), k=chance.choice((1, 1, 2, 3))):
            fields = _report_of(chance, what, words)
            rows.append(
                {
                    "line": f"{body}-{len(rows)}",
                    "body": body,
                    "number": str(mishap * 7),
                    **fields,
                    "mishap_id": f"m{mishap}",
                }
            )
    return rows


def _report_of(chance: random.Random, what: dict[str, Any], words: list[str]) -> dict[str, Any]:
    """Return a mishap as one body tells it: a day off, a slip in the place, other words."""
    place = what["place"] if chance.random() < 0.7 else what["place"][:-1] + chance.choice("aeiou")
    story = [w if chance.random() < 0.45 else chance.choice(words) for w in what["story"]]
    day = what["day"] + dt.timedelta(days=chance.choice((0, 0, 0, 1, 4)))
    speed = what["speed"] + chance.choice((0, 0, 1, 5, 20))
    return {
        "day": day.isoformat(),
        "place": place,
        "speed": speed,
        "cost": chance.randrange(100),
        "story": " ".join(story),
    }


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Return reports as a delivery."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, delimiter=";", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
