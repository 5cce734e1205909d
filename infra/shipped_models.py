"""Match models that ship with the product: `schemas/models/<kind>.json`, in force until another one is pinned."""

from pathlib import Path
from typing import Final

MODELS_FOLDER: Final = Path(__file__).parent.parent / "schemas" / "models"


def shipped_model(kind: str) -> str | None:
    """Return the JSON text of the model that ships for a kind; None if none does."""
    file = MODELS_FOLDER / f"{kind}.json"
    return file.read_text(encoding="utf-8") if file.exists() else None
