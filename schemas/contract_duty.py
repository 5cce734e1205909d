"""The reporting duty that a contract answers: what one report costs, its register entry, who may see what it brings."""

from decimal import Decimal
from typing import Final, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from schemas.contract_parts import Strict

NOT_FILLED_IN: Final = "FILL IN"
"""What drafts of contracts have where only a person knows the answer; as a legal basis it is reported as unknown."""
STAND_INS: Final = (NOT_FILLED_IN, "FYLL INN")
"""The same in the languages in which drafts have it."""
NO_SENDER: Final = "someone"
"""The default sender of drafts, which stands for the one that a person fills in."""
SharedWith: TypeAlias = tuple[str, ...] | Literal["all", "none"]
"""The agencies that may see what is reported; `all` for every one, `none` for nobody but the agency itself."""


class Hours(Strict):
    """The hours that one report costs its sender, and how anyone knows."""

    value: Decimal = Field(ge=0)
    """The best estimate, in hours."""
    low: Decimal | None = Field(default=None, ge=0)
    """The least that it may be; by default the value."""
    high: Decimal | None = Field(default=None, ge=0)
    """The most that it may be; by default the value."""
    basis: Literal["declared", "estimated", "surveyed", "measured"] | None = None
    """How it is known: stated by the agency, estimated by others, asked of senders, or measured. Hours without a basis
    are reported as unknown."""
    source: str | None = None
    """The document or survey that it is from."""

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if not self.least() <= self.value <= self.most():
            raise ValueError("expected low <= value <= high")
        return self

    def least(self) -> Decimal:
        """Return the least that it may be."""
        return self.value if self.low is None else self.low

    def most(self) -> Decimal:
        """Return the most that it may be."""
        return self.value if self.high is None else self.high

    def __str__(self) -> str:
        """Return them as a reader writes them: `1 to 3.5 (surveyed)`."""
        low, high = self.least(), self.most()
        return (f"{low:f}" if low == high else f"{low:f} to {high:f}") + f" ({self.basis})"


class RegisterId(Strict):
    """The entry of the obligation in a register of reporting duties."""

    scheme: str
    """The register, as Norway's Oppgaveregisteret."""
    id: str
    """The number of the entry there."""
