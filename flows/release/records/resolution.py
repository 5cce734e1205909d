"""The night of one record kind: from the deliveries that count to items, their ids and history.

What is published of a kind is a pure function of its standing reports, the decisions that stand, the kind and its
model. The night computes it only for what it reaches: the reports that came, changed or went, those whose blocks grew
or shrank over the limit, those that decisions name, and all that strong pairs tie to any of them. Nothing is written
here: `flows.record_writing` does so.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.release.records.item_ids import named, neighbours, with_causes
from infra.lake import kind_tables as lake_records
from infra.ledger import records as ledger_records
from infra.storage.places import Place
from schemas.kind import Kind
from transforms.linkage import scoring as match
from transforms.linkage.blocking import comparable, compared_with, key_columns, key_values, keyed, without_blocks
from transforms.linkage.candidates import KEYS, capped, flipped, keys_of, meeting, over_limit, sharing
from transforms.linkage.clustering import Rule, components, resolve, tied
from transforms.linkage.model import Model, automatic
from transforms.records.consolidate import beside, kept, standing

MEMBER: Final = ("submission_id", "batch")
ROUNDS: Final = 20
"""Steps from report to tied report that are taken one by one, before all pairs of a kind are looked at together."""
CHUNK_COMPARED: Final = 250_000
"""How many reports are made comparable at once."""
ALONE: Final = 1.0
"""Threshold in bits where no model scores anything: any will do."""


@dataclass(frozen=True)
class Basis:
    """What the night of a kind starts from.

    members: submission_id, batch, before, after (whether the last release counted it, whether this one does),
    first_release. decisions: id, a, b, verdict, before, after. anew: all reports are scored again, for the kind or its
    model is another than the last release's. released: the versions of the last release's tables.
    """

    kind: Kind
    model: Model | None
    release: int
    released: dict[str, int]
    members: pl.DataFrame
    decisions: pl.DataFrame
    anew: bool

    @property
    def first(self) -> bool:
        """Whether no release has the kind yet."""
        return self.kind.kind not in self.released

    @property
    def everything(self) -> bool:
        """Whether every report is looked at."""
        return self.anew or self.first

    @property
    def decided(self) -> pl.DataFrame:
        """The decisions that one of the two releases counts and the other does not."""
        return self.decisions.filter(pl.col("before") != pl.col("after"))

    @property
    def rule(self) -> Rule:
        """The rule by which reports become items."""
        return Rule(automatic(self.kind, self.model) if self.model else ALONE, self.kind.one_report_per_item)


@dataclass(frozen=True)
class Scored:
    """What was scored again: the index rows and edges that are new, and the reports whose old ones no longer hold.

    index: report_id and the blocking keys. edges: a, b, weight. gone: ids of reports that the index held, and that
    went, changed or are scored again. warnings: `infra.ledger.records.WARNING`.
    """

    index: pl.DataFrame
    edges: pl.DataFrame
    gone: pl.Series
    warnings: pl.DataFrame


@dataclass(frozen=True)
class KindNight:
    """What the night of a kind found: all that is written follows from it, by `flows.release.records.chunks`.

    before, after: the deliveries that it reached, as the last release and as this one counts them, marked by
    `transforms.records.consolidate.standing`, each with the item_id of its report. history, homes and overruled as
    `transforms.records.item_ids` and `transforms.linkage.clustering` give them.
    """

    basis: Basis
    scored: Scored
    before: pl.DataFrame
    after: pl.DataFrame
    history: pl.DataFrame
    homes: pl.DataFrame
    overruled: pl.DataFrame


def kind_night(installation: Installation, basis: Basis) -> KindNight:
    """Find which items a release publishes of a kind, and which the last one did, of all that the night reaches."""
    root = installation.settings.lake
    read = Deliveries(root, basis)
    told = deliveries_of(root, basis, None) if basis.everything else read.of(moved_reports(root, basis))
    sides = marked(told)
    old = _live(root, basis, "edges").select("a", "b", "weight").collect()
    scored = rescore(read, old, *sides)
    new = pl.concat([_without(old, scored.gone), scored.edges])
    if basis.everything:
        return _published(installation, basis, (told, *sides), new, (scored, _each_by_itself(told)))
    start = pl.concat(
        [told["report_id"], neighbours(installation.engine, basis.kind, told), scored.gone, *_decided(basis)]
    )
    reached = _reached(root, basis, start.unique(), scored, (old, new))
    told = read.of(reached["report_id"])
    return _published(installation, basis, (told, *marked(told)), new, (scored, reached))


def marked(told: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the deliveries that the last release counts, and those that this one does, as `standing` marks them."""
    return standing(kept(told, "before")), standing(kept(told, "after"))


