"""The register of reporting units built from code lists.

A link is one validity of a code with its name. A change with one link on either side joins the two into one unit (a
renaming, a renumbering); every other change ends units and begins others: merged parts are derivable into the whole,
and what was split is ambiguous, for ever. So a unit is a chain of links, named for its oldest one.
"""

import hashlib
from typing import Final

import polars as pl

from schemas.errors import RegisterError
from transforms.register.lookup import Register, tidy_name

LINK: Final = ("kind", "code", "valid_from")
"""What identifies a link."""
COUNTY: Final = "county"
MUNICIPALITY: Final = "municipality"
COUNTY_DIGITS: Final = 2
"""How many of a municipality's digits are its county's."""


def build_register(units: pl.DataFrame, changes: pl.DataFrame) -> Register:
    """Build the register; a link told twice must be told alike, and no code may have two at once, or RegisterError.

    units: kind, code, name, valid_from (null: as long as the changes reach back, if they never name the code),
        valid_to (null is open) and, optionally, aliases (further names, `|` between them)
    changes: kind, and old_ and new_ code, name, valid_from, valid_to
    """
    changes = changes.unique(maintain_order=True)
    links = _checked(_links(units, changes))
    edges = _edges(changes)
    links = _identified(links, edges)
    edges = _between_units(edges, links)
    told = {
        "units": links.select("unit_id", "kind", "code", "name", "valid_from", "valid_to"),
        "names": _names(links),
        "edges": edges,
    }
    told = {table: frame.sort(frame.columns) for table, frame in told.items()}
    content = "".join(frame.write_csv() for frame in told.values())
    return Register(**told, digest=hashlib.sha256(content.encode()).hexdigest()[:16])


