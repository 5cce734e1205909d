"""Raw text to records and rejects: every row ends in a record, as a reject with its reason, or ignored by the contract.

One call takes a batch: the raw frames of many submissions under one contract, each with its `submission_id`. The rows
of one report are its parts; their order in the file does not change the record.
"""

from dataclasses import dataclass, field
from typing import Final

import polars as pl

from schemas.claims import REJECT, empty, frame_schema
from schemas.contract import Contract, RecordSpec
from schemas.errors import ContractError
from schemas.kind import FieldSpec, Kind
from schemas.record_tables import SINGLE_PARTITION, record_columns
from transforms import identity
from transforms.normalisation.authority import authority_problems
from transforms.normalisation.personal import person_number_problems, searched_columns
from transforms.normalisation.problems import Findings, Problem, find_rejects
from transforms.normalisation.record_cells import read_record_cells
from transforms.normalisation.repeated_reports import (
    handle_repeated_reports,
    reject_large_sums,
    summed_fields,
    withhold_short_sums,
)
from transforms.normalisation.row_counts import count_rows, sunk_files
from transforms.normalisation.texts.ignored_rows import IGNORED, count_ignored
from transforms.normalisation.texts.take_text import mapped_text
from transforms.numbers import decimal_text

DELIVERY: Final = ("submission_id", "report_id", "version", "action")
"""Rows of a file that are equal in these columns are parts of one delivery of one report."""
JSON_ESCAPES: Final = {"\\": "\\\\", '"': '\\"'} | {chr(i): f"\\u{i:04x}" for i in range(32)}
"""Characters that a JSON text cannot contain, and how JSON writes them."""


@dataclass(frozen=True)
class NormalisedRecords:
    """The records, rejects and counts of a batch.

    kind: of the records. records: the columns of `schemas.record_tables.record`. rejects: those of `REJECT`, warnings
    included. counts: one row per submission: submission_id, rows, claimed, rejected, ignored (rows), claims (records),
    warnings (Int64), and the lanes of its content digest (UInt64); rows = claimed + rejected + ignored, always.
    """

    kind: str
    records: pl.DataFrame
    rejects: pl.DataFrame
    counts: pl.DataFrame
    ignored: pl.DataFrame = field(default_factory=IGNORED.to_frame)
    """How many rows are ignored, by reason (`IGNORED`); empty where the counts are."""


def read_records(batch: pl.DataFrame, contract: Contract, kind: Kind) -> NormalisedRecords:
    """Turn a batch of raw rows into records, rejects and counts.

    The batch has `row` Int32 and, all String, the contract's columns, `submission_id`, `sender` and `option_period`
    (may be null). Raises `ContractError` if the contract makes no records of this kind.
    """
    spec = contract.record
    if spec is None or spec.kind != kind.kind:
        raise ContractError(f"contract {contract.contract!r} makes no records of kind {kind.kind!r}")
    cells, problems = read_record_cells(batch, contract, spec, kind)
    rule_problems = [Problem.of_rule(rule, contract) for rule in contract.rules if rule.check != "change"]
    problems += [*rule_problems, *authority_problems(contract, cells.columns)]
    rows = cells.filter(~pl.col("_ignored"))
    problems += person_number_problems(rows, searched_columns(contract, kind))
    findings = find_rejects(rows, problems)
    sunk = sunk_files(findings.rejects, rule_problems)
    lost = rows.join(findings.rejected, on=["submission_id", "row"], how="semi")
    accepted = rows.join(findings.rejected, on=["submission_id", "row"], how="anti")
    parts = _parts(accepted.join(sunk, on="submission_id", how="anti"), contract, spec, kind)
    parts, short = _with_whole_sums(parts, lost, contract, spec, kind)
    parts, repeated = handle_repeated_reports(parts, DELIVERY, contract, kind)
    parts, large = reject_large_sums(parts, DELIVERY, contract, kind)
    for more in (short, repeated, large):
        findings = findings.plus(Findings.of(more))
    reports = _join_parts(parts, kind)
    records = reports.select(frame_schema(record_columns(kind)).names())
    counts = count_rows(cells, _content(reports), findings, sunk)
    return NormalisedRecords(kind.kind, records, findings.rejects, counts, count_ignored(cells, contract))


