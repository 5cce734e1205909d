"""What an agency may not be shown replaces nothing of its obligations."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from flows.overlap.sharing import obligations_not_shared

if TYPE_CHECKING:
    from flows.installation import Installation

SHARED: dict[str, Any] = {"unstated": None, "open": "all", "closed": "none", "named": ("A",), "others": ("C",)}


@pytest.mark.parametrize(("agency", "hidden"), [("A", ["closed", "others"]), ("B", []), ("C", ["closed", "named"])])
def test_the_contract_states_who_may_be_shown(agency: str, hidden: list[str]) -> None:
    of_b = {name: SimpleNamespace(obligation=name, agency="B", may_share=shared) for name, shared in SHARED.items()}
    own = SimpleNamespace(obligation="own", agency=agency, may_share="none")
    installation = cast("Installation", SimpleNamespace(contracts={**of_b, "own": own}))
    assert obligations_not_shared(installation, "own") == hidden