def moved_reports(root: Place, basis: Basis) -> pl.Series:
    """Return the ids of the reports of which a delivery came or went."""
    members = basis.members.filter(pl.col("before") != pl.col("after"))
    rows = lake_records.scan(root, basis.kind, f"{basis.kind.kind}_records").select("report_id", *MEMBER)
    rows = rows.filter(pl.col("batch").is_in(members["batch"].implode()))
    return rows.join(members.lazy(), on=MEMBER, how="semi").select(pl.col("report_id").unique()).collect().to_series()


def deliveries_of(root: Place, basis: Basis, reports: pl.Series | None) -> pl.DataFrame:
    """Return every delivery of these reports, or of all, ever registered; with `before`, `after`, `first_release`."""
    rows = lake_records.scan(root, basis.kind, f"{basis.kind.kind}_records")
    if reports is not None:
        rows = rows.filter(pl.col("report_id").is_in(reports.implode()))
    return kept(beside(rows.collect(), basis.members, *MEMBER), pl.col("before").is_not_null())


class Deliveries:
    """The deliveries of reports, each read once: those of a report that was asked for before are held."""

    def __init__(self, root: Place, basis: Basis) -> None:
        """Begin with none."""
        self.root, self.basis = root, basis
        self._asked = pl.Series("report_id", [], dtype=pl.String)
        self._held: list[pl.DataFrame] = []

    def of(self, reports: pl.Series, and_also: pl.Series | None = None) -> pl.DataFrame:
        """Return what `deliveries_of` these reports does; others too are read, to be asked for later."""
        sought = reports if and_also is None else pl.concat([reports, and_also.rename(reports.name)])
        new = sought.filter(~sought.is_in(self._asked.implode())).unique()
        if new.len() or not self._held:
            self._held.append(deliveries_of(self.root, self.basis, new))
            self._asked = pl.concat([self._asked, new.rename("report_id")])
        wanted = pl.col("report_id").is_in(reports.implode())
        return pl.concat(kept(held, wanted) for held in self._held)


def rescore(read: Deliveries, edges: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame) -> Scored:
    """Score what came, changed or went, and what shares a block that grew or shrank over the limit.

    edges: those of the last release: what they tie to candidates is read with these, for it is likely to be reached.
    """
    root, basis = read.root, read.basis
    kind = basis.kind
    was, stands = (kept(side, "standing") for side in (before, after))
    if basis.everything:
        return _scored_anew(was, stands, basis)
    same = stands.join(was, on=["report_id", "content"], how="semi")
    came, left = (keyed(s.join(same, on="report_id", how="anti"), kind) for s in (stands, was))
    index = _live(root, basis, "reports").join(left.lazy(), on="report_id", how="anti").select(came.columns)
    woken, candidates, large = _blocks(index, came, left, kind)
    again = pl.concat([came, woken])
    found = [stands.join(came, on="report_id", how="semi")]
    if woken.height or candidates.len():
        sought = pl.concat([woken["report_id"], candidates])
        near = _near(edges.filter(pl.col("weight") >= basis.rule.automatic), sought)
        others = read.of(sought, and_also=pl.concat([near["a"], near["b"]]))
        found.append(kept(marked(others)[1], "standing"))
    values = pl.concat(found)
    edges = _score(_read(values, kind), again["report_id"], large, basis)
    gone = pl.concat([left["report_id"], woken["report_id"]])
    return Scored(again, edges, gone, _warnings(large, again, values, kind))


def _scored_anew(was: pl.DataFrame, stands: pl.DataFrame, basis: Basis) -> Scored:
    """Score all that stands; nothing that was scored before holds."""
    index = keyed(stands, basis.kind)
    large = over_limit(index, basis.kind)
    values = _read(stands, basis.kind).hstack(index.drop("report_id"))
    edges = _score(kept(values, meeting(index, large, basis.kind)), None, large, basis)
    return Scored(index, edges, was["report_id"], _warnings(large, index, stands, basis.kind))


