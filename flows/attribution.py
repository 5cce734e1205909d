"""Who takes a decision, and why: checked before the ledger stores it."""

from infra.settings import user_name
from schemas.errors import UsageError
from transforms.linkage.decisions import MAX_TEXT_LENGTH


def attribution(who: str | None, why: str) -> dict[str, str]:
    """Return `who` (by default the user who runs this) and `why`, without outer white space.

    Raises `UsageError` if one is empty, too long or not printable.
    """
    return {"who": _checked("who", who or user_name()), "why": _checked("why", why)}


def _checked(option: str, text: str) -> str:
    stripped = text.strip()
    if not 0 < len(stripped) <= MAX_TEXT_LENGTH or not stripped.isprintable():
        raise UsageError(f"--{option}: expected 1 to {MAX_TEXT_LENGTH} characters that can be printed")
    return stripped
