"""Where the mart is, by the setting or as a command names it."""

from typing import Final

from flows.installation import Installation
from infra.mart.connection import MartAddress
from schemas.errors import UsageError

__all__ = ["SETTING", "MartAddress", "configured_address"]

SETTING: Final = "ENGANG_MART"


def configured_address(installation: Installation) -> MartAddress:
    """Return the address that the setting has; `UsageError` without one."""
    if installation.settings.mart is None:
        raise UsageError(f"no mart is set: give its URL without a password, or set {SETTING}=postgresql://...")
    return MartAddress(installation.settings.mart, SETTING)
