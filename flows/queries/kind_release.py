"""A release's records of one kind, opened to be asked about: its model, its rule, its reports, edges and decisions."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.model_in_force import SHIPPED
from flows.release.records.resolution import ALONE, declared
from flows.releases import kinds_of, released
from infra.lake import kind_tables as lake_records
from infra.ledger import records as ledger_records
from infra.ledger import submissions as ledger
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.linkage import scoring as match
from transforms.linkage.blocking import comparable
from transforms.linkage.clustering import Rule, components, tied
from transforms.linkage.model import Model, automatic, read_model, review
from transforms.linkage.separation import Known
from transforms.records.consolidate import standing
from transforms.records.item_ids import holder

DECISION: Final = ("id", "a", "b", "verdict", "who", "why", "at")


@dataclass(frozen=True)
class KindRelease:
    """One kind as a release has it, and the model that scored it; `unscored` says why no pair can be weighed, if so."""

    installation: Installation
    kind: Kind
    release: ledger.Release
    model: Model | None
    unscored: str
    current: bool

    @property
    def number(self) -> int:
        """The release's number."""
        return self.release["release"]

    @property
    def rule(self) -> Rule:
        """The rule by which its reports became items."""
        return Rule(automatic(self.kind, self.model) if self.model else ALONE, self.kind.one_report_per_item)

    @property
    def review(self) -> float | None:
        """The match weight (bits) from which a pair is kept; None without a model."""
        return review(self.kind, self.model) if self.model else None

    def live(self, name: str) -> pl.LazyFrame:
        """Return a table of the kind as the release has it: reports, edges, sources, ...; the empty text: items."""
        table = f"{self.kind.kind}_{name}" if name else self.kind.kind
        root = self.installation.settings.lake
        return lake_records.live(root, self.kind, table, self.release["tables"])


def open_kind(installation: Installation, kind: Kind, number: int | None = None) -> KindRelease:
    """Open a kind in release `number`, the current one by default; `UsageError` where there is none of it."""
    release = released(installation, number)
    if kind not in kinds_of(installation, release):
        raise UsageError(f"release {release['release']} has no records of kind {kind.kind}: `engang submit` some")
    model, unscored = model_of(installation, kind, release)
    current = ledger.current_release(installation.engine)
    is_current = current is not None and current["release"] == release["release"]
    return KindRelease(installation, kind, release, model, unscored, current=is_current)


def model_of(installation: Installation, kind: Kind, release: ledger.Release) -> tuple[Model | None, str]:
    """Return the model that scored the release, if it is known, and why nothing can be weighed with it now, if so."""
    digest = release["models"].get(kind.kind, {}).get("model_digest")
    if not digest:
        return None, f"kind {kind.kind} had no model in release {release['release']}: no pair was scored"
    kept, shipped = ledger_records.model(installation.engine, digest), SHIPPED / f"{kind.kind}.json"
    text = kept["text"] if kept else shipped.read_text(encoding="utf-8") if shipped.exists() else None
    model = read_model(text) if text else None
    if model is None or model.digest != digest:
        return None, f"model {digest}, which scored release {release['release']}, is not here any more"
    if model.match_digest != kind.match_digest():
        why = f"kinds/{kind.kind}.yml was changed since release {release['release']}: `engang nightly` scores anew"
        return model, why
    return model, ""


def reports_of(read: KindRelease, wanted: pl.Expr) -> pl.DataFrame:
    """Return the reports that stand in the release, a row each: the source that stands, of all sources `wanted`."""
    # What a release's sources say of a report is of one version: of several the one that stands has the least content.
    sources = read.live("sources").filter(wanted).with_columns(pl.lit("append").alias("action")).collect()
    return (
        standing(sources)
        .filter("standing")
        .drop("bucket", "standing", "action")
        .sort("lead", "report_id", descending=[True, False])
    )


