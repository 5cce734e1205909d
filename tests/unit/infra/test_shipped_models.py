"""The models that ship fit the kinds that ship."""

import pytest

from infra.shipped_models import MODELS_FOLDER, shipped_model
from schemas.kind import load_kinds
from transforms.linkage.comparisons import compares_as_declared
from transforms.linkage.model import parse_model

KINDS = load_kinds()
SHIPPED = sorted(path.stem for path in MODELS_FOLDER.glob("*.json"))


def test_a_kind_without_a_model_has_none() -> None:
    assert {"incident", "rail_accident"} <= {*SHIPPED}
    assert shipped_model("power_plant") is None


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_compares_as_its_kind_declares(name: str) -> None:
    text = shipped_model(name)
    assert text is not None
    model = parse_model(text)
    assert model.match_digest == KINDS[name].match_digest()
    assert compares_as_declared(model, KINDS[name])
