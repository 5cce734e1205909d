"""What a contract takes from an XML document: where each column is, and what is ignored."""

import pytest

from schemas.contract import Contract, read_contract
from tests.support.shaped_deliveries import END
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.parsing.xml.plan import TEXT, PlanNode, plan_of

BODY = """sender: {{default: me}}
format: {{type: xml, rows: {rows}}}
ignore: {ignore}
unit: {{column: "{unit}", kind: municipality}}
period: {{column: "{period}", type: year}}
claims:
  - {{concept: costs, column: "{figure}", reported_by: {{option: sender}}, unit_measure: {{value: NOK}}}}
"""


def contract(
    rows: str = "F.K.R",
    unit: str = "F.K.@u",
    period: str = "F.Head.year",
    figure: str = "F.K.R[].n",
    ignore: str = "[]",
) -> Contract:
    text = BODY.format(rows=rows, unit=unit, period=period, figure=figure, ignore=ignore)
    return read_contract(CONTRACT_HEAD + text + END)


def node(plan_path: str, made: Contract) -> PlanNode:
    """Return the node at a path of names."""
    found = plan_of(made).root
    for name in plan_path.split("."):
        found = found.children[name]
    return found


def test_each_column_is_at_its_element_or_attribute_and_in_the_level_around_it() -> None:
    plan = plan_of(contract())
    numbers = {name: number for number, name in enumerate(plan.names)}
    assert set(numbers) == {"F.K.@u", "F.Head.year", "F.K.R[].n"}
    assert node("F.K", contract()).columns == {"u": numbers["F.K.@u"]}
    assert node("F.Head.year", contract()).columns == {TEXT: numbers["F.Head.year"]}
    assert node("F.K.R.n", contract()).columns == {TEXT: numbers["F.K.R[].n"]}
    assert plan.levels == [[numbers["F.Head.year"]], [numbers["F.K.@u"]], [numbers["F.K.R[].n"]]]
    assert (plan.rows_name, plan.row.path, plan.strict) == ("R", "F.K.R[]", True)
    assert [node(path, contract()).level for path in ("F", "F.K", "F.K.R", "F.Head", "F.K.R.n")] == [
        0,
        1,
        2,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("unit", "level"),
    [
        ("F.@u", 0), ("F.Kx.u", 0), ("F.K.@u", 1), ("F.K.u", 1), ("F.K.Other.@u", 1), ("F.K.R[].@u", 2),
        ("F.K.R[].a.b", 2),
    ],
)  # fmt: skip
def test_the_level_of_a_column_is_the_nearest_element_around_it_and_the_rows(unit: str, level: int) -> None:
    plan = plan_of(contract(unit=unit))
    assert plan.names.index(unit) in plan.levels[level]
    assert sum(map(len, plan.levels)) == len(plan.names)


@pytest.mark.parametrize(
    ("ignored", "path", "attributes", "unread"),
    [
        ("F.Head.@id", "F.Head", {"id"}, False),
        ("F.Note", "F.Note", set(), True),
        ("F.K.R[].@id", "F.K.R", {"id"}, False),
        ("F.K.R[].note", "F.K.R.note", set(), True),
        ("F.Head", "F.Head", set(), False),  # a column is in it
        ("F.K.R[].n", "F.K.R.n", set(), False),  # it is a column
    ],
)
def test_what_is_ignored_is_an_attribute_or_an_element_of_which_nothing_is_read(
    ignored: str, path: str, attributes: set[str], unread: bool
) -> None:
    if ignored == "F.K.R[].n":
        made = contract().model_copy(update={"ignore": (ignored,)})
    else:
        made = contract(ignore=f'["{ignored}"]')
    found = node(path, made)
    assert found.ignored_attributes == attributes
    assert found.ignored is not bool(attributes)
    assert found.unread is unread
    assert plan_of(made).strict


def test_only_a_contract_that_ignores_the_rest_is_lenient() -> None:
    assert not plan_of(contract(ignore="rest")).strict


def test_a_child_is_found_by_its_name_or_by_steps() -> None:
    root = PlanNode("")
    deep = root.below("a.b.c")
    assert (deep.path, root.below("a.b.c")) == ("a.b.c", deep)
    assert root.below("") is root
    assert root.child("a.b.c") is deep
    assert root.child("a") is root.children["a"]
    assert root.child("a.x.c") is None
    assert root.child("x") is None
    assert root.child("x.y") is None
    dotted = root.children["a"].children.setdefault("b.c", PlanNode("dotted"))
    assert root.children["a"].child("b.c") is dotted
