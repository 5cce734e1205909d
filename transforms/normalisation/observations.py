"""Raw text to claims and rejects: every row ends as claims, as a reject with its reason, or ignored by the contract.

One call takes a batch: the raw frames of many submissions under one contract, each with its `submission_id`.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field

import polars as pl

from schemas.claims import CLAIM, frame_schema
from schemas.contract import ClaimSpec, Contract, Take
from schemas.contract_terms import conversions_of
from transforms import identity
from transforms.normalisation.authority import authority_problems
from transforms.normalisation.cells import accuracy, read_cells, withdraws
from transforms.normalisation.personal import person_number_problems, searched_columns
from transforms.normalisation.problems import Findings, Problem, find_rejects
from transforms.normalisation.rejected_twins import reject_twins
from transforms.normalisation.repeated_keys import handle_repeats
from transforms.normalisation.row_counts import count_rows, sunk_files
from transforms.normalisation.terms import measure_text, term_accuracy, term_problems
from transforms.normalisation.texts.cell_rows import cell_column_of, count_by_row, number_cells
from transforms.normalisation.texts.figure_cells import applies, has_marks
from transforms.normalisation.texts.ignored_rows import IGNORED, count_ignored
from transforms.normalisation.texts.take_text import mapped_text
from transforms.numbers import decimals_written
from transforms.register.lookup import Register

CLAIM_CONTENT = ("item_id", "reported_by", "value", "decimals")
"""The content of a claim, whatever its format, encoding and order: a second submission with the same is rewrapped."""
_ESCAPED = r'[\\"\x00-\x1f]'
USUAL_VALUES = {"action": "append", "obs_status": "A", "confidential": False, "additive": False}
"""What most claims have in these columns; any other value is part of the content too."""


@dataclass(frozen=True)
class Normalised:
    """The claims, rejects and counts of a batch.

    claims: the columns of `schemas.claims.CLAIM`. rejects: those of `REJECT`, warnings included.
    counts: one row per submission: submission_id, rows, claimed, rejected, ignored (rows), claims, warnings (Int64),
    and the lanes of its content digest (UInt64); rows = claimed + rejected + ignored, always.
    """

    claims: pl.DataFrame
    rejects: pl.DataFrame
    counts: pl.DataFrame
    ignored: pl.DataFrame = field(default_factory=IGNORED.to_frame)
    """How many rows are ignored, by reason (`IGNORED`); empty where the counts are."""


def normalise(batch: pl.DataFrame, contract: Contract, register: Register) -> Normalised:
    """Turn a batch of raw rows into claims, rejects and counts.

    The batch has `row` Int32 and, all String, the contract's columns, `submission_id`, `sender` and `option_period`
    (may be null).
    """
    cells, problems = read_cells(number_cells(batch) if contract.unpivot else batch, contract, register)
    rows = cells.filter(~pl.col("_ignored")) if cells["_ignored"].any() else cells
    ignored = count_ignored(cells, contract)
    rule_problems = _rule_problems(contract)
    problems += [*rule_problems, *term_problems(contract), *authority_problems(contract, cells.columns)]
    problems += person_number_problems(rows, searched_columns(contract, None))
    findings = find_rejects(rows, problems, cell_column_of(contract))
    lost = rows.clear()
    if findings.rejected.height:
        lost = rows.join(findings.rejected, on=["submission_id", "row"], how="semi")
        rows = rows.join(findings.rejected, on=["submission_id", "row"], how="anti")
    claims = _with_ids(_claims(rows, contract), contract)
    if lost.height and contract.repeat in {"sum", "error", "distinct"}:
        claims, twins = reject_twins(claims, _with_ids(_claims(lost, contract), contract), contract.repeat)
        findings = findings.plus(Findings.of(twins))
    claims, repeated = handle_repeats(claims, contract.repeat or "error")
    findings = findings.plus(repeated)
    sunk = sunk_files(findings.rejects, rule_problems)
    claims = claims.join(sunk, on="submission_id", how="anti") if sunk.height else claims
    if contract.unpivot:
        cells, claims, findings = count_by_row(cells, claims, findings, contract)
    counts = count_rows(cells, _content(claims), findings, sunk)
    return Normalised(claims.select(frame_schema(CLAIM).names()), findings.rejects, counts, ignored)


def _rule_problems(contract: Contract) -> list[Problem]:
    """Return the problems that the contract's rules find in a batch; a change is found from period to period."""
    numbers = {
        claim.column: pl.col(f"_value_{i}")
        for i, claim in enumerate(contract.claims)
        if claim.scale == 1 and not conversions_of(contract, claim)
    }
    return [Problem.of_rule(rule, contract, numbers) for rule in contract.rules if rule.check != "change"]


