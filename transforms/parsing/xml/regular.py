"""The fast way through a large document of plain rows, the same as the walk gives.

A regular row is one element whose attributes and child elements the contract names and whose children hold text alone.
One regular expression proves it of each row; rows that fail the proof, and all that is around the rows, are walked.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.reading_limits import ReadingLimits
from transforms.parsing.xml.plan import TEXT, Plan
from transforms.parsing.xml.walk import Walker, check_well_formed, new_parser

LARGE: Final = 1 << 20
"""A smaller document is walked."""
_MOST_IRREGULAR: Final = 0.25
"""With a greater share of irregular rows the whole document is walked."""
_ENTITIES: Final = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
_NAME: Final = r"[^\s<>/=\"'&;:]+"


@dataclass(frozen=True)
class _Pieces:
    """A document as its beginning, its rows (row, piece) and its end."""

    head: bytes
    rows: pl.DataFrame
    tail: bytes


def read_regular(data: bytes, plan: Plan, limits: ReadingLimits) -> tuple[pl.DataFrame, Walker] | None:
    """Return the rows of a document, and the walker that read the rest of it; None if it has to be walked as a whole.

    Raises `SubmissionError`, `UnreadError`.
    """
    if len(data) < LARGE or b"<!" in data or data.find(b"<?", 2) >= 0 or not _can_be_regular(plan):
        return None
    pieces = _split(data, plan)
    if pieces is None:
        return None
    check_well_formed(data, new_parser())
    rows = pieces.rows.with_columns(regular=_is_regular(plan) & (pl.col("row") > 1))
    odd = rows.filter(~pl.col("regular"))
    if odd.height > max(1, _MOST_IRREGULAR * rows.height):
        return None
    walker = Walker(plan, limits)
    walked = walker.read(b"".join([pieces.head, *(piece.encode() for piece in odd["piece"]), pieces.tail]))
    if walked.height != odd.height:
        return None
    walked = walked.with_columns(odd["row"])
    regular = rows.filter("regular").select("row", *_texts(plan, walked))
    return pl.concat([walked, regular]).sort("row"), walker


def _can_be_regular(plan: Plan) -> bool:
    """Return whether the columns of a row are attributes of it and texts of its children."""
    nodes = plan.row.children.values()
    return TEXT not in plan.row.columns and all(set(node.columns) <= {TEXT} and not node.children for node in nodes)


def _split(data: bytes, plan: Plan) -> _Pieces | None:
    """Return the document in pieces if its rows follow each other with nothing between them."""
    name = re.escape(plan.rows_name.encode())
    first = re.search(rb"<" + name + rb"[\s/>]", data)
    if first is None:
        return None
    end = data.rfind(b"</" + plan.rows_name.encode())
    last = data.rfind(b"<" + plan.rows_name.encode())
    end = data.find(b">", max(end, last)) + 1
    body = pl.Series("piece", [data[first.start() : end]], dtype=pl.Binary).cast(pl.String)
    row = rf"<{name.decode()}(?:\s[^<>]*)?(?:/>|>(?s:.*?)</{name.decode()}\s*>)\s*"
    pieces = body.str.extract_all(row).explode()
    if pieces.str.len_bytes().sum() != end - first.start():
        return None
    rows = pieces.to_frame().with_row_index("row", offset=1).with_columns(pl.col("row").cast(pl.Int32))
    return _Pieces(data[: first.start()], rows, data[end:])


def _is_regular(plan: Plan) -> pl.Expr:
    """Return whether a piece is a row whose attributes and children are known, each mapped child at most once."""
    piece = pl.col("piece")
    row = re.escape(plan.rows_name)
    attributes = _one_of([*plan.row.columns, *plan.row.ignored_attributes]) if plan.strict else _NAME
    own = rf'(?:\s+(?:{attributes})="[^"<\n\t]*")*' if attributes else ""
    children = _one_of(plan.row.children) if plan.strict else _NAME
    child = rf"(?:<(?:{children})(?:\s*/>|>[^<]*</{_NAME}>)\s*)*" if children else ""
    whole = piece.str.contains(rf"^<{row}{own}\s*(?:/>|>\s*{child}</{row}>)\s*$")
    names = _mapped_children(plan)
    if not names:
        return whole & ~piece.str.contains("&#", literal=True)
    found = pl.sum_horizontal(_child_text(name).is_not_null() for name in names)
    once = piece.str.count_matches(f"</(?:{_one_of(names)})>") == found
    return whole & once & ~piece.str.contains("&#", literal=True)


def _one_of(names: Iterable[str]) -> str:
    return "|".join(map(re.escape, names))


def _mapped_children(plan: Plan) -> list[str]:
    return [name for name, node in plan.row.children.items() if node.columns]


def _child_text(name: str) -> pl.Expr:
    return pl.col("piece").str.extract(f"<{re.escape(name)}>([^<]*)</", 1)


def _attribute_text(plan: Plan, name: str) -> pl.Expr:
    others = r'(?:\s+[^\s=]+="[^"]*")*?'
    return pl.col("piece").str.extract(rf'^<{re.escape(plan.rows_name)}{others}\s+{re.escape(name)}="([^"]*)"', 1)


def _texts(plan: Plan, walked: pl.DataFrame) -> list[pl.Expr]:
    """Return the texts of regular rows; those of columns around the rows are the same for all."""
    texts = {number: _attribute_text(plan, name) for name, number in plan.row.columns.items()}
    for name, node in plan.row.children.items():
        texts |= dict.fromkeys(node.columns.values(), _child_text(name).str.strip_chars(" \t\r\n"))
    columns = []
    for number, column in enumerate(plan.names):
        if number in texts:
            text = texts[number].fill_null("")
            plain = text.str.replace_many(list(_ENTITIES), list(_ENTITIES.values()))
            columns.append(pl.when(text.str.contains("&", literal=True)).then(plain).otherwise(text).alias(column))
        else:
            columns.append(pl.lit(walked[column][0]).alias(column))
    return columns
