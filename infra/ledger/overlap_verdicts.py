"""The ledger's verdicts on suspected double reporting. Append-only: a later verdict on the same series replaces one."""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import read_frame, utc_now, write_transaction


def add_overlap_verdict(engine: Engine, suspected: Mapping[str, Any], verdict: str, *, who: str, why: str) -> int:
    """Store a verdict on a row of table `suspected`; return its id."""
    row = {
        "series_a": suspected["series_a"],
        "series_b": suspected["series_b"],
        "verdict": verdict,
        "who": who,
        "why": why,
        "at": utc_now(),
        "evidence": json.dumps(dict(suspected), ensure_ascii=False, sort_keys=True),
    }
    with write_transaction(engine) as connection:
        insert = sa.insert(t.overlap_verdicts).values(row).returning(t.overlap_verdicts.c.id)
        return int(connection.execute(insert).scalar_one())


def read_overlap_verdicts(engine: Engine) -> pl.DataFrame:
    """Return every verdict, oldest first: id, series_a, series_b, verdict, who, why, at, evidence (JSON)."""
    return read_frame(engine, sa.select(t.overlap_verdicts).order_by(t.overlap_verdicts.c.id))
