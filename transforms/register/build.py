"""The register of reporting units built from code lists.

A link is one validity period of a code with its name. A change with one link on either side joins the two into one
unit (a renaming, a renumbering); every other change ends units and begins others: merged parts add up to the whole, and
a unit that was split stays ambiguous. So a unit is a chain of links, with the id of its oldest link.
"""

import hashlib
from typing import Final

import polars as pl

from schemas.errors import RegisterError
from transforms.register.lookup import CODES, Register, tidy_name

LINK: Final = ("kind", "code", "valid_from")
"""The columns that identify a link."""
COUNTY: Final = "county"
MUNICIPALITY: Final = "municipality"
COUNTY_DIGITS: Final = 2
"""How many leading digits of a municipality's code are its county's."""


def build_register(units: pl.DataFrame, changes: pl.DataFrame) -> Register:
    """Build the register.

    Raises `RegisterError` if two statements of a link differ, or if a code has two links at once.

    units: kind, code, name, valid_from (null: since the first change, if no change mentions the code), valid_to (null
        is open) and, optionally, aliases (further names) and codes (those of other systems, `code:SYSTEM=CODE`), both
        separated by `|`
    changes: kind, and old_ and new_ code, name, valid_from, valid_to
    """
    changes = changes.unique(maintain_order=True)
    links = _check_links(_links(units, changes))
    edges = _edges(changes)
    links = _add_unit_ids(links, edges)
    edges = _unit_edges(edges, links)
    tables = {
        "units": links.select("unit_id", "kind", "code", "name", "valid_from", "valid_to"),
        "names": _names(links),
        "edges": edges,
    }
    if (codes := _codes(links)).height:  # without any the digest is that of before they existed
        tables["codes"] = codes
    tables = {table: frame.sort(frame.columns) for table, frame in tables.items()}
    content = "".join(frame.write_csv() for frame in tables.values())
    return Register(**tables, digest=hashlib.sha256(content.encode()).hexdigest()[:16])


