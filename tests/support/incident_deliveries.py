"""A small record kind with a model set by hand, invented deliveries of it, and installations that live one example.

Weights in bits, before: -6; place: the same 8, differs -4; day: the same 5, a day apart 2, differs -6; speed: the same
3, 5 apart 1, differs -3. A field missing in one weighs nothing. So reports of one place on days that follow make
chains, and small blocks grow over `largest_block`. `melding` is corrected and withdrawn by version and action, in
`register` the sender reports itself and takes precedence.
"""

import datetime as dt
import functools
import random
import tempfile
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import polars as pl
from hypothesis import strategies as st

from flows import releases as reading
from flows.installation import Installation
from flows.matching import decisions as deciding
from flows.release import build as nights
from infra.lake.item_tables import kind_tables
from infra.ledger import decisions as ledger_decisions
from infra.ledger import models as ledger_models
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from schemas.contract import Contract, read_contract
from schemas.kind import read_kind
from tests.support.temporary_installation import Life, as_file, lived, opened
from transforms import identity
from transforms.linkage.comparisons import splink_settings
from transforms.linkage.model import MatchModel
from transforms.submissions import mark_counting

KIND = read_kind(
    """
    kind: incident
    version: 1
    title: {en: Incident, nb: Hendelse, nn: Hending}
    one_report_per_item: true
    fields:
      case: {type: code, role: identity, doc: The case}
      place: {type: text, role: comparison, doc: Where, compare: {by: exact}, survives: longest}
      day: {type: date, role: comparison, doc: When, compare: {by: days, levels: [1]}, survives: first}
      speed: {type: integer, role: comparison, doc: How fast, compare: {by: difference, levels: [5]}, survives: last}
      hurt: {type: integer, role: attribute, doc: How many, parts: sum, tolerance: 1}
      causes: {type: list, role: attribute, doc: Why, parts: all}
      story: {type: text, role: text, doc: What happened}
    blocking: [[day], [place, {field: day, unit: month}]]
    largest_block: 5
    thresholds: {automatic: 0.9411764705882353, review: 0.2}
    """
)
AUTOMATIC = 4.0
WEIGHTS = {"place": (8, -4), "day": (5, 2, -6), "speed": (3, 1, -3)}
"""Bits of each level, nearest first."""
OTHERWISE = {"place": (5, -4), "day": (5, 3, -3), "speed": (2, 2, -1)}
"""What another model says."""

SHARED = """
version: 1
title: {nb: Prøve, nn: Prøve, en: A test's}
agency: A test's agency
legal_basis: none, a test
rhythm: monthly
hours_per_report: null
sender: {default: anna, allowed: any}
format: {type: csv, delimiter: ";"}
ignore_rows: [{column: body, values: [Sum], why: the sum of the rows above}]
examples: [{name: none, given: ""}]
"""
RECORD = """
  kind: incident
  report_key: [number]
  row_key: line
  fields:
    case: {column: case}
    place: {column: place}
    day: {column: day}
    speed: {column: speed}
    hurt: {column: hurt}
    causes: {column: causes, separator: "|"}
    story: {column: story}
"""
OWN = {
    "melding": f"""
obligation: melding
report_version: {{column: version}}
action: {{column: action, map: {{"": append, ny: append, erstatt: replace, trekk: withdraw}}}}
ignore: [reported]
record:
  reported_by: {{column: body}}
{RECORD}
""",
    "register": f"""
obligation: register
reported_at: {{column: reported, type: datetime}}
ignore: [version, action]
record:
  reported_by: {{option: sender}}
  precedence: 1
{RECORD}
""",
}


class Row(NamedTuple):
    """What a row says."""

    number: str
    body: str = "a"
    place: str = "Vik"
    day: str = "2024-01-01"
    speed: str = "10"
    hurt: str = ""
    causes: str = ""
    story: str = ""
    case: str = ""
    version: str = ""
    action: str = ""
    reported: str = ""
    line: str = ""


