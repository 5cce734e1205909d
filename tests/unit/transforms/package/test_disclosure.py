"""What pages, packages and Prefect's page may show to anybody."""

import pytest

from transforms.package.disclosure import Disclosure

LIMITS = Disclosure(closed=("closed",), closed_obligations=(), personal=(("persons", "age"),), least={"rare": 5})
FREE = {"table": "observations", "what": "costs {} Oslo", "contract": "a, b", "before": "1 (single)", "after": None}


@pytest.mark.parametrize(
    ("differs", "shown"),
    [
        ({}, True),
        ({"contract": "a"}, True),
        ({"contract": "a, closed"}, False),
        ({"contract": "persons", "what": "costs {} Oslo"}, False),
        ({"contract": "a, removed"}, False),
        ({"contract": None}, False),
        ({"what": "rare {} Oslo"}, False),
        ({"before": "withheld (conflict)"}, False),
        ({"after": "withheld (single)"}, False),
        ({"table": "incident"}, False),
    ],
)
def test_a_change_is_for_anybody_if_nothing_of_it_has_a_limit(differs: dict[str, str | None], shown: bool) -> None:
    change = {**FREE, **differs}
    assert LIMITS.changes_for_anybody([change], {"a", "b", "closed", "persons"}) == [change] * shown
