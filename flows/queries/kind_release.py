"""One record kind in one release, open for queries: its model, its linkage rule, reports, edges and decisions."""

from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.published_tables import kinds_of
from flows.releases import find_release
from infra.lake.item_tables import kind_tables
from infra.ledger import decisions as ledger_decisions
from infra.ledger import models as ledger_models
from infra.ledger import records as ledger_records
from infra.ledger import releases as ledger_releases
from infra.ledger.releases import Release
from infra.shipped_models import shipped_model
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.linkage import scoring as match
from transforms.linkage.blocking import block_sizes, declared_identities, key_columns, prepare_comparison
from transforms.linkage.candidates import limited_kind
from transforms.linkage.clustering import LinkageRule, connected_components, linking_pairs
from transforms.linkage.model import MatchModel, linkage_rule, parse_model, review_threshold
from transforms.linkage.separation import LinkageEvidence
from transforms.linkage.unblocked import groups_to_score, score_unblocked
from transforms.preparation.reporters import linked_reporter
from transforms.records.item_ids import successor_item

DECISION_FIELDS: Final = ("id", "a", "b", "verdict", "who", "why", "at")


@dataclass(frozen=True)
class KindRelease:
    """One kind in one release, with the model that scored it; `unscored` is the reason if no pair can be weighed."""

    installation: Installation
    kind: Kind
    release: Release
    model: MatchModel | None
    unscored: str
    current: bool

    @property
    def number(self) -> int:
        """The release's number."""
        return self.release["release"]

    @property
    def rule(self) -> LinkageRule:
        """The rule that grouped its reports into items."""
        return linkage_rule(self.kind, self.model)

    @property
    def review(self) -> float | None:
        """The match weight (bits) from which a pair is stored; None without a model."""
        return review_threshold(self.kind, self.model) if self.model else None

    def live(self, name: str) -> pl.LazyFrame:
        """Return a table of the kind in the release: reports, edges, sources, ...; the empty name is the items."""
        table = f"{self.kind.kind}_{name}" if name else self.kind.kind
        root = self.installation.settings.lake
        return kind_tables(root, self.kind).live(table, self.release["tables"])


def open_kind(installation: Installation, kind: Kind, number: int | None = None) -> KindRelease:
    """Open a kind in release `number`, the current one by default; `UsageError` if the release has no records of it."""
    release = find_release(installation, number)
    if kind not in kinds_of(installation, release):
        raise UsageError(f"release {release['release']} has no records of kind {kind.kind}: `engang submit` some")
    model, unscored = scoring_model(installation, kind, release)
    current = ledger_releases.current_release(installation.engine)
    is_current = current is not None and current["release"] == release["release"]
    opened = KindRelease(installation, kind, release, model, unscored, current=is_current)
    return opened if kind.is_limited else replace(opened, kind=_limited(opened))


def _limited(snapshot: KindRelease) -> Kind:
    """Return the kind with the limits of blocks that follow from all reports of the release."""
    index = snapshot.live("reports").select("report_id", *key_columns(snapshot.kind)).collect()
    return limited_kind(snapshot.kind, block_sizes(index, snapshot.kind), index.height)


def scoring_model(installation: Installation, kind: Kind, release: Release) -> tuple[MatchModel | None, str]:
    """Return the model that scored the release, None if unknown, and the reason if it cannot weigh pairs now."""
    digest = release["models"].get(kind.kind, {}).get("model_digest")
    if not digest:
        return None, f"kind {kind.kind} had no model in release {release['release']}: no pair was scored"
    stored = ledger_models.find_model(installation.engine, digest)
    text = stored["text"] if stored else shipped_model(kind.kind)
    model = parse_model(text) if text else None
    if model is None or model.digest != digest:
        return None, f"model {digest}, which scored release {release['release']}, is no longer stored"
    if model.match_digest != kind.match_digest():
        why = f"kinds/{kind.kind}.yml was changed since release {release['release']}: `engang nightly` scores again"
        return model, why
    return model, ""


def standing_reports(snapshot: KindRelease, wanted: pl.Expr) -> pl.DataFrame:
    """Return the standing reports of the release, one row each: the standing source among the sources `wanted`."""
    # A report has one source. In a release of before corrections were by time it may have several: the first stood.
    sources = snapshot.live("sources").filter(wanted).collect().sort("content", "submission_id", "row")
    reports = sources.unique("report_id", keep="first", maintain_order=True)
    return reports.sort("lead", "report_id", descending=[True, False])


def counted_decisions(snapshot: KindRelease) -> pl.DataFrame:
    """Return the decisions that the release counts: `DECISION`."""
    decisions = ledger_decisions.read_decisions(snapshot.installation.engine, snapshot.kind.kind)
    if snapshot.current:
        return decisions.filter("in_release").select(DECISION_FIELDS)
    published = snapshot.release["published_at"]  # for an older release the ledger knows only what was active then
    was_active = pl.col("withdrawn_at").is_null() | (pl.col("withdrawn_at") > published)
    return decisions.filter(pl.col("at") <= published, was_active).select(DECISION_FIELDS)


