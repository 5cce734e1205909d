"""The SQL that makes the DuckDB file of a package: tables with comments, views for analysts, macros over releases."""

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.claims import OBSERVATION
from schemas.package_tables import PackageTable

WIDE_VIEW: Final = "observations_wide"
_TAKEN_NAMES: Final = {column.name.lower() for column in OBSERVATION}
_VIEWS: Final = {
    WIDE_VIEW: "The published figures, each dimension of the breakdown a column; null where an item has none",
    "facts": "The published figures with the titles of their concepts, and whether the value is withheld",
    "reported_twice": "The items that more than one obligation asks for, and which they are",
}
_MACROS: Final = {
    "item_at": "The items as a release had them: SELECT * FROM item_at(3)",
    "history_of": "All changes of an item, oldest first: SELECT * FROM history_of('…')",
    "claims_of": "The claims behind an item: SELECT * FROM claims_of('…')",
}
_ITEM_AT: Final = """
CREATE MACRO item_at(number) AS TABLE
SELECT * EXCLUDE (change) FROM (
    SELECT * FROM history WHERE release <= number
    QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY release DESC) = 1
) WHERE change <> 'removed'"""
_HISTORY_OF: Final = "CREATE MACRO history_of(id) AS TABLE SELECT * FROM history WHERE item_id = id ORDER BY release"
_CLAIMS_OF: Final = """
CREATE MACRO claims_of(id) AS TABLE
SELECT * FROM sources LEFT JOIN (SELECT submission_id, filename, received_at FROM submissions) USING (submission_id)
WHERE item_id = id ORDER BY claim_id"""
_MACRO_STATEMENTS: Final = (_ITEM_AT, _HISTORY_OF, _CLAIMS_OF)
_FACTS: Final = """
CREATE VIEW facts AS
SELECT w.*, c.title_nb, c.title_nn, c.title_en, w.value IS NULL AS withheld
FROM observations_wide w LEFT JOIN concepts c USING (concept)"""
_REPORTED_TWICE: Final = """
CREATE VIEW reported_twice AS
SELECT o.*, s.obligations FROM observations o JOIN (
    SELECT item_id, list_sort(list_distinct(list(obligation))) AS obligations FROM sources GROUP BY item_id
) s USING (item_id) WHERE len(s.obligations) > 1"""


def table_sql(table: PackageTable, parquet: str) -> str:
    """Return the statement that makes a table of its Parquet file."""
    plain = parquet.translate({ord(sign): f"[{sign}]" for sign in "[*?"})  # DuckDB reads these as a pattern
    return f"CREATE TABLE {_name(table.name)} AS FROM read_parquet({_text(plain)})"


def comment_sql(table: PackageTable) -> list[str]:
    """Return the statements that comment a table and its columns."""
    lines = [_comment("TABLE", table.name, table.means)]
    return lines + [
        f"COMMENT ON COLUMN {_name(table.name)}.{_name(column.name)} IS {_text(column.doc)}" for column in table.columns
    ]


def view_sql(dimensions: Sequence[str]) -> list[str]:
    """Return the statements that make the views, for observations with these dimensions, and their comments."""
    return [*_view_statements(dimensions), *(_comment("VIEW", name, means) for name, means in _VIEWS.items())]


def macro_sql() -> list[str]:
    """Return the statements that make the macros, and their comments."""
    return [*_MACRO_STATEMENTS, *(_comment("MACRO TABLE", name, means) for name, means in _MACROS.items())]


def dimension_columns(dimensions: Iterable[str]) -> dict[str, str]:
    """Return dimension -> its column in `observations_wide`; one that is called as another in any case gets `dim_`."""
    taken, columns = set(_TAKEN_NAMES), {}
    for name in dimensions:
        column = name
        while column.lower() in taken:
            column = f"dim_{column}"
        taken.add(column.lower())
        columns[name] = column
    return columns


def _view_statements(dimensions: Sequence[str]) -> list[str]:
    columns = dimension_columns(dimensions)
    wide = "".join(
        f", json_extract_string(breakdown, {_text(_pointer(name))}) AS {_name(column)}"
        for name, column in columns.items()
    )
    return [f"CREATE VIEW {WIDE_VIEW} AS SELECT *{wide} FROM observations", _FACTS, _REPORTED_TWICE]  # noqa: S608  names, quoted


def _pointer(dimension: str) -> str:
    """Return a JSON pointer (RFC 6901): in a JSON path `*` and a backslash mean something else."""
    return "/" + dimension.replace("~", "~0").replace("/", "~1")


def _comment(what: str, name: str, means: str) -> str:
    return f"COMMENT ON {what} {_name(name)} IS {_text(means)}"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
