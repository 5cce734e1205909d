"""The SQL that repeats each figure of a dossier on the release's tables, as `engang query` runs it."""

from collections.abc import Sequence
from typing import Final

_PARTS: Final = {
    "$half": "CASE WHEN decimals <= 9 THEN CAST(power(10, -decimals) / 2 AS DECIMAL(38, 10)) ELSE 0 END",
    "$tolerated": "* 10000)::DECIMAL(28, 0) * 0.0000000001, 0)",
    "$only": "CASE WHEN count(value) = count(*) AND count(DISTINCT value) = 1 THEN min(value) END AS value",
    "$interval": "max(value - half) AS lower, min(value + half) AS upper, min(half) AS half, min(received_at) AS first",
}
"""What the texts below name by a dollar sign: half an interval by its decimals and by the contract's tolerance
(in millionths), the only value of an item, where it may lie."""
_STATEMENTS: Final = """\
WITH lines AS (
  SELECT s.*, $half AS accuracy, received_at FROM sources s LEFT JOIN submissions USING (submission_id)
), statements AS (
  SELECT item_id, obligation, reported_by, value,
    greatest(accuracy, coalesce(floor(abs(value) * tolerance $tolerated) AS half, received_at
  FROM lines WHERE relation != 'additive'
  UNION ALL
  SELECT item_id, obligation, reported_by, CASE WHEN count(value) = count(*) THEN sum(value) END,
    greatest(sum(accuracy), coalesce(floor(abs(sum(value)) * max(tolerance) $tolerated), min(received_at)
  FROM lines WHERE relation = 'additive' GROUP BY item_id, obligation, reported_by, submission_id
), own AS (
  SELECT item_id, $only, $interval, count(DISTINCT reported_by) > 1 AND count(value) = count(*) AS checked
  FROM statements WHERE obligation = $obligation GROUP BY item_id
), others AS (
  SELECT item_id, $only, $interval, count(DISTINCT obligation) AS opinions
  FROM statements WHERE obligation NOT IN ($obligation$hidden) GROUP BY item_id
)"""
_SUMS: Final = """, sums AS (
  SELECT d.item_id, rule, sum(o.value) AS value, sum(o.half) AS half, max(o.first) AS first
  FROM derivable_from d JOIN own USING (item_id) LEFT JOIN others o ON o.item_id = d.part_id
  GROUP BY d.item_id, rule HAVING count(o.value) = count(*)
), chosen AS (
  SELECT item_id, min_by(value, rule) AS value, min_by(half, rule) AS half, min_by(first, rule) AS first
  FROM sums WHERE item_id NOT IN (SELECT item_id FROM others) GROUP BY item_id
), known AS (
  SELECT item_id, value, lower, upper, half, first, opinions FROM others
  UNION ALL SELECT item_id, value, value, value, half, first, 0 FROM chosen
)"""
_NO_SUMS: Final = """, known AS (
  SELECT * FROM others
)"""
_COMPARED: Final = """, compared AS (
  SELECT own.item_id, concept, breakdown, unit_id, unit_code, period_start,
    own.value AS own, known.value AS other, known.item_id IS NOT NULL AS covered,
    own.value = known.value OR abs(own.value - known.value) <= 0.01 * greatest(abs(own.value), abs(known.value))
      OR greatest(own.lower, known.lower) <= least(own.upper, known.upper) AS near,
    own.half < known.half AS finer, known.first - own.first >= INTERVAL 1 DAY AS sooner, opinions, checked
  FROM own JOIN observations USING (item_id) LEFT JOIN known ON known.item_id = own.item_id
)
"""
_BOTH: Final = "own IS NOT NULL AND other IS NOT NULL"
_COUNTS: Final = {
    "items": "count(*)",
    "covered": "count(*) FILTER (covered)",
    "compared": f"count(*) FILTER ({_BOTH})",
    "agreeing": "count(*) FILTER (own = other)",
    "tolerated": f"count(*) FILTER (near AND {_BOTH})",
    "more_accurate": f"count(*) FILTER (finer AND {_BOTH})",
    "earlier": "count(*) FILTER (sooner)",
    "second_opinions": "count(*) FILTER (opinions = 1)",
    "own_checks": "count(*) FILTER (checked)",
    "own_checks_agreeing": "count(*) FILTER (checked AND own IS NOT NULL)",
}
_UNITS: Final = f" FROM (SELECT unit_id, bool_and(own = other) AS equal FROM compared WHERE {_BOTH} GROUP BY unit_id)"  # noqa: S608  our own text
_DIFFERING: Final = "SELECT * EXCLUDE (near, finer, sooner, checked) FROM compared WHERE own != other ORDER BY item_id"
_HOURS: Final = "SELECT sum(hours_low), sum(hours_high) FROM burden WHERE obligation = $obligation"


def dossier_sql(obligation: str, hidden: Sequence[str] = (), *, sums: bool) -> dict[str, str]:
    """Return the SQL that repeats each figure of an obligation's dossier, by the figure's name.

    hidden: obligations that do not count, for they may not be shown. sums: whether items of the obligation are known as
    sums of others.
    """
    base = _STATEMENTS + (_SUMS if sums else _NO_SUMS) + _COMPARED
    counts = ", ".join(f"{count} AS {name}" for name, count in _COUNTS.items())
    selects = {name: f"SELECT {count} AS {name} FROM compared" for name, count in _COUNTS.items()} | {  # noqa: S608
        "units": "SELECT count(*) AS units" + _UNITS,
        "units_agreeing": "SELECT count(*) FILTER (equal) AS units_agreeing" + _UNITS,
        "columns": f"SELECT concept, breakdown, {counts} FROM compared GROUP BY ALL ORDER BY ALL",  # noqa: S608
        "differing_items": _DIFFERING,
    }
    texts = {**{name: base + select for name, select in selects.items()}, "hours": _HOURS}
    places = {**_PARTS, "$obligation": _quoted(obligation), "$hidden": "".join(f", {_quoted(name)}" for name in hidden)}
    for name, part in places.items():
        texts = {figure: text.replace(name, part) for figure, text in texts.items()}
    return texts


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