def pending_decisions(snapshot: KindRelease) -> pl.DataFrame:
    """Return the decisions that the next night applies (`DECISION`): made since the current release, and standing."""
    decisions = ledger_decisions.read_decisions(snapshot.installation.engine, snapshot.kind.kind, active=True)
    return decisions.filter(~pl.col("in_release")).select(DECISION_FIELDS)


def evidence_around(snapshot: KindRelease, items: list[str]) -> LinkageEvidence:
    """Return the linkage evidence on some items, on everything tied to them and on the items that edges lead to."""
    edges, decisions = snapshot.live("edges").select("a", "b", "weight").collect(), counted_decisions(snapshot)
    identities = (
        declared_identities(snapshot.live("reports").collect(), snapshot.kind) if snapshot.kind.identities() else None
    )
    mine = _members(snapshot, pl.col("item_id").is_in(items))["report_id"]
    pairs = linking_pairs(edges, decisions, snapshot.rule, identities)
    components = connected_components(pairs, pl.concat([mine, pairs["a"], pairs["b"]]).unique().to_frame("report_id"))
    ours = components.filter(pl.col("report_id").is_in(mine.implode()))["component"]
    near = edges.filter(_touches(mine))
    reached = pl.concat(
        [components.filter(pl.col("component").is_in(ours.implode()))["report_id"], near["a"], near["b"]]
    )
    reached_items = _members(snapshot, pl.col("report_id").is_in(reached.unique().implode()))["item_id"]
    reports = _members(snapshot, pl.col("item_id").is_in(reached_items.unique().implode()))
    ids = reports["report_id"].implode()
    inside = pl.col("a").is_in(ids) & pl.col("b").is_in(ids)
    keys = None if identities is None else identities.filter(pl.col("report_id").is_in(ids))
    near_edges = edges.filter(inside)
    unblocked = unblocked_pairs(snapshot, near_edges, snapshot.rule)
    return LinkageEvidence(reports, near_edges, decisions.filter(inside), snapshot.rule, keys, unblocked)


def unblocked_pairs(snapshot: KindRelease, edges: pl.DataFrame, rule: LinkageRule) -> pl.DataFrame:
    """Return the pairs without an edge that a rule asks for, scored again: a, b, weight; none if `unscored`."""
    groups = groups_to_score(edges, rule)
    model = None if snapshot.unscored else snapshot.model
    reports = standing_reports(snapshot, pl.col("report_id").is_in(groups["report_id"].implode()))
    return score_unblocked(reports, edges, snapshot.kind, model, rule)[0]


def _members(snapshot: KindRelease, wanted: pl.Expr) -> pl.DataFrame:
    """Return report_id, reported_by, item_id of the reports that have a source in the release."""
    rows = snapshot.live("sources").filter(wanted).select("report_id", linked_reporter(snapshot.kind), "item_id")
    return rows.unique().sort("report_id").collect()


def _touches(reports: pl.Series) -> pl.Expr:
    return pl.col("a").is_in(reports.implode()) | pl.col("b").is_in(reports.implode())


def weigh_pairs(snapshot: KindRelease, pairs: pl.DataFrame, reports: pl.DataFrame) -> pl.DataFrame:
    """Return the weights of pairs (a, b), one row per pair and field (`scoring.field_weights`); none if `unscored`.

    reports: standing reports, at least those of the pairs.
    """
    if snapshot.model is None or snapshot.unscored or not pairs.height:
        texts = dict.fromkeys(("a", "b", "field", "level"), pl.String)
        return pl.DataFrame(schema={**texts, "bits": pl.Float64, "frequency_bits": pl.Float64})
    ends = pl.concat([pairs["a"], pairs["b"]]).unique().implode()
    compared = prepare_comparison(reports.filter(pl.col("report_id").is_in(ends)), snapshot.kind, snapshot.model)
    return match.field_weights(pairs.select("a", "b"), compared, snapshot.model)


def current_item(snapshot: KindRelease, id_: str) -> str | None:
    """Return the item that the id of an item, a former item or a report resolves to in the release; None if none."""
    sources = snapshot.live("sources").select("item_id", "report_id").unique()
    own = sources.filter((pl.col("item_id") == id_) | (pl.col("report_id") == id_)).collect()
    for column in ("item_id", "report_id"):
        if id_ in own[column]:
            return str(own.filter(pl.col(column) == id_)["item_id"][0])
    engine, name = snapshot.installation.engine, snapshot.kind.kind
    assignments = ledger_records.read_assignments_to(engine, name, [id_], release=snapshot.number)
    mine = ledger_records.read_item_assignments(engine, name, [id_], release=snapshot.number)
    assignments = pl.concat([assignments, mine]).unique()
    items = sources.filter(pl.col("report_id").is_in(assignments["report_id"].implode())).collect()
    return successor_item(id_, assignments, items)