def decisions_of(read: KindRelease) -> pl.DataFrame:
    """Return the decisions that the release counts: `DECISION`."""
    told = ledger_records.decisions(read.installation.engine, read.kind.kind)
    if read.current:
        return told.filter("in_release").select(DECISION)
    published = read.release["published_at"]  # of an older release the ledger knows only what stood at that time
    stood = pl.col("withdrawn_at").is_null() | (pl.col("withdrawn_at") > published)
    return told.filter(pl.col("at") <= published, stood).select(DECISION)


def pending_decisions(read: KindRelease) -> pl.DataFrame:
    """Return the decisions that the next night applies (`DECISION`): made since the current release, and standing."""
    told = ledger_records.decisions(read.installation.engine, read.kind.kind, active=True)
    return told.filter(~pl.col("in_release")).select(DECISION)


def known_around(read: KindRelease, items: list[str]) -> Known:
    """Return what the release knows of some items, of all that is tied to them and of the items that edges lead to."""
    edges, decisions = read.live("edges").select("a", "b", "weight").collect(), decisions_of(read)
    identities = declared(read.live("reports").collect(), read.kind) if read.kind.identities() else None
    mine = _members(read, pl.col("item_id").is_in(items))["report_id"]
    pairs = tied(edges, decisions, read.rule, identities)
    held = components(pairs, pl.concat([mine, pairs["a"], pairs["b"]]).unique().to_frame("report_id"))
    ours = held.filter(pl.col("report_id").is_in(mine.implode()))["component"]
    near = edges.filter(_touches(mine))
    reached = pl.concat([held.filter(pl.col("component").is_in(ours.implode()))["report_id"], near["a"], near["b"]])
    told = _members(read, pl.col("report_id").is_in(reached.unique().implode()))["item_id"]
    reports = _members(read, pl.col("item_id").is_in(told.unique().implode()))
    ids = reports["report_id"].implode()
    inside = pl.col("a").is_in(ids) & pl.col("b").is_in(ids)
    keys = None if identities is None else identities.filter(pl.col("report_id").is_in(ids))
    return Known(reports, edges.filter(inside), decisions.filter(inside), read.rule, keys)


def _members(read: KindRelease, wanted: pl.Expr) -> pl.DataFrame:
    """Return report_id, reported_by, item_id: a report of which the release has a source stands."""
    told = read.live("sources").filter(wanted).select("report_id", "reported_by", "item_id")
    return told.unique().sort("report_id").collect()


def _touches(reports: pl.Series) -> pl.Expr:
    return pl.col("a").is_in(reports.implode()) | pl.col("b").is_in(reports.implode())


def weighed(read: KindRelease, pairs: pl.DataFrame, reports: pl.DataFrame) -> pl.DataFrame:
    """Return the waterfalls of pairs (a, b): a row a pair and field, as `match.weigh`; none where `unscored`.

    reports: standing rows, those of the pairs at least.
    """
    if read.model is None or read.unscored or not pairs.height:
        told = dict.fromkeys(("a", "b", "field", "level"), pl.String)
        return pl.DataFrame(schema={**told, "bits": pl.Float64, "frequency_bits": pl.Float64})
    ends = pl.concat([pairs["a"], pairs["b"]]).unique().implode()
    compared = comparable(reports.filter(pl.col("report_id").is_in(ends)), read.kind, read.model)
    return match.weigh(pairs.select("a", "b"), compared, read.model)


def item_now(read: KindRelease, id_: str) -> str | None:
    """Return the item that an id resolves to in the release: an item's own, an old one's, a report's; None if none."""
    sources = read.live("sources").select("item_id", "report_id").unique()
    own = sources.filter((pl.col("item_id") == id_) | (pl.col("report_id") == id_)).collect()
    for column in ("item_id", "report_id"):
        if id_ in own[column]:
            return str(own.filter(pl.col(column) == id_)["item_id"][0])
    engine, name = read.installation.engine, read.kind.kind
    homes = ledger_records.at_home(engine, name, [id_], release=read.number)
    mine = ledger_records.homes(engine, name, [id_], release=read.number)
    homes = pl.concat([homes, mine]).unique()
    items = sources.filter(pl.col("report_id").is_in(homes["report_id"].implode())).collect()
    return holder(id_, homes, items)