def _blocks(
    index: pl.LazyFrame, came: pl.DataFrame, left: pl.DataFrame, kind: Kind
) -> tuple[pl.DataFrame, pl.Series, pl.DataFrame]:
    """Return the index rows to be scored again too, the ids of those to score against, the blocks over the limit."""
    moved = keys_of(pl.concat([came, left]), kind)
    members = index.filter(sharing(moved, kind)).collect()
    large = capped(pl.concat([members, came]), moved, kind)
    turned = flipped(capped(pl.concat([members, left]), moved, kind), large)
    woken = members.filter(sharing(turned, kind))
    scored = keys_of(pl.concat([came, woken]), kind)
    if woken.height:  # what is woken is compared with all of its blocks, and these were not looked at yet
        members = index.filter(sharing(scored, kind)).collect()
        large = capped(pl.concat([members, came]), scored, kind)
    through = scored.join(large, on=list(KEYS), how="anti")
    candidates = members.filter(sharing(through, kind)).join(woken, on="report_id", how="anti")
    return woken, candidates["report_id"], large


def _score(values: pl.DataFrame, again: pl.Series | None, large: pl.DataFrame, basis: Basis) -> pl.DataFrame:
    """Score the pairs of which one end is to be scored again; all of them, if none is named."""
    if basis.model is None or values.is_empty():
        return pl.DataFrame(schema=match.EDGES)
    return match.score(_compared(values, again, large, basis, basis.model), basis.kind, basis.model)


