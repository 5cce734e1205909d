"""Raw text to records and rejects: every row ends in a record, as a reject with its reason, or ignored by name.

One call takes a batch: the raw frames of many submissions under one contract, told apart by `submission_id`. The rows
of one report are its parts; what a report says of them does not depend on their order in the file.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.claims import VALUE, VALUE_DIGITS, frame_schema
from schemas.contract import Contract, RecordSpec
from schemas.errors import ContractError
from schemas.kind import FieldSpec, Kind
from schemas.record_tables import ALL, record
from transforms import identity as identify
from transforms.normalisation.cells import take
from transforms.normalisation.problems import Problem, rejects_of
from transforms.normalisation.record_cells import read_record_cells
from transforms.normalisation.row_counts import row_counts, sunk_files

DELIVERY: Final = ("submission_id", "report_id", "version", "action")
"""What makes rows of a file parts of one delivery of one report."""
ESCAPES: Final = {"\\": "\\\\", '"': '\\"'} | {chr(i): f"\\u{i:04x}" for i in range(32)}
"""What JSON does not take in a text, and how it is written there."""


@dataclass(frozen=True)
class NormalisedRecords:
    """What a batch became.

    kind: of the records. records: the columns of `schemas.record_tables.record`. rejects: those of `REJECT`, warnings
    included. counts: one row a submission: submission_id, rows, claimed, rejected, ignored (rows), claims (records),
    warnings (Int64), and the lanes of its content digest (UInt64); rows = claimed + rejected + ignored, always.
    """

    kind: str
    records: pl.DataFrame
    rejects: pl.DataFrame
    counts: pl.DataFrame


def read_records(batch: pl.DataFrame, contract: Contract, kind: Kind) -> NormalisedRecords:
    """Turn a batch of raw rows into records, rejects and counts.

    The batch has `row` Int32 and, all String, the contract's columns, `submission_id`, `sender` and `option_period`
    (may be null). Raises `ContractError` if the contract makes no records of this kind.
    """
    told = contract.record
    if told is None or told.kind != kind.kind:
        raise ContractError(f"contract {contract.contract!r} makes no records of kind {kind.kind!r}")
    cells, problems = read_record_cells(batch, contract, told, kind)
    ruled = [Problem.of_rule(rule, contract) for rule in contract.rules if rule.check != "change"]
    rejects, rejected = rejects_of(cells.filter(~pl.col("_ignored")), [*problems, *ruled])
    sunk = sunk_files(rejects, ruled)
    kept = cells.filter(~pl.col("_ignored")).join(rejected, on=["submission_id", "row"], how="anti")
    whole = _put_together(_rows(kept.join(sunk, on="submission_id", how="anti"), contract, told, kind), kind)
    records = whole.select(frame_schema(record(kind)).names())
    return NormalisedRecords(kind.kind, records, rejects, row_counts(cells, _content(whole), rejects, sunk))


def _rows(cells: pl.DataFrame, contract: Contract, told: RecordSpec, kind: Kind) -> pl.DataFrame:
    """Return one row a delivered row: the columns of a record, `_part` (what it says, as text) and `_row_key`."""
    missing = pl.lit(None)
    fields = [
        (pl.col(f"_field_{name}") if name in told.fields else missing).cast(spec.dtype()).alias(name)
        for name, spec in kind.fields.items()
    ]
    key = pl.concat_str([json_text(pl.col(c).str.normalize("NFC")) for c in told.report_key], separator=",")
    rows = cells.lazy().select(
        "submission_id", "sender", "row",
        pl.lit(contract.contract).alias("contract"),
        pl.lit(contract.obligation).alias("obligation"),
        take(told.reported_by).str.normalize("NFC").alias("reported_by"),
        pl.concat_str(pl.lit("["), key, pl.lit("]")).alias("report_key"),
        (pl.col(told.row_key) if told.row_key else missing.cast(pl.String)).alias("_row_key"),
        pl.col("_version").alias("version"),
        pl.col("_reported_at").alias("reported_at"),
        pl.col("_action").alias("action"),
        (take(told.confidential) == "true" if told.confidential else pl.lit(False)).alias("confidential"),
        *fields,
        pl.lit(told.precedence, dtype=pl.Int16).alias("precedence"),
        pl.lit(ALL).alias("partition"),
    )  # fmt: skip
    return rows.with_columns(identify.report_id(), _part(kind).alias("_part")).collect()


def _part(kind: Kind) -> pl.Expr:
    """Return what a row says of the kind's fields as one text: fields in order, null apart from the empty text."""
    marked = [pl.concat_str(pl.lit("="), _as_text(name, spec)).fill_null("") for name, spec in kind.fields.items()]
    return pl.concat_str(marked, separator=identify.SEPARATOR)


def _as_text(name: str, spec: FieldSpec) -> pl.Expr:
    if spec.type == "list":
        return pl.concat_str(pl.lit("["), pl.col(name).list.eval(json_text(pl.element())).list.join(","), pl.lit("]"))
    text = pl.col(name).cast(pl.String)
    return text.str.strip_chars_end("0").str.strip_chars_end(".") if spec.type == "number" else text


