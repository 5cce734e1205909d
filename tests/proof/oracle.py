"""What a release must hold by the second account, compared with what it holds by the lake; see `second_account`."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import polars as pl

from flows.installation import Installation
from flows.release.verify import lake_digest
from flows.releases import read_table
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.ledger.releases import Release
from tests.support import reference_release
from tests.support.observation_deliveries import Sent, new_home
from tests.support.reference_release import Account, Item

SOURCES = ("reported_by", "original", "value", "decimals", "version", "relation", "chosen")
CONFLICTS = ("reported_by", "value", "decimals", "lower", "upper", "outcome")
EXACT = {"value", "lower", "upper"}
FACT = ("unit_name", "value", "decimals", "obs_status", "agreement", "reports", "reporters")


def counted(home: Installation) -> set[str]:
    """Return the submissions that the current release counts."""
    return set(
        ledger_submissions.read_submissions(home.engine, columns=["submission_id"], in_release=True)["submission_id"]
    )


def wrong(home: Installation, accounts: Mapping[str, Account], release: Release) -> list[str]:
    """Return what a release does not hold as the second account of what it counts has it."""
    mine = counted(home)
    expected = reference_release.release({submission: accounts[submission] for submission in mine}, ())
    tables = {name: read_table(home, name, release).collect() for name in ("observations", "sources", "conflicts")}
    items, facts = _facts(tables["observations"])
    problems = [
        *_differ("facts", facts, expected.facts),
        *_differ("sources", _rows(tables["sources"], tables["sources"], SOURCES, items), expected.sources),
        *_differ("conflicts", _rows(tables["conflicts"], tables["sources"], CONFLICTS, items), expected.conflicts),
    ]
    if len(items) != tables["observations"].height:
        problems.append("an item stands twice")
    if reference_release.counting(accounts, mine) != mine:
        problems.append("two that say the same both count")
    if (lake := lake_digest(home, release)) != release["digest"]:
        problems.append(f"the lake's digest is {lake}, the ledger's {release['digest']}")
    return problems + _unbalanced(home, release)


def _unbalanced(home: Installation, release: Release) -> list[str]:
    """Tell of submissions whose buckets do not add up to what was delivered."""
    buckets = (
        ledger_releases.read_row_counts(home.engine, release["release"])
        .group_by("submission_id")
        .agg(pl.col("rows").sum())
    )
    counts = ledger_submissions.read_submissions(home.engine, columns=["submission_id", "delivered"]).join(
        buckets, on="submission_id"
    )
    off = counts.filter(pl.col("rows") != pl.col("delivered"))
    return [f"buckets of {name}: {rows} rows of {n}" for name, n, rows in off.iter_rows()]


def _differ(name: str, found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> list[str]:
    keys = {key for key in {*found, *expected} if found.get(key) != expected.get(key)}
    return [f"{name} of {key}: found {found.get(key)}, expected {expected.get(key)}" for key in sorted(keys)]


def _facts(observations: pl.DataFrame) -> tuple[dict[str, Item], dict[Item, tuple[Any, ...]]]:
    items, facts = {}, {}
    for row in observations.iter_rows(named=True):
        unit = row["unit_code"] or row["unit_id"].rsplit(":", 1)[1]
        item = unit, row["period_start"].strftime("%Y-%m"), row["breakdown"].removeprefix('{"group":"')[:1]
        items[row["item_id"]] = item
        facts[item] = tuple(_exact(name, row[name]) for name in FACT)
    return items, facts


def _rows(
    rows: pl.DataFrame, sources: pl.DataFrame, names: tuple[str, ...], items: Mapping[str, Item]
) -> dict[tuple[str, int, str], tuple[Any, ...]]:
    columns = dict(sources.select("claim_id", "column").iter_rows())
    rows_by_key = {}
    for row in rows.iter_rows(named=True):
        submission, number, _ = row["claim_id"].rsplit("-", 2)
        cell = submission, int(number), columns.get(row["claim_id"], "?")
        rows_by_key[cell] = items.get(row["item_id"], row["item_id"]), *(_exact(name, row[name]) for name in names)
    return rows_by_key


def _exact(name: str, value: Any) -> Any:
    return Fraction(value) if name in EXACT and value is not None else value


def rebuilt(sent: list[Sent]) -> str | None:
    """Return the digest that a plain installation publishes of these deliveries, all brought at once."""
    with new_home() as home:
        home.deliver(sorted(sent))
        return home.night().digest