def _parts(cells: pl.DataFrame, contract: Contract, record_spec: RecordSpec, kind: Kind) -> pl.DataFrame:
    """Return one row per delivered row: the columns of a record, `_part` (its fields as text) and `_row_key`."""
    missing = pl.lit(None)
    fields = [
        (pl.col(f"_field_{name}") if name in record_spec.fields else missing).cast(spec.dtype()).alias(name)
        for name, spec in kind.fields.items()
    ]
    key = pl.concat_str([json_text(pl.col(c)) for c in record_spec.report_key], separator=",")
    rows = cells.lazy().select(
        "submission_id", "sender", "row",
        pl.lit(contract.contract).alias("contract"),
        pl.lit(contract.obligation).alias("obligation"),
        mapped_text(record_spec.reported_by).alias("reported_by"),
        pl.concat_str(pl.lit("["), key, pl.lit("]")).alias("report_key"),
        (pl.col(record_spec.row_key) if record_spec.row_key else missing.cast(pl.String)).alias("_row_key"),
        pl.col("_version").alias("version"),
        pl.col("_reported_at").alias("reported_at"),
        pl.col("_action").alias("action"),
        (mapped_text(record_spec.confidential) == "true" if record_spec.confidential else pl.lit(False))
        .alias("confidential"),
        *fields,
        pl.lit(record_spec.precedence, dtype=pl.Int16).alias("precedence"),
        pl.lit(SINGLE_PARTITION).alias("partition"),
    )  # fmt: skip
    default = pl.lit(
        contract.sender.default or ""
    )  # reports of the default sender have ids without it, as they always had
    shared = pl.lit(record_spec.report_key_of == "reporter") | (pl.col("sender") == default)
    sender = pl.when(~shared).then("sender")
    return rows.with_columns(identity.report_id(sender=sender), _part(kind).alias("_part")).collect()


def _part(kind: Kind) -> pl.Expr:
    """Return a row's fields as one text: in the kind's order, null distinct from the empty text."""
    marked = [pl.concat_str(pl.lit("="), _as_text(name, spec)).fill_null("") for name, spec in kind.fields.items()]
    return pl.concat_str(marked, separator=identity.SEPARATOR)


def _as_text(name: str, spec: FieldSpec) -> pl.Expr:
    if spec.type == "list":
        return pl.concat_str(pl.lit("["), pl.col(name).list.eval(json_text(pl.element())).list.join(","), pl.lit("]"))
    return decimal_text(pl.col(name)) if spec.type == "number" else pl.col(name).cast(pl.String)