def _links(units: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """Return every link of the lists and of either side of a change, identical statements merged."""
    more = ("aliases", "codes")
    units = units.with_columns(pl.lit(None, pl.String).alias(name) for name in more if name not in units.columns)
    fields = ("code", "name", "valid_from", "valid_to")
    nothing = [pl.lit(None, pl.String).alias(name) for name in more]
    sides = [
        changes.select("kind", *(pl.col(f"{side}_{f}").alias(f) for f in fields), *nothing) for side in ("old", "new")
    ]
    changed = pl.concat(sides)
    undated = units.filter(pl.col("valid_from").is_null()).join(changed, on=["kind", "code"], how="anti")
    since = changed.group_by("kind").agg(pl.col("valid_from").min())
    undated = undated.drop("valid_from").join(since, on="kind", how="left")
    statements = [
        *sides,
        *(u.select(sides[0].columns) for u in (units.filter(pl.col("valid_from").is_not_null()), undated)),
    ]
    counts = pl.col("name", "valid_to").n_unique().name.prefix("statements_of_")
    link = [counts, pl.col("name", "valid_to").first()]
    return (
        pl.concat(statements)
        .group_by(LINK)
        .agg(*link, pl.col(more).drop_nulls().unique().sort().str.join("|"))
        .sort(LINK)
    )


def _check_links(links: pl.DataFrame) -> pl.DataFrame:
    """Return the links if they are consistent; raise a `RegisterError` with the first that is not."""
    nothing = pl.lit(False)
    following = pl.col("valid_from").shift(-1).over("kind", "code", order_by="valid_from")
    wrong = {
        "has no code or no name": pl.any_horizontal(pl.col("code", "name").is_null()),
        "has no date: give valid_from, or the table of changes": pl.col("valid_from").is_null(),
        "has different names": pl.col("statements_of_name") > 1,
        "has different ends": pl.col("statements_of_valid_to") > 1,
        "ends before it begins": pl.col("valid_to") <= pl.col("valid_from"),
        "overlaps the code's next validity": pl.coalesce(
            following < pl.col("valid_to"), following.is_not_null() & pl.col("valid_to").is_null()
        ),
    }
    for what, condition in wrong.items():
        bad = links.filter(condition | nothing)
        if bad.height:
            kind, code, start = bad.select(LINK).row(0)
            raise RegisterError(
                f"the code list is inconsistent: {kind} {code!r} from {start} {what} ({bad.height} such)"
            )
    return links.select(*LINK, "name", "valid_to", "aliases", "codes")


def _edges(changes: pl.DataFrame) -> pl.DataFrame:
    """Return the changes with relation and whole; raise a `RegisterError` if one leaves a gap or an overlap."""
    gaps = changes.filter(pl.col("old_valid_to").ne_missing(pl.col("new_valid_from")))
    if gaps.height:
        kind, old, new = gaps.select("kind", "old_code", "new_code").row(0)
        raise RegisterError(
            f"a change of {kind} {old!r} to {new!r}: the new one must begin when the old one ends ({gaps.height} such)"
        )
    outgoing = pl.len().over("kind", "old_code", "old_valid_from")
    incoming = pl.len().over("kind", "new_code", "new_valid_from")
    relation = pl.when(outgoing > 1).then(pl.lit("split")).when(incoming > 1).then(pl.lit("merged"))
    edges = changes.with_columns(relation=relation.otherwise(pl.lit("same")))
    return edges.with_columns(whole=(pl.col("relation") != "split").all().over("kind", "new_code", "new_valid_from"))


def _add_unit_ids(links: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
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
    # Each pass doubles how far back a link reaches, so a few passes walk the longest chain.
    while not (further := oldest.gather(oldest)).equals(oldest):
        oldest = further
    number = pl.col("kind") == "organisation"
    unit_id = pl.concat_str(
        "kind", pl.lit(":"), "code", pl.when(~number).then(pl.format("@{}", "valid_from")).otherwise(pl.lit(""))
    )
    return links.drop("at").with_columns(links.select(unit_id.gather(oldest).alias("unit_id")).to_series())


def _unit_edges(edges: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    ids = links.select(*LINK, "unit_id")
    for side in ("old", "new"):
        keys = ["kind", f"{side}_code", f"{side}_valid_from"]
        edges = edges.join(ids.rename({"unit_id": f"{side}_unit"}), left_on=keys, right_on=LINK)
    date = pl.col("new_valid_from").alias("date")
    return edges.select("kind", "old_unit", "new_unit", "old_code", "new_code", date, "relation", "whole")


def _names(links: pl.DataFrame) -> pl.DataFrame:
    """Return every way to write the name of a link, also with its county added for the time that both are valid."""
    several = pl.concat_list("name", pl.col("aliases").str.split("|"))
    names = _spellings(links.with_columns(name=several).explode("name").filter(pl.col("name") != ""))
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


def _codes(links: pl.DataFrame) -> pl.DataFrame:
    """Return the codes of links in other code systems."""
    codes = links.with_columns(pl.col("codes").str.split("|")).explode("codes").filter(pl.col("codes") != "")
    parts = pl.col("codes").str.splitn("=", 2)
    system, code = (parts.struct.field(f"field_{i}").str.strip_chars() for i in (0, 1))
    found = codes.select("kind", "unit_id", "valid_from", "valid_to", system=system, code=code)
    return found.select(CODES.names()).filter(pl.col("code") != "").unique()


def _spellings(names: pl.DataFrame) -> pl.DataFrame:
    """Return one row per way to write each name: whole, without county, half of a pair, a pair in either order."""
    whole = names.with_columns(name=tidy_name(pl.col("name")))
    bare = whole.with_columns(name=pl.col("name").str.replace(r" \([^()]*\)$", ""))
    spaced = bare.with_columns(name=pl.col("name").str.replace_all(" - ", " ", literal=True))
    halves = bare.with_row_index("of").with_columns(pl.col("name").str.split(" - ")).explode("name")
    others = halves.select("of", other="name")
    pairs = halves.join(others, on="of").filter(pl.col("name") != pl.col("other"))
    joined = [pairs.with_columns(name=pl.concat_str("name", "other", separator=between)) for between in (" - ", " ")]
    spellings = [whole, bare, spaced, *(frame.select(whole.columns) for frame in (halves, *joined))]
    return pl.concat(spellings).unique()
