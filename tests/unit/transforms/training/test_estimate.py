"""A model that is estimated from reports alone."""

import datetime as dt
import random
from typing import Any

import polars as pl

from schemas.kind import Kind, read_kind
from tests.support.incident_deliveries import KIND, model
from tests.support.mishap_frames import deliveries
from transforms.linkage.blocking import prepare_comparison
from transforms.linkage.comparisons import compares_as_declared
from transforms.linkage.model import round_floats
from transforms.linkage.scoring import score_pairs
from transforms.training.data import MIN_WORD_COUNT, training_data_digest
from transforms.training.estimate import estimate_model

Row = dict[str, Any]


def prepared(*rows: Row, kind: Kind = KIND) -> pl.DataFrame:
    """Return reports r0, r1, ... ready to be scored; by default of one place, one day and one speed."""
    usual = {"place": "Vik", "day": dt.date(2024, 1, 1), "speed": 10}
    return prepare_comparison(deliveries([{**usual, **row} for row in rows], kind), kind, model())


def test_the_digest_of_the_training_data_knows_reports_and_blocks_and_no_order() -> None:
    reports = prepared({}, {"place": "Ås"}, {})
    assert training_data_digest(reports) == training_data_digest(reports.reverse())
    others = [reports.head(2), prepared({}, {"place": "Os"}, {}), prepared({}, {"place": "Ås"}, {"report_id": "r9"})]
    assert len({training_data_digest(each) for each in (reports, *others)}) == 4
    assert len(training_data_digest(reports)) == 32


TRAINED = read_kind(
    """
    kind: mishap
    version: 1
    title: {en: Mishap, nb: Uhell, nn: Uhell}
    one_report_per_item: true
    fields:
      place: {type: text, role: comparison, doc: Where, compare: {by: exact}, term_frequency: true}
      speed: {type: integer, role: comparison, doc: How fast, compare: {by: difference, levels: [1]}}
      story: {type: text, role: comparison, doc: What, compare: {by: words, levels: [4]}}
      day: {type: date, role: attribute, doc: When}
    blocking: [[day]]
    """
)


def incidents(count: int) -> pl.DataFrame:
    """Return reports of so many incidents by two reporters each, three or four incidents a day."""
    chance, rows = random.Random(1), []
    for n in range(count):
        truth = {"day": dt.date(2024, 1, 1 + n % 20), "place": f"p{chance.choice((0, 0, 0, 1, 2, 3, n))}"}
        words = " ".join(chance.sample(("mill", "bridge", "harbour", "road", "field", "quay"), 2))
        truth |= {"speed": chance.randint(0, 90), "story": f"{words} w{n}"}
        rows += [{**truth, "report_id": f"{by}{n}", "reported_by": by} for by in "ab"]
    return deliveries(rows, TRAINED)


def test_a_model_is_estimated_from_reports_alone_and_tells_two_of_one_incident_from_others() -> None:
    reports = incidents(70)
    found = estimate_model(reports, TRAINED).model
    assert estimate_model(reports.reverse(), TRAINED).model.digest == found.digest
    assert compares_as_declared(found, TRAINED)
    assert (found.kind, found.match_digest, found.seen["reports"]) == ("mishap", TRAINED.match_digest(), 140)
    shares = found.frequencies["place"]
    assert max(shares.shares, key=shares.shares.__getitem__) == "p0"
    assert shares.rarest == round_floats(1 / 140)
    assert min(shares.shares.values()) >= 2 / 140 - 1e-9
    words = found.words["story"]
    assert "mill" in words.bits
    assert "w1" not in words.bits, "fewer reports than are listed have it"
    assert all(2**-bits * 140 >= MIN_WORD_COUNT - 1 for bits in words.bits.values())
    assert words.rarest > max(words.bits.values())
    for comparison in found.settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            if not level.get("is_null_level"):
                assert min(level["m_probability"], level["u_probability"]) >= shares.rarest
    pairs = score_pairs(prepare_comparison(reports, TRAINED, found), TRAINED, found, floor=found.best)
    same = pairs.filter(pl.col("a").str.slice(1) == pl.col("b").str.slice(1))
    assert same.height >= 65
    assert pairs.height - same.height <= 5