def json_text(text: pl.Expr) -> pl.Expr:
    """Return texts as JSON strings; null for null."""
    return pl.concat_str(pl.lit('"'), text.str.replace_many(list(ESCAPES), list(ESCAPES.values())), pl.lit('"'))


def _put_together(rows: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return one row a delivery of a report: the columns of a record, and `_keys` (what its rows are called)."""
    several = rows.select(pl.struct(DELIVERY).is_duplicated()).to_series()
    keyed = pl.col("_row_key").is_not_null()
    single = rows.filter(~several).with_columns(
        pl.concat_list("row").alias("rows"),
        pl.when(keyed).then(pl.concat_list("_row_key")).alias("row_keys"),
        pl.lit(None, dtype=pl.String).alias("part_values"),
        pl.col("_part").alias("_parts"),
        pl.col("_row_key").alias("_keys"),
    )
    frames = [single, _of_several(rows.filter(several), kind).select(single.columns)] if several.any() else [single]
    return pl.concat(frames).with_columns(_said(kind)).sort("submission_id", "row")


def _of_several(rows: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return one row a delivery of reports that have several parts."""
    parted = rows.with_columns(_part_values(kind)).sort(*DELIVERY, "_part", "row")
    shared = [c for c in parted.columns if c not in (*DELIVERY, *kind.fields, "row", "confidential", "reported_at")]
    keyed = pl.col("_row_key").is_not_null().any()
    told = parted.group_by(DELIVERY, maintain_order=True).agg(
        pl.col("row").sort().alias("rows"),
        pl.when(keyed).then(pl.col("_row_key").sort_by("row").implode()).alias("row_keys"),
        pl.col("confidential").any(),
        pl.col("reported_at").min(),
        pl.col("_part").str.join(identify.SEPARATOR * 2).alias("_parts"),
        pl.col("_row_key").sort().str.join(identify.SEPARATOR).alias("_keys"),
        pl.col("_values").sort_by("row").str.join(",", ignore_nulls=True).alias("part_values"),
        *(pl.col(c).first() for c in shared if c != "_values"),
        *(_of_parts(name, spec).alias(name) for name, spec in kind.fields.items()),
    )
    return told.with_columns(
        pl.col("rows").list.first().alias("row"),
        pl.when(pl.col("part_values") != "").then(pl.format("[{}]", "part_values")).alias("part_values"),
    )


def _of_parts(name: str, spec: FieldSpec) -> pl.Expr:
    """Return what a report of several parts says of a field; null where no part says anything."""
    value = pl.col(name)
    match spec.parts:
        case "sum":
            return _summed(value, spec)
        case "greatest":
            return value.max()
        case "least":
            return value.min()
        case "all":
            elements = value.drop_nulls().list.explode().unique().sort()
            return pl.when(value.is_not_null().any()).then(elements.implode())
        case _:
            return value.drop_nulls().first()


def _summed(value: pl.Expr, spec: FieldSpec) -> pl.Expr:
    """Return the sum of the parts; null where it has more digits than a value may have."""
    limit = 10.0**VALUE_DIGITS if spec.type == "number" else 2.0**63
    fits = value.cast(pl.Float64).abs().sum() < limit  # an exact sum would wrap around in silence
    dtype = VALUE if spec.type == "number" else pl.Int64
    return pl.when(fits & value.is_not_null().any()).then(value.sum().cast(dtype))


def _part_values(kind: Kind) -> pl.Expr:
    """Return `_values`: a part's fields on which the parts of its report differ, as a JSON object; null for none."""
    pieces = []
    for name, spec in kind.fields.items():
        text = _as_text(name, spec)
        told = (text if spec.type == "list" else json_text(text)).fill_null("null")
        differs = text.n_unique().over(DELIVERY) > 1
        pieces.append(pl.when(differs).then(pl.concat_str(pl.lit(f'"{name}":'), told)))
    joined = pl.concat_str(pieces, separator=",", ignore_nulls=True)
    return pl.when(joined != "").then(pl.concat_str(pl.lit("{"), joined, pl.lit("}"))).alias("_values")


def _said(kind: Kind) -> pl.Expr:
    """Return `content`: the hash of what the report says, whatever the order of its parts and wherever it stands."""
    told = [pl.col(c).cast(pl.String).fill_null("") for c in ("version", "reported_at", "action", "confidential")]
    return identify.record_content(pl.concat_str(pl.lit(kind.kind), *told, "_parts", separator=identify.SEPARATOR))


def _content(records: pl.DataFrame) -> pl.DataFrame:
    """Return what became of each submission's rows: claimed, claims, and the sums of the lanes of what they say."""
    lanes = identify.lanes(pl.col("report_id"), pl.col("content"), pl.col("_keys"))
    told = records.select("submission_id", pl.col("rows").list.len().alias("claimed"), *lanes)
    return told.group_by("submission_id").agg(
        pl.col("claimed").sum(), pl.len().alias("claims"), pl.col(identify.LANES).sum()
    )
