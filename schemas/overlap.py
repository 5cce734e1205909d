"""The tables of overlap: which obligations ask for the same items, what reports cost, suspected double reporting."""

from typing import Final

import polars as pl

from schemas.claims import IDENTITY, VALUE, Column

SUSPECTED_KINDS: Final = ("same", "near", "sum", "constant")
SUSPECTED_VERDICTS: Final = ("same", "derivable", "different", "later")
"""What a person may decide of suspected double reporting."""
MONTH: Final = Column("partition", pl.String, "Month of period_start, YYYY-MM")
SHARE_SCALE: Final = 15
"""Decimal places of a sum of shares: exact enough for the hours of any number of reports."""
OVERLAP: Final = (
    Column("obligation_a", pl.String, "One obligation"),
    Column("obligation_b", pl.String, "The other, later in the alphabet"),
    Column("concept", pl.String, "What is measured"),
    Column("period_start", pl.Date, "First day of the period"),
    Column("items", pl.Int64, "Items that both have a standing claim of"),
    Column("agreeing", pl.Int64, "Those of which all claims of both have one value"),
    Column("consistent", pl.Int64, "Those whose values differ within their accuracy"),
    Column("conflicting", pl.Int64, "Those whose values contradict each other"),
    Column("expected", pl.Int64, "Items that one or both have of the units and periods that both have reports of"),
    MONTH,
)
OVERLAP_REPORTERS: Final = (
    Column("reporter_a", pl.String, "One reporter: whose statements"),
    Column("reporter_b", pl.String, "The other, later in the alphabet"),
    *OVERLAP[2:4],
    Column("items", pl.Int64, "Items that both state, under one obligation or several"),
    *OVERLAP[5:8],
    MONTH,
)
BURDEN: Final = (
    Column("obligation", pl.String, "The obligation"),
    Column("period_start", pl.Date, "First day of the period"),
    Column("unit_kind", pl.String, "Kind of reporting unit"),
    Column("reports", pl.Int64, "Reports: what one reporter states about one unit and period"),
    Column("figures", pl.Int64, "Figures in them"),
    Column("figures_elsewhere", pl.Int64, "Figures that another obligation has too"),
    Column("reports_elsewhere", pl.Decimal(38, SHARE_SCALE), "The part of the reports that these figures are, each "
           "report divided equally among its figures"),
    Column("elsewhere", pl.List(pl.String), "The obligations that have items of the period too, sorted"),
    Column("hours_low", pl.Float64, "Hours the reports cost, at least; null if nobody knows", nullable=True),
    Column("hours_high", pl.Float64, "Hours the reports cost, at most", nullable=True),
    Column("hours_elsewhere_low", pl.Float64, "The part of them on figures that another obligation has", nullable=True),
    Column("hours_elsewhere_high", pl.Float64, "The same, at most", nullable=True),
    Column("hours_basis", pl.String, "How the hours are known; of several contracts all, sorted", nullable=True),
    MONTH,
)  # fmt: skip
COVERAGE: Final = (
    Column("obligations", pl.List(pl.String), "All obligations that have a standing claim of these items, sorted"),
    Column("most_accurate", pl.List(pl.String), "Those of them that have the items most accurately, sorted"),
    Column("concept", pl.String, "What is measured"),
    Column("period_start", pl.Date, "First day of the period"),
    Column("items", pl.Int64, "How many items exactly these have, and have so accurately"),
    MONTH,
)
SCOPES: Final = ("all", "agency", "sender", "unit")
SCOPE: Final = (
    Column("scope", pl.String, "Whose reports are counted: all, or those of one agency, sender or unit", values=SCOPES),
    Column("name", pl.String, "The agency, the sender or the unit_id; `all`"),
)
_SCOPE_COUNTS: Final = (
    Column("items", pl.Int64, "Different items in these reports"),
    Column("figures", pl.Int64, "The same, counted once under each of the obligations that have it from them"),
    Column("figures_elsewhere", pl.Int64, "Figures of which another obligation has the item too, from anyone"),
)
_SINGLE: Final = Column("partition", pl.String, "Always `all`")
REDUNDANCY: Final = (
    *SCOPE,
    *_SCOPE_COUNTS,
    Column("reports", pl.Int64, "Reports: what one reporter states about one unit and period under an obligation"),
    Column("reports_unknown", pl.Int64, "Those of obligations of which nobody knows the hours; they are in no hours"),
    Column("hours_low", pl.Float64, "Hours the reports cost, at least; null if nobody knows", nullable=True),
    Column("hours_high", pl.Float64, "Hours the reports cost, at most", nullable=True),
    Column("hours_elsewhere_low", pl.Float64, "The part of them on figures that another obligation has", nullable=True),
    Column("hours_elsewhere_high", pl.Float64, "The same, at most", nullable=True),
    Column("redundancy", pl.Float64, "1 - items / figures: the share that is superfluous; null without figures",
           nullable=True),
    Column("release", pl.Int32, "The release that these counts are of, and all later ones up to the next row"),
    _SINGLE,
)  # fmt: skip
REPORT_KEY: Final = (
    "obligation", "reported_by", "sender", "unit_id", "unit_kind", "concept", "period_start", "period_end", "partition",
)  # fmt: skip
REPORT_COUNTS: Final = (
    Column("obligation", pl.String, "The obligation"),
    Column("reported_by", pl.String, "Whose statements"),
    Column("sender", pl.String, "Who delivered them"),
    Column("unit_id", pl.String, "The reporting unit"),
    Column("unit_kind", pl.String, "Its kind"),
    Column("concept", pl.String, "What is measured"),
    Column("period_start", pl.Date, "First day of the period"),
    Column("period_end", pl.Date, "First day after the period"),
    Column("figures", pl.Int64, "How many figures more (or fewer) than the rows before have of it"),
    Column("figures_elsewhere", pl.Int64, "Of these, figures that another obligation has too"),
    Column("items", pl.Int64, "Of these, items that no earlier reporter of the obligation has: to count each once"),
    MONTH,
)
"""Internal table: what was counted of each report, as sums to be added up (`transforms.overlap.counts`)."""
SCOPE_COUNTS: Final = (*SCOPE, *_SCOPE_COUNTS, _SINGLE)
"""Internal table: what was counted of each scope, as sums to be added up."""
SCOPE_REPORTS: Final = (
    *SCOPE,
    Column("obligation", pl.String, "The obligation"),
    Column("reports", pl.Int64, "How many reports more (or fewer) than the rows before the scope has of it"),
    Column("reports_elsewhere", pl.Decimal(38, SHARE_SCALE), "The part of them on figures that others have too"),
    _SINGLE,
)
"""Internal table: the reports of each scope by obligation, as sums to be added up."""
SUSPECTED: Final = (
    Column("kind", pl.String, "What the evidence is for", values=SUSPECTED_KINDS),
    Column("series_a", pl.String, "Id of the first series, or of the total"),
    Column("series_b", pl.String, "Id of the second series, or of the parts of a sum; of the first for `constant`"),
    Column("obligation_a", pl.String, "Obligation of the first series, or of the total"),
    Column("concept_a", pl.String, "Its concept"),
    Column("breakdown_a", pl.String, "Its breakdown"),
    Column("reporter_a", pl.String, "Whose statements it holds; empty for what units state about themselves"),
    Column("obligation_b", pl.String, "Obligation of the second series", nullable=True),
    Column("concept_b", pl.String, "Its concept", nullable=True),
    Column("breakdown_b", pl.String, "Its breakdown", nullable=True),
    Column("reporter_b", pl.String, "Whose statements it holds", nullable=True),
    Column("parts", pl.String, "The series of a sum, as a JSON list", nullable=True),
    Column("common", pl.Int64, "Units and periods that were compared"),
    Column("agreeing", pl.Int64, "Those that agree: equal, for `near` within one percent, for `constant` unchanged"),
    Column("share", pl.Float64, "Their share"),
    Column("chance", pl.Float64, "The share that chance gives"),
    Column("z", pl.Float64, "How far the share is above chance, in standard deviations"),
    Column("bits", pl.Float64, "The evidence in bits"),
    Column("scale", pl.Float64, "What the second series is multiplied by to be the first"),
    Column("shift", pl.Int8, "The periods by which the second series is moved to be the first"),
    Column("verdict", pl.String, "What a person decided last", values=SUSPECTED_VERDICTS, nullable=True),
    _SINGLE,
)
DERIVABLE_RELATIONS: Final = ("unreported", "equal", "consistent", "conflict", "withheld")
"""How a sum relates to the item as it is reported."""
DERIVABLE: Final = (
    Column("item_id", pl.String, "The item that is the sum, with the id that it has if somebody reports it"),
    Column("rule", pl.String, "The roll-up: `units:municipality`, `periods:month`, `over:sex`, `sum_of:a+b`"),
    *IDENTITY,
    Column("value", VALUE, "The exact sum of its parts"),
    Column("decimals", pl.Int16, "The least accuracy of them; null is exact", nullable=True),
    Column("parts", pl.UInt32, "How many items it is the sum of"),
    Column("reported", VALUE, "The published value of the item; null if nobody reports it, or withheld", nullable=True),
    Column("relation", pl.String, "How the two agree", values=DERIVABLE_RELATIONS),
)
DERIVABLE_FROM: Final = (
    Column("item_id", pl.String, "A row's item of `derivable`"),
    Column("rule", pl.String, "Its roll-up"),
    Column("part_id", pl.String, "An item of `observations` that is a part of it"),
)
MEASURED_TABLES: Final = {
    "overlap": OVERLAP, "overlap_reporters": OVERLAP_REPORTERS, "burden": BURDEN, "redundancy": REDUNDANCY,
    "coverage": COVERAGE, "suspected": SUSPECTED,
}  # fmt: skip
"""The tables of overlap that each release publishes, by name."""
OVERLAP_COUNTS: Final = {
    "report_counts": REPORT_COUNTS, "scope_counts": SCOPE_COUNTS, "scope_reports": SCOPE_REPORTS
}  # fmt: skip
"""The internal tables that they are made of."""
OVERLAP_TABLES: Final = {
    **MEASURED_TABLES, "derivable": DERIVABLE, "derivable_from": DERIVABLE_FROM
}  # fmt: skip
"""The tables of overlap, by name."""