def _with_whole_sums(
    parts: pl.DataFrame, lost: pl.DataFrame, contract: Contract, record_spec: RecordSpec, kind: Kind
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the parts without the sums that lack a rejected row, and the warnings. lost: the cells of such rows."""
    summed = summed_fields(contract, kind)
    if lost.is_empty() or not summed:
        return parts, empty(REJECT)
    texts = lost.select(f"_text_{name}" for name in summed)
    parts, short = withhold_short_sums(parts, _parts(lost, contract, record_spec, kind).hstack(texts), contract, kind)
    return parts.with_columns(_part(kind).alias("_part")), short


def json_text(text: pl.Expr) -> pl.Expr:
    """Return texts as JSON strings; null for null."""
    return pl.concat_str(
        pl.lit('"'), text.str.replace_many(list(JSON_ESCAPES), list(JSON_ESCAPES.values())), pl.lit('"')
    )


def _join_parts(rows: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return one row per delivery of a report: the columns of a record, and `_keys` (the row keys of its parts)."""
    several = rows.select(pl.struct(DELIVERY).is_duplicated()).to_series()
    keyed = pl.col("_row_key").is_not_null()
    single = rows.filter(~several).with_columns(
        pl.concat_list("row").alias("rows"),
        pl.when(keyed).then(pl.concat_list("_row_key")).alias("row_keys"),
        pl.lit(None, dtype=pl.String).alias("part_values"),
        pl.col("_part").alias("_parts"),
        pl.col("_row_key").alias("_keys"),
    )
    frames = [single, _join_several(rows.filter(several), kind).select(single.columns)] if several.any() else [single]
    return pl.concat(frames).with_columns(_report_content(kind)).sort("submission_id", "row")


def _join_several(rows: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return one row per delivery of a report, for reports with several parts."""
    parted = rows.with_columns(_part_values(kind)).sort(*DELIVERY, "_part", "row")
    shared = [c for c in parted.columns if c not in (*DELIVERY, *kind.fields, "row", "confidential", "reported_at")]
    keyed = pl.col("_row_key").is_not_null().any()
    reports = parted.group_by(DELIVERY, maintain_order=True).agg(
        pl.col("row").sort().alias("rows"),
        pl.when(keyed).then(pl.col("_row_key").sort_by("row").implode()).alias("row_keys"),
        pl.col("confidential").any(),
        pl.col("reported_at").min(),
        pl.col("_part").str.join(identity.SEPARATOR * 2).alias("_parts"),
        pl.col("_row_key").sort().str.join(identity.SEPARATOR).alias("_keys"),
        pl.col("_values").sort_by("row").str.join(",", ignore_nulls=True).alias("part_values"),
        *(pl.col(c).first() for c in shared if c != "_values"),
        *(_field_of_parts(name, spec).alias(name) for name, spec in kind.fields.items()),
    )
    return reports.with_columns(
        pl.col("rows").list.first().alias("row"),
        pl.when(pl.col("part_values") != "").then(pl.format("[{}]", "part_values")).alias("part_values"),
    )


def _field_of_parts(name: str, spec: FieldSpec) -> pl.Expr:
    """Return the field's value of a report with several parts; null where every part is empty."""
    value = pl.col(name)
    match spec.parts:
        case "sum":
            return pl.when(value.is_not_null().any()).then(value.sum().cast(spec.dtype()))
        case "greatest":
            return value.max()
        case "least":
            return value.min()
        case "all":
            elements = value.drop_nulls().list.explode().unique().sort()
            return pl.when(value.is_not_null().any()).then(elements.implode())
        case _:
            return value.drop_nulls().first()


def _part_values(kind: Kind) -> pl.Expr:
    """Return `_values`: the fields in which the parts of a report differ, as a JSON object; null for none."""
    pieces = []
    for name, spec in kind.fields.items():
        text = _as_text(name, spec)
        literal = (text if spec.type == "list" else json_text(text)).fill_null("null")
        differs = text.n_unique().over(DELIVERY) > 1
        pieces.append(pl.when(differs).then(pl.concat_str(pl.lit(f'"{name}":'), literal)))
    joined = pl.concat_str(pieces, separator=",", ignore_nulls=True)
    return pl.when(joined != "").then(pl.concat_str(pl.lit("{"), joined, pl.lit("}"))).alias("_values")


def _report_content(kind: Kind) -> pl.Expr:
    """Return `content`: the hash of the report's content, whatever the order and position of its parts."""
    shared = [pl.col(c).cast(pl.String).fill_null("") for c in ("version", "reported_at", "action", "confidential")]
    return identity.record_digest(pl.concat_str(pl.lit(kind.kind), *shared, "_parts", separator=identity.SEPARATOR))


def _content(records: pl.DataFrame) -> pl.DataFrame:
    """Return one row per submission: submission_id, claimed, claims, and the sums of the lanes of their content."""
    lanes = identity.lanes(pl.col("report_id"), pl.col("content"), pl.col("_keys"))
    rows = records.select("submission_id", pl.col("rows").list.len().alias("claimed"), *lanes)
    return rows.group_by("submission_id").agg(
        pl.col("claimed").sum(), pl.len().alias("claims"), pl.col(identity.LANES).sum()
    )
