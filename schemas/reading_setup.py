"""Digests of what decides how a delivery is read: two processes compare them, and no secret crosses."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

SETUP_DIGITS: Final = 16
_PURPOSE: Final = b"engang: the same key?"


def digest_of_models(models: Mapping[str, BaseModel]) -> str:
    """Return a digest of contracts or record kinds, with all that the vocabulary adds to them."""
    contents = {name: model.model_dump(mode="json") for name, model in models.items()}
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()[:SETUP_DIGITS]


def digest_of_key(key: str | None) -> str:
    """Return what shows whether two keys are the same and nothing else of them; "" for none."""
    return "" if key is None else hmac.new(key.encode(), _PURPOSE, hashlib.sha256).hexdigest()[:SETUP_DIGITS]