def _claims(cells: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return one row per claim: each figure of a wide row with its own reporter."""
    lead, withdrawal = pl.lit(True), withdraws(contract)
    parts = []
    escaped = _columns_to_escape(cells, contract)
    for i, claim in enumerate(contract.claims):
        stated = (pl.col(claim.column) != "") | withdrawal
        condition = applies(claim)
        given = cells.filter(stated) if claim.missing == "skip" or has_marks(claim) else cells
        if condition is not None:
            given, stated = given.filter(condition), stated & condition
        parts.append(
            given.lazy()
            .select(*_row_columns(contract), *_claim_columns(i, claim, contract, escaped), lead.alias("lead"))
            .collect()
        )
        lead = lead & ~stated
    return pl.concat(parts) if len(parts) > 1 else parts[0]


def _row_columns(contract: Contract) -> list[pl.Expr]:
    values = {
        "contract": pl.lit(contract.contract),
        "obligation": pl.lit(contract.obligation),
        "period_start": pl.col("_start"),
        "period_end": pl.col("_end"),
        **{f: pl.col(f"_{f}") for f in ("unit_id", "unit_code", "unit_name", "version", "reported_at", "action")},
        "unit_kind": pl.col("_kind_text"),
        "copy_of": pl.lit(contract.copy_of, dtype=pl.String),
        "additive": pl.lit(False),
    }
    return [pl.col("submission_id", "sender", "row"), *(e.alias(name) for name, e in values.items())]


def _claim_columns(index: int, claim: ClaimSpec, contract: Contract, escaped: Collection[str]) -> list[pl.Expr]:
    confidential = mapped_text(claim.confidential) == "true" if claim.confidential else pl.lit(False)
    values = {
        "reported_by": mapped_text(claim.reported_by),
        "column": pl.col("cell_column") if claim.column == cell_column_of(contract) else pl.lit(claim.column),
        "original": pl.col(f"_original_{index}"),
        "confidential": confidential,
        "concept": pl.lit(claim.concept),
        "breakdown": breakdown_text(contract.breakdown | claim.breakdown, escaped),
        "unit_measure": measure_text(claim, contract),
        # A withdrawal may state no value; what it states is never published.
        "value": pl.col(f"_value_{index}").fill_null(0) if contract.action else pl.col(f"_value_{index}"),
        "decimals": term_accuracy(_decimals(claim, contract), claim, contract).cast(pl.Int16),
        "obs_status": _status(index, claim),
        "precedence": _precedence(claim.precedence),
        "tolerance": pl.lit(claim.tolerated(), dtype=pl.Int32),
        "position": pl.lit(index, dtype=pl.Int16),
    }
    return [e.alias(name) for name, e in values.items()]


def _status(index: int, claim: ClaimSpec) -> pl.Expr:
    """Return the observation status: of the mark after the figure, else as the row states it, else normal."""
    stated = mapped_text(claim.obs_status).fill_null("A") if claim.obs_status else pl.lit("A")
    return pl.coalesce(f"_flag_{index}", stated) if claim.flags else stated


def _precedence(rank: int | Take | None) -> pl.Expr:
    return mapped_text(rank).cast(pl.Int16) if isinstance(rank, Take) else pl.lit(rank, dtype=pl.Int16)


def _decimals(claim: ClaimSpec, contract: Contract) -> pl.Expr:
    """Return the accuracy: declared, as written, or from the scale.

    A figure in thousands is accurate to the thousand; one with decimals (1,5 thousand) to what it is written with. One
    in dozens is so to the hundred: no accuracy is stated that is finer.
    """
    is_power = claim.scale.log10() == int(claim.scale.log10())
    places = claim.scale.adjusted() + (not is_power)
    if isinstance(claim.decimals, Take):
        return accuracy(mapped_text(claim.decimals))
    if isinstance(claim.decimals, int):
        return pl.lit(claim.decimals)
    if claim.decimals == "as_written" or (claim.decimals is None and is_power and places > 0):
        return decimals_written(pl.col(claim.column), contract.format) - places
    return pl.lit(None)


def _columns_to_escape(cells: pl.DataFrame, contract: Contract) -> list[str]:
    """Return the columns of breakdowns with a text that JSON cannot hold as it is: most batches have none."""
    breakdowns = [contract.breakdown, *(claim.breakdown for claim in contract.claims)]
    parts = [take for breakdown in breakdowns for take in breakdown.values()]
    columns = sorted({column for take in parts if _is_delivered(take) for column in take.source_columns()})
    return [name for name in columns if cells[name].str.contains(_ESCAPED).any()]


def _is_delivered(take: Take) -> bool:
    """Return whether a text may come from the delivery: those of a map come from the contract."""
    return take.map is None or take.unmapped == "keep"


def breakdown_text(parts: dict[str, Take], escaped: Collection[str]) -> pl.Expr:
    """Return the breakdown as JSON object text with sorted keys, {} for none.

    escaped: the columns in which JSON's own characters are escaped; an option is always looked at.
    """
    if not parts:
        return pl.lit("{}")
    pieces: list[pl.Expr] = []
    escaped_columns = set(escaped)
    for i, key in enumerate(sorted(parts)):
        pieces.append(pl.lit(("," if i else "{") + json.dumps(key, ensure_ascii=False) + ':"'))
        text = mapped_text(parts[key])
        columns = parts[key].source_columns()
        if _is_delivered(parts[key]) and (not columns or not escaped_columns.isdisjoint(columns)):
            text = text.str.replace_all(r'([\\"])', r"\$1").str.replace_all(r"[\x00-\x1f]", " ")
        pieces += [text, pl.lit('"')]
    return pl.concat_str(*pieces, pl.lit("}"))


def _with_ids(claims: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    slot = identity.slot_id() if contract.correction == "whole" else pl.lit(None, dtype=pl.String).alias("slot_id")
    month = pl.col("period_start").dt.strftime("%Y-%m").alias("partition")
    typed = claims.lazy().cast({n: d for n, d in frame_schema(CLAIM).items() if n in claims.columns})
    return typed.with_columns(identity.item_id(), slot, month).collect(engine="streaming")


def _variant(claims: pl.DataFrame) -> pl.Expr:
    """Return the rest of a claim's content as text: its version, and its unusual values, which most batches lack."""
    unusual = [
        pl.when(pl.col(name) != usual).then(pl.format(f"{{}} {name}", name)).otherwise(pl.lit(""))
        for name, usual in USUAL_VALUES.items()
        if (claims[name] != usual).any()
    ]
    return pl.concat_str(pl.col("version").cast(pl.String).fill_null(""), *unusual, separator="")


def _content(claims: pl.DataFrame) -> pl.DataFrame:
    """Return one row per submission: submission_id, claimed, claims, and the sums of the lanes of their content."""
    return (
        claims.lazy()
        .select("submission_id", "lead", *identity.lanes(*map(pl.col, CLAIM_CONTENT), _variant(claims)))
        .group_by("submission_id")
        .agg(pl.col("lead").sum().alias("claimed"), pl.len().alias("claims"), pl.col(identity.LANES).sum())
        .collect(engine="streaming")
    )
