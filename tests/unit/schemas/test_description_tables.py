"""The tables that describe a release: their columns, and that no record kind has their names."""

from infra.mart.star import DERIVED_TABLES
from schemas.description_tables import DESCRIPTION_TABLES
from schemas.kind import RESERVED_KINDS
from schemas.package_tables import COMMON_TABLES
from schemas.record_tables import SINGLE_PARTITION


def test_no_record_kind_can_have_the_name_of_a_table_or_view() -> None:
    assert DESCRIPTION_TABLES.keys() <= set(RESERVED_KINDS)
    packaged = {table.name for table in COMMON_TABLES}
    of_the_mart = {"mart", "sync", "progress", *DERIVED_TABLES}
    views = {"observations_wide", "facts", "reported_twice"}
    assert packaged | of_the_mart | views <= set(RESERVED_KINDS)


def test_each_has_titles_in_three_languages_or_is_of_units_and_one_partition() -> None:
    for name, columns in DESCRIPTION_TABLES.items():
        names = [column.name for column in columns]
        assert len(names) == len(set(names))
        assert name == "units" or {"title_nb", "title_nn", "title_en"} <= set(names)
        assert SINGLE_PARTITION in columns[-1].doc
