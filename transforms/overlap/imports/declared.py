"""What imported obligations ask, and which of them ask for the same items: overlap that is declared, without data."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import polars as pl

from schemas.claims import VALUE, VALUE_SCALE, frame_schema
from schemas.description_tables import OBLIGATION, TITLE_LANGUAGES
from schemas.record_tables import SINGLE_PARTITION

ALTERNATIVE: Final = "alternative_to"
"""Obligations of one value may be forms of one report for different reporters; null where each has its own."""
DECLARED: Final[dict[str, pl.DataType]] = {
    **frame_schema(OBLIGATION), ALTERNATIVE: pl.String(), "reports_a_year": pl.Int64(), "items": pl.List(pl.String)
}  # fmt: skip
"""The columns of imported obligations: those of the table `obligations`, reports a year, and the items asked for."""


def declared_frame(rows: Iterable[dict[str, Any]], scheme: str) -> pl.DataFrame:
    """Return imported obligations with all columns, in order of name; what a row does not state is null.

    rows: register_id, title, agency, and any other column; hours in any number type. Raises `ValueError` for a value
    that its column cannot hold.
    """
    texts = {name: pl.String() if dtype == VALUE else dtype for name, dtype in DECLARED.items()}
    try:
        frame = pl.DataFrame([_row(row, scheme) for row in rows], schema=texts).cast(pl.Schema(DECLARED))
    except (pl.exceptions.PolarsError, ArithmeticError) as error:
        raise ValueError(str(error).splitlines()[0]) from error
    return frame.sort("obligation")


def _row(row: dict[str, Any], scheme: str) -> dict[str, Any]:
    name = f"{scheme}-{row['register_id']}".lower()
    known: dict[str, Any] = {
        "obligation": name, "contract": name, "version": 1, "rhythm": "unknown", "used_by": [], "items": [],
        "register_scheme": scheme, "partition": SINGLE_PARTITION,
    }  # fmt: skip
    titles = {f"title_{language}": row["title"] for language in TITLE_LANGUAGES}
    hours = {
        n: None if (h := row.get(n)) is None else f"{float(h):.{VALUE_SCALE}f}" for n in ("hours_low", "hours_high")
    }
    return {**known, **titles, **{n: value for n, value in row.items() if n != "title"}, **hours}


def unanswered(imports: Sequence[pl.DataFrame], own: pl.DataFrame) -> pl.DataFrame:
    """Return the imported obligations, without those that a contract answers under the same register's number.

    own: the rows of the table `obligations` for the contracts.
    """
    frame = pl.concat(imports).unique("obligation", keep="last") if imports else pl.DataFrame(schema=DECLARED)
    key = ["register_scheme", "register_id"]
    return frame.join(own.select(key).drop_nulls(), on=key, how="anti").sort("obligation")


def asked_items(declared: pl.DataFrame) -> pl.DataFrame:
    """Return the cells of the matrix: obligation, item, agency, group (of the forms that may be alternatives)."""
    group = pl.coalesce(ALTERNATIVE, "agency").alias("group")
    cells = declared.select("obligation", "agency", group, item="items").explode("item", empty_as_null=True)
    return cells.drop_nulls("item").unique(maintain_order=True)


def declared_overlap(declared: pl.DataFrame) -> pl.DataFrame:
    """Return each pair of obligations that ask for a common item: obligation_a, obligation_b, items; most items first.

    items_a, items_b: how many items each asks for. is_alternative: whether they may be forms of one report.
    """
    pairs = _common(asked_items(declared)).filter(pl.col("obligation_a") < pl.col("obligation_b"))
    return pairs.with_columns(is_alternative=pl.col("group_a") == pl.col("group_b")).select(
        "obligation_a", "obligation_b", "items", "items_a", "items_b", "is_alternative"
    ).sort(["items", "obligation_a", "obligation_b"], descending=[True, False, False])  # fmt: skip


def contained_elsewhere(declared: pl.DataFrame) -> pl.DataFrame:
    """Return the obligations whose every item one obligation of another agency asks for too: obligation, in.

    An obligation that only an alternative of its own asks for is none of them: other reporters answer that one.
    """
    within = (pl.col("items") == pl.col("items_a")) & (pl.col("group_a") != pl.col("group_b"))
    found = _common(asked_items(declared)).filter(within)
    return found.group_by(obligation="obligation_a").agg(pl.col("obligation_b").sort().alias("in")).sort("obligation")


def items_of_agencies(declared: pl.DataFrame) -> pl.DataFrame:
    """Return each item with how many agencies and how many obligations ask for it, the most asked first."""
    counts = asked_items(declared).group_by("item")
    asked = counts.agg(agencies=pl.col("agency").n_unique(), obligations=pl.col("obligation").n_unique())
    return asked.sort(["agencies", "obligations", "item"], descending=[True, True, False])


def _common(cells: pl.DataFrame) -> pl.DataFrame:
    """Return each ordered pair of obligations with common items, and their number; by sets of obligations."""
    # Items that the same obligations ask for are counted together: registers have few such sets, and many items.
    by_item = cells.group_by("item").agg(obligation=pl.col("obligation").sort())
    sets = by_item.group_by("obligation").agg(items=pl.len()).with_row_index("set")
    members = sets.explode("obligation", empty_as_null=True)
    pairs = members.join(members.drop("items"), on="set", suffix="_b").filter(
        pl.col("obligation") != pl.col("obligation_b")
    )
    sizes = cells.group_by("obligation", "group").agg(size=pl.len())
    return (
        pairs.group_by(obligation_a="obligation", obligation_b="obligation_b").agg(pl.col("items").sum())
        .join(sizes.rename({"obligation": "obligation_a", "group": "group_a", "size": "items_a"}), on="obligation_a")
        .join(sizes.rename({"obligation": "obligation_b", "group": "group_b", "size": "items_b"}), on="obligation_b")
    )  # fmt: skip
