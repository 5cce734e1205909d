"""The dossier of an obligation: whether it can be dropped, and the proof by a release rebuilt without it."""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.overlap.derived import derive_items
from flows.overlap.dossier_sql import dossier_sql
from flows.overlap.release_statements import check_obligation, hours_of
from flows.overlap.sharing import obligations_not_shared
from flows.overlap.tables import figures_of_reports, overlap_table
from flows.releases import find_release
from infra import telemetry
from infra.lake import access as lake_access
from infra.lake.item_tables import observation_tables
from infra.ledger import submissions as ledger_submissions
from infra.ledger.releases import Release
from schemas.contract import Contract
from transforms.derivations.small_counts import linked_concepts
from transforms.overlap.dossier import Dossier, draw_verdict
from transforms.overlap.replacements import replacements
from transforms.overlap.statements import StatedItems, read_stated_items
from transforms.submissions import mark_counting

COMPARED: Final = ("item_id", "value", "decimals", "obs_status", "conf_status", "agreement", "reports", "reporters")
"""The columns of an item that the prediction and the rebuilt release must share."""
_NO_BASIS: Final = re.compile(r"\s*(ingen\b|none\b|$)", re.IGNORECASE)
"""How a legal basis begins that states that there is none."""


@lake_access.scan_errors()
def draw_up_dossier(installation: Installation, obligation: str, number: int | None = None) -> Dossier:
    """Return the dossier of an obligation by a release; `UsageError` if the release has none of its figures."""
    release = find_release(installation, number)
    stated, edges = _about(installation, release, obligation)
    received = ledger_submissions.read_submissions(installation.engine, columns=["submission_id", "received_at"])
    figures = figures_of_reports(installation, release, obligation)
    replaced = replacements(stated.statements, obligation, edges, received, figures)
    hours = hours_of(installation).filter(pl.col("obligation") == obligation).select("low", "high")
    low, high = (_hours(each, figures.height) for each in (hours.row(0) if hours.height else (None, None)))
    return draw_verdict(replaced, obligation, (low, high), stated.alone, figures.height)


def _hours(hours: float | None, reports: float) -> float | None:
    """Return the hours of so many reports, null where nobody knows those of one."""
    return None if hours is None else round(hours * reports, 6)


def _stated_terms(contract: Contract | None, obligation: str) -> dict[str, Any]:
    """Return agency, title and the basis of the hours, as the contract states them; without one the title is the id."""
    hours = contract.known_hours() if contract else None
    return {
        "agency": contract.agency if contract else None,
        "title": contract.title.model_dump() if contract else dict.fromkeys(("nb", "nn", "en"), obligation),
        "hours_basis": hours.basis if hours else None,
        "hours_source": hours.source if hours else None,
    }


def describe_dossier(installation: Installation, found: Dossier, number: int | None = None) -> dict[str, Any]:
    """Return a dossier as plain values with its release, the obligation's contract, the legal gate and its SQL.

    Added are release, agency, title (nb, nn, en), hours_basis, hours_source, legal_gate, legal_basis (a row for the
    obligation and each that replaces it: obligation, agency, legal_basis, stated), not_shared (obligations whose
    figures its agency may not be shown: they replace nothing) and sql (by figure). No item is listed as differing whose
    concept has a least count, or is linked with one by sums: others than the installation's own people read a dossier.
    """
    contract = _contract_of(installation, found.obligation)
    others = [row["obligation"] for row in found.replaced_by]
    bases = [_legal_basis(installation, name) for name in (found.obligation, *others)]
    hidden = obligations_not_shared(installation, found.obligation)
    concepts = installation.vocabulary.concepts
    small = linked_concepts(
        installation.vocabulary, [name for name, concept in concepts.items() if concept.suppress_below is not None]
    )
    described = found.as_dict()
    differing = [row for row in described["differing_items"] if row["concept"] not in small]
    return {
        **described,
        "differing_items": differing,
        "release": find_release(installation, number)["release"],
        **_stated_terms(contract, found.obligation),
        "legal_gate": "passed" if others and all(row["stated"] for row in bases) else "not_passed",
        "legal_basis": bases,
        "not_shared": hidden,
        "sql": dossier_sql(found.obligation, hidden, sums=found.summed > 0),
    }


def _about(installation: Installation, release: Release, obligation: str) -> tuple[StatedItems, pl.DataFrame]:
    """Return what is stated of an obligation's items and of the items that these are sums of, and the edges to them.

    Of the release only months and concepts are read that the table `coverage` names with the obligation; all where an
    item of it is a sum of others. Obligations that its agency may not be shown replace nothing.
    """
    coverage = overlap_table(installation, release, "coverage")
    shared = coverage.filter(pl.col("obligations").list.contains(obligation))
    if shared.is_empty():
        check_obligation(coverage.select(obligation=pl.col("obligations").explode()), obligation)
    tables, names = observation_tables(installation.settings.lake), ("sources", "observations")
    edges = _edges(installation, release, obligation)
    months = (shared if edges.is_empty() else coverage)["partition"].unique().sort().to_list()
    sources, items = (tables.live_months(name, release["tables"], months) for name in names)
    if edges.is_empty():
        items = items.filter(pl.col("concept").is_in(shared["concept"].unique().implode()))
    return read_stated_items(sources, items, obligation, edges, obligations_not_shared(installation, obligation)), edges


