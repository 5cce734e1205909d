"""The receipt: the answer to a sender about one delivery."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EarlierStatements:
    """What a delivery changes of what its sender had stated under the contract of the same periods.

    submissions: how many earlier ones count. Of the items (or reports) that the delivery mentions: new, corrected (it
    states something else), unchanged, withdrawn. absent: the items that stood of the delivery's units and periods and
    that it does not mention, the first of them in `items`; with `whole` they stand no more.
    """

    submissions: int
    new: int
    corrected: int
    unchanged: int
    withdrawn: int
    absent: int
    items: tuple[str, ...]
    whole: bool

    def sentences(self, sender: str) -> list[str]:
        """Return it in words."""
        counts = f"{self.new} new, {self.corrected} corrected, {self.unchanged} unchanged, {self.withdrawn} withdrawn"
        times = "once" if self.submissions == 1 else f"{self.submissions} times"
        lines = [f"{sender} has delivered this contract and period {times} before: {counts}"]
        if self.absent:
            end = "they are no longer published" if self.whole else "they still stand"
            shown = "; ".join(self.items) + ("; ..." if self.absent > len(self.items) else "")
            lines.append(f"not mentioned any more: {self.absent}, {end}: {shown}")
        return lines


@dataclass(frozen=True)
class Receipt:
    """The answer to a sender: what was received, what it resulted in, what is wrong with it.

    status: registered, redelivered (the same bytes again: nothing changed), restored (it had been withdrawn), rejected
    (nothing in it counts) or parked (it could not be read and waits for a person). All counts are rows, but for
    `claims`.
    """

    submission_id: str
    filename: str
    contract: str
    sender: str
    period: str | None
    status: str
    delivered: int = 0
    claims: int = 0
    rejected: int = 0
    ignored: int = 0
    warnings: int = 0
    problem: str | None = None
    earlier: EarlierStatements | None = None
    """What it changes of what the sender had delivered before, where that was asked for."""

    @property
    def has_problems(self) -> bool:
        """Whether a row or the whole file does not count."""
        return bool(self.rejected) or self.status in {"rejected", "parked"}