def _links(units: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """Return every link told by the lists and by either side of a change, once each, identical tellings made one."""
    if "aliases" not in units.columns:
        units = units.with_columns(aliases=pl.lit(None, pl.String))
    fields = ("code", "name", "valid_from", "valid_to")
    sides = [
        changes.select(
            "kind", *(pl.col(f"{side}_{f}").alias(f) for f in fields), pl.lit(None, pl.String).alias("aliases")
        )
        for side in ("old", "new")
    ]
    changed = pl.concat(sides)
    undated = units.filter(pl.col("valid_from").is_null()).join(changed, on=["kind", "code"], how="anti")
    since = changed.group_by("kind").agg(pl.col("valid_from").min())
    undated = undated.drop("valid_from").join(since, on="kind", how="left")
    told = [*sides, *(u.select(sides[0].columns) for u in (units.filter(pl.col("valid_from").is_not_null()), undated))]
    link = [pl.col("name", "valid_to").n_unique().name.prefix("tellings_of_"), pl.col("name", "valid_to").first()]
    return (
        pl.concat(told)
        .group_by(LINK)
        .agg(*link, pl.col("aliases").drop_nulls().unique().sort().str.join("|"))
        .sort(LINK)
    )


def _checked(links: pl.DataFrame) -> pl.DataFrame:
    """Return the links if they can stand together; else a RegisterError that names the first that cannot."""
    nothing = pl.lit(False)
    following = pl.col("valid_from").shift(-1).over("kind", "code", order_by="valid_from")
    wrong = {
        "has no code or no name": pl.any_horizontal(pl.col("code", "name").is_null()),
        "has no date: give valid_from, or the table of changes": pl.col("valid_from").is_null(),
        "is told with different names": pl.col("tellings_of_name") > 1,
        "is told with different ends": pl.col("tellings_of_valid_to") > 1,
        "ends before it begins": pl.col("valid_to") <= pl.col("valid_from"),
        "overlaps the code's next validity": pl.coalesce(
            following < pl.col("valid_to"), following.is_not_null() & pl.col("valid_to").is_null()
        ),
    }
    for what, condition in wrong.items():
        bad = links.filter(condition | nothing)
        if bad.height:
            kind, code, start = bad.select(LINK).row(0)
            raise RegisterError(f"the code list cannot stand: {kind} {code!r} from {start} {what} ({bad.height} such)")
    return links.select(*LINK, "name", "valid_to", "aliases")


def _edges(changes: pl.DataFrame) -> pl.DataFrame:
    """Return the changes with relation and whole; one that does not join end to beginning is a RegisterError."""
    torn = changes.filter(pl.col("old_valid_to").ne_missing(pl.col("new_valid_from")))
    if torn.height:
        kind, old, new = torn.select("kind", "old_code", "new_code").row(0)
        raise RegisterError(
            f"a change of {kind} {old!r} to {new!r}: the new one must begin when the old one ends ({torn.height} such)"
        )
    outgoing = pl.len().over("kind", "old_code", "old_valid_from")
    incoming = pl.len().over("kind", "new_code", "new_valid_from")
    relation = pl.when(outgoing > 1).then(pl.lit("split")).when(incoming > 1).then(pl.lit("merged"))
    edges = changes.with_columns(relation=relation.otherwise(pl.lit("same")))
    return edges.with_columns(whole=(pl.col("relation") != "split").all().over("kind", "new_code", "new_valid_from"))


def _identified(links: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Return the links with their unit_id: kind:code@valid_from of the oldest link of the chain."""
    links = links.with_row_index("at")
    sides = {f"{side}_{f}": f for side in ("old", "new") for f in ("code", "valid_from")}
    same = edges.filter(pl.col("relation") == "same").select("kind", *sides)
    places = links.select("at", *LINK)
    for side in ("old", "new"):
        same = same.join(
            places.rename({"at": side}), left_on=["kind", f"{side}_code", f"{side}_valid_from"], right_on=LINK
        )
    before = links.select("at").join(same.select(at="new", old="old"), on="at", how="left", maintain_order="left")
    oldest = before.select(pl.coalesce("old", "at")).to_series()
    # Each turn doubles how far back a link sees, so the longest chain is walked in a few.
    while not (further := oldest.gather(oldest)).equals(oldest):
        oldest = further
    number = pl.col("kind") == "organisation"
    unit_id = pl.concat_str(
        "kind", pl.lit(":"), "code", pl.when(~number).then(pl.format("@{}", "valid_from")).otherwise(pl.lit(""))
    )
    return links.drop("at").with_columns(links.select(unit_id.gather(oldest).alias("unit_id")).to_series())


def _between_units(edges: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    ids = links.select(*LINK, "unit_id")
    for side in ("old", "new"):
        keys = ["kind", f"{side}_code", f"{side}_valid_from"]
        edges = edges.join(ids.rename({"unit_id": f"{side}_unit"}), left_on=keys, right_on=LINK)
    date = pl.col("new_valid_from").alias("date")
    return edges.select("kind", "old_unit", "new_unit", "old_code", "new_code", date, "relation", "whole")


def _names(links: pl.DataFrame) -> pl.DataFrame:
    """Return every way to write the name of a link, with the link's county added, for the time that both hold."""
    several = pl.concat_list("name", pl.col("aliases").str.split("|"))
    names = _ways(links.with_columns(name=several).explode("name").filter(pl.col("name") != ""))
    counties = names.filter(pl.col("kind") == COUNTY).select(
        county_code="code", county="name", since="valid_from", until="valid_to"
    )
    placed = names.filter((pl.col("kind") == MUNICIPALITY) & ~pl.col("name").str.contains("(", literal=True))
    prefix = pl.col("code").str.head(COUNTY_DIGITS)
    placed = placed.join(counties, left_on=prefix, right_on="county_code").with_columns(
        name=pl.format("{} ({})", "name", "county"),
        valid_from=pl.max_horizontal("valid_from", "since"),
        valid_to=pl.min_horizontal("valid_to", "until"),
    )
    columns = ("kind", "name", "unit_id", "valid_from", "valid_to")
    sound = (pl.col("valid_from") < pl.col("valid_to")).fill_null(True)
    return pl.concat([names.select(columns), placed.filter(sound).select(columns)]).unique()


def _ways(named: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each way to write each name: whole, without its county, half of a pair, a pair in any order."""
    whole = named.with_columns(name=tidy_name(pl.col("name")))
    bare = whole.with_columns(name=pl.col("name").str.replace(r" \([^()]*\)$", ""))
    spaced = bare.with_columns(name=pl.col("name").str.replace_all(" - ", " ", literal=True))
    halves = bare.with_row_index("of").with_columns(pl.col("name").str.split(" - ")).explode("name")
    others = halves.select("of", other="name")
    pairs = halves.join(others, on="of").filter(pl.col("name") != pl.col("other"))
    joined = [pairs.with_columns(name=pl.concat_str("name", "other", separator=between)) for between in (" - ", " ")]
    ways = [whole, bare, spaced, *(frame.select(whole.columns) for frame in (halves, *joined))]
    return pl.concat(ways).unique()