def _edges(installation: Installation, release: Release, obligation: str) -> pl.DataFrame:
    """Return the edges of `derivable_from` from the items of an obligation."""
    stated = {c.concept for contract in _contracts_of(installation, obligation) for c in contract.claims}
    edges = derive_items(installation, release, stated).edges
    if edges.is_empty():
        return edges
    sources = observation_tables(installation.settings.lake).live("sources", release["tables"])
    own = sources.filter(pl.col("obligation") == obligation).select("item_id")
    wanted = edges.lazy().select("item_id").unique().join(own, on="item_id", how="semi").collect()
    return edges.join(wanted, on="item_id", how="semi")


def _contract_of(installation: Installation, obligation: str) -> Contract | None:
    """Return the newest contract that answers an obligation, None if there is none any more."""
    answering = _contracts_of(installation, obligation)
    return max(answering, key=lambda contract: (contract.version, contract.contract), default=None)


def _contracts_of(installation: Installation, obligation: str) -> list[Contract]:
    return [contract for contract in installation.contracts.values() if contract.obligation == obligation]


def _legal_basis(installation: Installation, obligation: str) -> dict[str, Any]:
    contract = _contract_of(installation, obligation)
    basis = contract.known_legal_basis() if contract else None
    stated = basis is not None and not _NO_BASIS.match(basis)
    agency = contract.agency if contract else None
    return {"obligation": obligation, "agency": agency, "legal_basis": basis, "stated": stated}


@lake_access.scan_errors()
def prove_without(
    installation: Installation, obligation: str, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Rebuild the current release without an obligation, in a scratch folder, and compare it with the prediction.

    Returns predicted_equals_rebuilt, items_before, items_predicted, items_rebuilt, and differing: items that are not
    the same in both.
    """
    from flows.release.verify import rebuild_from  # with all that a night needs: more than a dossier takes by itself

    release = find_release(installation)
    predicted, before = _predicted(installation, release, obligation)
    submissions = ledger_submissions.read_submissions(installation.engine, in_release=True)
    others = [name for name, c in installation.contracts.items() if c.obligation != obligation]
    remaining = submissions.filter(pl.col("contract").is_in(others))
    with telemetry.bound(rebuild=True), tempfile.TemporaryDirectory(prefix="engang-dossier-") as scratch:
        fresh, _ = rebuild_from(installation, release, remaining, Path(scratch), progress)
        rebuilt = _observations(fresh, find_release(fresh)) if remaining.height else predicted.clear()
    differing = _differing(predicted, rebuilt)
    return {
        "predicted_equals_rebuilt": differing == 0,
        "items_before": before,
        "items_predicted": predicted.height,
        "items_rebuilt": rebuilt.height,
        "differing": differing,
    }


def _predicted(installation: Installation, release: Release, obligation: str) -> tuple[pl.DataFrame, int]:
    """Return the observations that a release has without an obligation, and how many it has with it.

    Only items that the obligation has a claim of are consolidated again; all others are as the release has them.
    """
    from transforms.observations.consolidate import consolidate  # no part of a dossier without its proof

    tables = observation_tables(installation.settings.lake)
    now = _observations(installation, release)
    submissions = mark_counting(ledger_submissions.read_submissions(installation.engine))
    counted = submissions.filter("in_release").select("submission_id", "batch", "arrival", "stream")
    mine = pl.col("obligation") == obligation
    items = tables.scan("claims").filter(mine).select("item_id").unique().collect()["item_id"]
    rest = tables.scan("claims").filter(pl.col("item_id").is_in(items.implode()) & ~mine)
    claims = rest.join(counted.lazy(), on=["submission_id", "batch"]).collect()
    again = consolidate(claims).observations.select(COMPARED) if claims.height else now.clear()
    untouched = now.filter(~pl.col("item_id").is_in(items.implode()))
    return pl.concat([untouched, again]), now.height


def _observations(installation: Installation, release: Release) -> pl.DataFrame:
    tables = observation_tables(installation.settings.lake)
    return tables.live("observations", release["tables"]).select(COMPARED).collect()


def _differing(predicted: pl.DataFrame, rebuilt: pl.DataFrame) -> int:
    """Return how many items only one of the two has, or has otherwise."""
    keys = list(COMPARED)
    alone = [
        one.join(other, on=keys, how="anti", nulls_equal=True)["item_id"]
        for one, other in ((predicted, rebuilt), (rebuilt, predicted))
    ]
    return pl.concat(alone).n_unique()