def _read(values: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    return values.select("report_id", "reported_by", *compared_with(kind))


def _compared(
    values: pl.DataFrame, again: pl.Series | None, large: pl.DataFrame, basis: Basis, model: Model
) -> pl.DataFrame:
    """Return the reports as `match.score` takes them, in the order of their ids; some at a time are made comparable."""
    slices = values.sort("report_id").iter_slices(CHUNK_COMPARED)
    frame = without_blocks(pl.concat(comparable(part, basis.kind, model) for part in slices), large, basis.kind)
    return frame if again is None else frame.with_columns(dirty=pl.col("report_id").is_in(again.implode()))


def _warnings(large: pl.DataFrame, keyed: pl.DataFrame, values: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Name each block over the limit: its rule, its value unless that is personal, how many reports share it."""
    rows = []
    for rule, key, reports in large.sort("reports", "rule", "key", descending=[True, False, False]).iter_rows():
        column, made_of = key_columns(kind)[rule], " + ".join(part.in_words() for part in kind.rules()[rule])
        held = keyed.filter(pl.col(column) == key).head(1).select("report_id").join(values, on="report_id")
        shown = not kind.personal and held.height
        said = ", ".join(key_values(held, kind)[column].item(0)) if shown else "not shown"
        rows.append(
            {
                "kind": kind.kind,
                "what": "block over the limit",
                "detail": f"{made_of} = {said}",
                "count": reports,
            }
        )
    return pl.DataFrame(rows, schema=ledger_records.WARNING)


def _reached(
    root: Place, basis: Basis, start: pl.Series, scored: Scored, edges: tuple[pl.DataFrame, pl.DataFrame]
) -> pl.DataFrame:
    """Return report_id, component of all that the first are tied to, before or after."""
    pairs = []
    for side, weighed in zip(("before", "after"), edges, strict=True):
        identities = _identities(root, basis, scored, side)
        pairs.append(tied(weighed, basis.decisions.filter(side), basis.rule, identities))
    near = _near(pl.concat(pairs), start)
    nodes = pl.concat([start, near["a"], near["b"]]).unique().to_frame("report_id")
    found = components(near, nodes)
    return found.filter(
        pl.col("component").is_in(found.filter(pl.col("report_id").is_in(start.implode()))["component"].implode())
    )


def _each_by_itself(told: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, component of each report alone: where all are looked at, nothing else is reached from one."""
    return told.select("report_id", pl.col("report_id").alias("component"))


def _near(pairs: pl.DataFrame, start: pl.Series) -> pl.DataFrame:
    """Return those of the pairs (a, b) that lead on from the first reports; all there are, if it is a long way."""
    held, before = start, 0
    for _ in range(ROUNDS):
        ids = held.implode()
        found = pairs.filter(pl.col("a").is_in(ids) | pl.col("b").is_in(ids))
        if found.height == before:
            return found
        held, before = pl.concat([held, found["a"], found["b"]]).unique(), found.height
    return pairs


def _decided(basis: Basis) -> list[pl.Series]:
    return [basis.decided["a"].rename("report_id"), basis.decided["b"].rename("report_id")]


def _identities(root: Place, basis: Basis, scored: Scored, side: str) -> pl.DataFrame | None:
    """Return report_id, key of all reports that declare an identity, before or after; None if the kind has none."""
    if not basis.kind.identities():
        return None
    index = _live(root, basis, "reports").collect()
    if side == "after":
        kept = index.filter(~pl.col("report_id").is_in(scored.gone.implode()))
        index = pl.concat([kept.select(scored.index.columns), scored.index])
    return declared(index, basis.kind)


def declared(keyed: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return report_id, key of the identities that reports declare; keys of different fields are different."""
    names = key_columns(kind)[len(kind.blocking) :]
    parts = [keyed.select("report_id", pl.format(f"{name}:{{}}", name).alias("key")).drop_nulls() for name in names]
    return pl.concat([pl.DataFrame(schema={"report_id": pl.String, "key": pl.String}), *parts])


def _published(
    installation: Installation,
    basis: Basis,
    deliveries: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
    edges: pl.DataFrame,
    found: tuple[Scored, pl.DataFrame],
) -> KindNight:
    (told, before, after), (scored, reached), kind = deliveries, found, basis.kind
    was, stands = (kept(side, "standing") for side in (before, after))
    within = edges.join(stands, left_on="a", right_on="report_id", how="semi")
    identities = declared(keyed(stands, kind), kind) if kind.identities() else None
    resolved = resolve(
        stands.select("report_id", "reported_by"), within, basis.decisions.filter("after"), basis.rule, identities
    )
    held = _live(installation.settings.lake, basis, "sources").join(was.lazy(), on="report_id", how="semi")
    items = held.select("report_id", "item_id").unique().collect()
    names = named(
        installation.engine, kind, resolved.clusters, told, items,
        others=lambda founders: deliveries_of(installation.settings.lake, basis, founders),
        everything=basis.everything,
    )  # fmt: skip
    model = (basis.model.digest if basis.model else kind.digest()) if basis.anew else None
    causes = _causes(basis, told, reached if names.events.height else reached.clear())
    history = with_causes(names.events, (items, names.items), causes, model)
    before, after = (
        beside(side, of.select("report_id", "item_id"), "report_id")
        for side, of in ((before, items), (after, names.items))
    )
    return KindNight(basis, scored, before, after, history, names.homes, resolved.overruled)


def _live(root: Place, basis: Basis, name: str) -> pl.LazyFrame:
    """Return a table of the kind as the last release has it."""
    return lake_records.live(root, basis.kind, f"{basis.kind.kind}_{name}", basis.released)


def _without(edges: pl.DataFrame, reports: pl.Series) -> pl.DataFrame:
    """Return the edges of which neither end is among the reports."""
    gone = reports.implode()
    return edges.filter(~pl.col("a").is_in(gone), ~pl.col("b").is_in(gone))


def _causes(basis: Basis, told: pl.DataFrame, reached: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, cause, cause_id: every report with what moved among all that it is tied to."""
    moved = told.lazy().filter(pl.col("before") != pl.col("after")).join(reached.lazy(), on="report_id", how="semi")
    came = moved.select("report_id", cause=pl.lit("submission"), cause_id="submission_id").collect()
    said = [
        basis.decided.select(
            pl.col(end).alias("report_id"),
            pl.lit("decision").alias("cause"),
            pl.col("id").cast(pl.String).alias("cause_id"),
        )
        for end in ("a", "b")
    ]
    each = pl.concat([came, *said]).join(reached, on="report_id").select("component", "cause", "cause_id").unique()
    return reached.join(each, on="component").select("report_id", "cause", "cause_id")
