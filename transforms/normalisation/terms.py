"""The vocabulary's part in reading claims: codes taken as delivered are looked up, values converted."""

from collections.abc import Iterator

import polars as pl

from schemas.contract import ClaimSpec, Contract, Take
from schemas.contract_terms import breakdowns, conversions_of, stated_texts
from transforms.clean_text import clean
from transforms.conversions import converted_accuracy, converted_measures
from transforms.normalisation.cells import scaled_figure
from transforms.normalisation.problems import Problem
from transforms.normalisation.texts.figure_cells import where_any
from transforms.normalisation.texts.take_text import mapped_text
from transforms.rejects import shown_codes


def term_problems(contract: Contract) -> list[Problem]:
    """Return what can be wrong with codes and measures that are taken as delivered: they are not in the vocabulary."""
    owners: dict[str, tuple[Take, tuple[str, ...], list[ClaimSpec]]] = {}
    for claim in contract.claims:
        for take, codes in _delivered(contract, claim):
            key = f"{take.model_dump_json()} {codes}"
            owners.setdefault(key, (take, codes, []))[2].append(claim)
    return [_unknown_term(take, codes, claims) for take, codes, claims in owners.values()]


def _delivered(contract: Contract, claim: ClaimSpec) -> Iterator[tuple[Take, tuple[str, ...]]]:
    """Yield what is taken as delivered, with the codes that it may be."""
    if contract.terms is None:
        return
    for name, take in breakdowns(contract, claim).items():
        if name in contract.terms.codes and stated_texts(take) is None:
            yield take, contract.terms.codes[name]
    if stated_texts(claim.unit_measure) is None:
        yield claim.unit_measure, contract.terms.measures[claim.concept]


def _unknown_term(take: Take, codes: tuple[str, ...], claims: list[ClaimSpec]) -> Problem:
    text = mapped_text(take)
    bad = ~text.is_in([*map(clean, codes), ""])  # an empty cell is reported as a missing value
    column = next(iter(take.source_columns()), None)
    hint = "use a code of the vocabulary, or give the contract a map to them"
    return Problem("unknown-code", column, where_any(claims, bad), text, f"one of {shown_codes(codes)}", hint)


def measure_text(claim: ClaimSpec, contract: Contract) -> pl.Expr:
    """Return the measure of each claim, after conversion."""
    conversions, text = conversions_of(contract, claim), mapped_text(claim.unit_measure)
    return converted_measures(text, conversions) if conversions else text


def term_accuracy(decimals: pl.Expr, claim: ClaimSpec, contract: Contract) -> pl.Expr:
    """Return the accuracy of each claim, after conversion."""
    conversions = conversions_of(contract, claim)
    if not conversions:
        return decimals
    figure = scaled_figure(claim, contract)
    return converted_accuracy(decimals.cast(pl.Int16), figure, mapped_text(claim.unit_measure), conversions)