class Wrapping(NamedTuple):
    """How the same content is written: none of it is said."""

    shuffle: int = 0
    bom: bool = False
    crlf: bool = False
    quoted: bool = False


class Sent(NamedTuple):
    """One delivery."""

    rows: tuple[Row, ...]
    contract: str = "melding"
    sender: str = "anna"
    wrapping: Wrapping = Wrapping()


def file_of(sent: Sent) -> bytes:
    """Return the bytes that are delivered."""
    turn = sent.wrapping.shuffle
    rows = random.Random(turn).sample(sent.rows, len(sent.rows)) if turn else sent.rows
    return as_file((Row._fields, *rows), sent.wrapping)


def as_csv(sent: Sent) -> bytes:
    """Return the same for all deliveries of the same rows, however they are written."""
    return file_of(Sent(tuple(sorted(sent.rows)), sent.contract, sent.sender))


def report_id(row: Row) -> str:
    """Return the id of the report that a row of `melding` is."""
    key = {"contract": "melding", "reported_by": row.body, "report_key": f'["{row.number}"]'}
    return pl.DataFrame([key]).select(identity.report_id()).item()


_often = ("", "", "")
_rows = st.builds(
    Row,
    number=st.sampled_from("123"),
    body=st.sampled_from(("a", "b", "c", "d") * 5 + ("Sum",)),
    place=st.sampled_from(("Vik", "Vik", "Vik", "vik ", "Ås", "東京", "")),
    day=st.sampled_from(("2024-01-01", "2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "")),
    speed=st.sampled_from(("10", "10", "10", "14", "20", "")),
    hurt=st.sampled_from(("", "0", "1", "2", "4")),
    causes=st.sampled_from(("", "fog", "ice|fog")),
    story=st.sampled_from(("", "", "It fell", "Det falt ned")),
    case=st.sampled_from((*_often, *_often, "K1", "K2")),
    version=st.sampled_from((*_often, "1", "1", "2")),
    action=st.sampled_from((*_often, *_often, "ny", "erstatt", "trekk")),
    reported=st.sampled_from(("", "2024-02-01T10:00:00", "2024-03-01T10:00:00")),
    line=st.sampled_from(("", "x")),
)
wrappings = st.builds(Wrapping, st.integers(0, 9), st.booleans(), st.booleans(), st.booleans())


@st.composite
def sendings(draw: st.DrawFn) -> Sent:
    """Draw one delivery of a few rows about the same few incidents; one row in twenty cannot be read."""
    rows = draw(st.lists(_rows, min_size=1, max_size=4))
    if draw(st.integers(0, 4)) == 0:
        rows[0] = rows[0]._replace(speed="fast")
    contract = draw(st.sampled_from(("melding", "melding", "register")))
    return Sent(tuple(rows), contract, draw(st.sampled_from(("anna", "berit"))), draw(wrappings))


def many(reports: int, chance: random.Random) -> list[Sent]:
    """Return deliveries of some hundred reports: crowded days, chains, corrections, withdrawals, parts, rewrapped."""
    rows = [_drawn_row(chance, str(n)) for n in range(reports)]
    rows += [row._replace(hurt="3", line="part") for row in chance.sample(rows, reports // 10)]
    again = [row._replace(version=str(chance.randint(2, 3)), speed="14") for row in chance.sample(rows, reports // 8)]
    withdrawn = [row._replace(version="4", action="trekk") for row in chance.sample(rows, reports // 15)]
    all_rows = [*rows, *again, *withdrawn]
    chance.shuffle(all_rows)
    sent = []
    while all_rows:
        size = chance.randint(1, 9)
        sent.append(
            Sent(tuple(all_rows[:size]), chance.choice(("melding",) * 4 + ("register",)), chance.choice(SENDERS))
        )
        del all_rows[:size]
    return [*sent, *(s._replace(wrapping=Wrapping(3, bom=True)) for s in chance.sample(sent, len(sent) // 10))]


SENDERS = ("anna", "berit", "carl")


def _drawn_row(chance: random.Random, number: str) -> Row:
    day = dt.date(2024, chance.randint(1, 12), chance.randint(1, 5)).isoformat()
    return Row(
        number, chance.choice("abcd"), chance.choice(("Vik", "Ås", "Bø", "東京", "")), day,
        str(chance.choice((10, 10, 12, 14, 20))), chance.choice(("", "1", "2")), chance.choice(("", "fog|ice")),
        chance.choice(("", "It fell", "Det falt")), "K1" if chance.random() < 0.02 else "",
        chance.choice(("", "1")), reported=chance.choice(("", "2024-02-01T10:00:00")),
    )  # fmt: skip


@functools.cache
def model(*, other: bool = False) -> MatchModel:
    """Return the model: every level weighs what this module's top says, or what another would."""
    settings = splink_settings(KIND)
    for comparison in settings["comparisons"]:
        levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        weights = (OTHERWISE if other else WEIGHTS)[comparison["output_column_name"]]
        for level, bits in zip(levels, weights, strict=True):
            level["u_probability"] = 2.0**-9
            level["m_probability"] = 2.0 ** (bits - 9)
    settings["probability_two_random_records_match"] = 1 / (1 + 2.0**6)
    return MatchModel("incident", KIND.match_digest(), settings, {}, {}, AUTOMATIC, {"reports": 0})


@functools.cache
def contracts() -> dict[str, Contract]:
    """Return the small contracts, by id."""
    return {name: read_contract(f"contract: {name}\n{SHARED}{own}", name) for name, own in OWN.items()}


@functools.cache
def _template() -> "tempfile.TemporaryDirectory[str]":
    """Make an empty installation with its models once: a copy of it is a new home."""
    folder = tempfile.TemporaryDirectory(prefix="engang-laws-")
    installation = opened(Path(folder.name) / "home")
    for each in (model(other=True), model()):
        row = ledger_models.StoredModel(
            digest=each.digest, kind=each.kind, text=each.as_json(), trained_at=dt.datetime(2026, 1, 1), about={}
        )
        ledger_models.add_model(installation.engine, row)
        _pin(installation, each)
    installation.engine.dispose()
    return folder


def _pin(installation: Installation, match_model: MatchModel) -> None:
    ledger_models.write_pin(installation.engine, match_model.kind, match_model.digest, who="Kari", why="set by hand")


SORT_COLUMNS = ("item_id", "claim_id", "field", "report_id", "submission_id", "a", "b", "release", "event", "other_id")
"""A table is read in the order of those of them that it has."""


class Home(Life):
    """An installation of the small kind, its model pinned. No night loses a row or breaks a constraint."""

    file_of = staticmethod(file_of)

    def __init__(self, installation: Installation) -> None:
        """Take an installation."""
        super().__init__(installation, contracts=contracts(), kinds={"incident": KIND})

    def decide(self, a: str, b: str, verdict: str) -> int:
        """Decide on two reports or items."""
        return deciding.decide(self.installation, (a, b), verdict, why="a test", who="Kari").id

    def take_back(self, decision: int) -> None:
        """Withdraw a decision."""
        assert deciding.withdraw_decision(self.installation, decision, why="a test", who="Kari")

    def pin(self, *, other: bool) -> None:
        """Put a model in force."""
        _pin(self.installation, model(other=other))

    def night(self) -> nights.Night:
        """Publish, as every life does; the release is sound."""
        done = super().night()
        if done.release is not None:
            assert_balanced(self.installation, done.release)
            self.assert_sound()
        return done

    def assert_sound(self) -> None:
        """See that ids are unique, every report is of one item and no item breaks a constraint."""
        items, sources = self.table("incident"), self.table("incident_sources")
        assert not items["item_id"].is_duplicated().any()
        assert set(items["item_id"]) == set(sources["item_id"])
        reports = sources.select("item_id", "report_id", "reported_by").unique()
        assert not reports["report_id"].is_duplicated().any()
        assert not reports.select("item_id", "reported_by").is_duplicated().any()
        where = dict(reports.select("report_id", "item_id").iter_rows())
        decisions = ledger_decisions.read_decisions(self.installation.engine).filter("in_release", verdict="different")
        for a, b in decisions.select("a", "b").iter_rows():
            assert a not in where or where[a] != where.get(b)

    def table(self, name: str, release: int | None = None) -> pl.DataFrame:
        """Return a table of a release (the current one by default), internal ones too; empty where there is none."""
        current = ledger_releases.current_release(self.installation.engine)
        if release is not None:
            current = reading.find_release(self.installation, release)
        tables = current["tables"] if current else {}
        key = (name, current["release"] if current else 0)
        if key not in self.read_since_night:
            found = kind_tables(self.installation.settings.lake, KIND).live(name, tables).collect()
            self.read_since_night[key] = found.sort([column for column in SORT_COLUMNS if column in found.columns])
        return self.read_since_night[key]

    def ids(self) -> dict[frozenset[str], str]:
        """Return the id of each item of the current release, by its reports."""
        sources = self.table("incident_sources")
        return {frozenset(r): i for i, r in sources.group_by("item_id").agg(pl.col("report_id").unique()).iter_rows()}

    def together(self) -> set[frozenset[str]]:
        """Return which reports are together in the current release."""
        return set(self.ids())

    def reports(self) -> pl.DataFrame:
        """Return the reports that stand in the current release: the values of each, sorted by report_id."""
        return self.table("incident_sources").sort("report_id")

    def known_reports(self) -> list[str]:
        """Return the ids of all reports that were ever delivered."""
        rows = kind_tables(self.installation.settings.lake, KIND).scan("incident_records")
        return rows.select(pl.col("report_id").unique().sort()).collect()["report_id"].to_list()


def assert_balanced(installation: Installation, release: int) -> None:
    """See that every delivered row is in one bucket, submission by submission.

    A night to which only rewrapped files came publishes nothing: the next release that does counts their rows.
    """
    rows = ledger_releases.read_row_counts(installation.engine, release)
    assert not rows.select("submission_id", "bucket").is_duplicated().any()
    assert (rows["rows"] >= 0).all()
    summed = rows.group_by("submission_id").agg(pl.col("rows").sum())
    counts = mark_counting(ledger_submissions.read_submissions(installation.engine)).join(
        summed, on="submission_id", how="left"
    )
    counts = counts.filter(pl.col("counts") | pl.col("rows").is_not_null(), pl.col("delivered") > 0)
    assert counts["rows"].to_list() == counts["delivered"].to_list()


Rebuilt = tuple[Home, nights.Night]
"""A home that was made from scratch, and its only night."""


def new_home() -> AbstractContextManager[Home]:
    """Give an empty home; it is gone after the block."""
    return lived(Path(_template().name) / "home", Home)


@contextmanager
def made_from_scratch(home: Home, sent: Collection[Sent], *, other: bool = False) -> Iterator[Rebuilt]:
    """Give a home to which all came at once that lives in another, and its only night.

    It has the same deliveries, decisions and model.
    """
    with new_home() as fresh:
        live = (
            mark_counting(ledger_submissions.read_submissions(home.installation.engine))
            .filter(status="live")["submission_id"]
            .to_list()
        )
        receipts = zip(sent, fresh.deliver(sent), strict=True)
        for withdrawn in {r.submission_id for _, r in receipts if r.status != "rejected"} - set(live):
            fresh.withdraw(withdrawn)
        made = ledger_decisions.read_decisions(home.installation.engine, active=True)
        ledger_decisions.add_decisions(fresh.installation.engine, made.select(ledger_decisions.DECISION_CONTENT))
        if other:
            fresh.pin(other=True)
        yield fresh, fresh.night()
