"""What a changed contract would read otherwise: given files, or the contracts' own examples, read by both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.intake.archives import read_files
from flows.intake.deliveries import landing_note, make_delivery
from flows.intake.isolation import read_isolated
from flows.intake.reading import Reading
from infra.files import input_text
from infra.storage import landing
from schemas.contract import Contract, read_contract
from schemas.errors import UsageError
from schemas.record_contract import check_records
from transforms.examples.example_file import example_bytes
from transforms.normalisation.observations import Normalised
from transforms.reading_changes import CHANGES, CLAIM_FIELDS, compare_readings, count_changes, list_changes

CHANGES_LISTED: Final = 20
"""Statements that differ, of each file, that are listed."""
NOT_COMPARED: Final = ("submission_id", "sender", "contract", "report_id", "content_hash", "partition", "row")
"""Columns of records that name the reading, not what it states."""


@dataclass(frozen=True)
class FileDifference:
    """One file, read by both contracts.

    counts: the statements that are the same, changed, only in the old or only in the new reading. rejected, ignored:
    rows, of the old and of the new reading. problems: why a whole file is rejected or cannot be read, old and new.
    """

    file: str
    counts: dict[str, int]
    rejected: tuple[int, int]
    ignored: tuple[int, int]
    problems: tuple[str | None, str | None] = (None, None)
    changes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Return whether anything is read otherwise."""
        same = self.counts["same"] == sum(self.counts.values())
        pairs = (self.rejected, self.ignored, self.problems)
        return not same or any(old != new for old, new in pairs)


@dataclass(frozen=True)
class DiffOptions:
    """Options of the deliveries that are read: the sender and the period."""

    sender: str | None = None
    period: str | None = None


@dataclass(frozen=True)
class _Given:
    """Bytes to read, and the options of their delivery."""

    name: str
    data: bytes
    options: DiffOptions


def diff_contracts(
    installation: Installation, old: str, new: str, files: Sequence[Path], options: DiffOptions
) -> list[FileDifference]:
    """Return what two contracts read otherwise, of files or, without any, of the examples of both.

    old, new: a contract's name, or its file. Raises `UsageError` for contracts of which one makes records of another
    kind than the other.
    """
    before, after = (contract_from(installation, each) for each in (old, new))
    kinds = [contract.record.kind if contract.record else None for contract in (before, after)]
    if kinds[0] != kinds[1]:
        shown = " and ".join(f"records of kind {kind}" if kind else "claims" for kind in kinds)
        raise UsageError(f"the two contracts make {shown}: nothing of them can be compared")
    given = _files(installation, files, options) if files else _examples(before, after)
    return [_difference(installation, before, after, each) for each in given]


def contract_from(installation: Installation, name: str) -> Contract:
    """Return a contract by its name, or from its file; raises `UsageError`, `ContractError`."""
    path = Path(name)
    if path.suffix not in {".yml", ".yaml"} and not path.is_file():
        return installation.contract(name)
    contract = installation.completed(read_contract(input_text(path), path.name))
    check_records(contract, installation.kinds)
    return contract


def _files(installation: Installation, files: Sequence[Path], options: DiffOptions) -> Iterator[_Given]:
    for path in files:
        for name, content in read_files(path, installation.settings):
            data = content.read_bytes() if isinstance(content, Path) else content
            yield _Given(name, data, options)


def _examples(before: Contract, after: Contract) -> Iterator[_Given]:
    """Yield the examples of both contracts, each content once."""
    seen: set[bytes] = set()
    for contract in (before, after):
        for example in contract.examples:
            data = example_bytes(example, contract)
            if data and data not in seen:
                seen.add(data)
                options = DiffOptions(example.options.get("sender"), example.options.get("period"))
                yield _Given(f"example {example.name!r}", data, options)


def _difference(installation: Installation, before: Contract, after: Contract, given: _Given) -> FileDifference:
    old, new = (_read(installation, contract, given) for contract in (before, after))
    compared = _compared(_statements(old), _statements(new), records=before.record is not None)
    return FileDifference(
        given.name,
        dict.fromkeys(CHANGES, 0) if compared is None else count_changes(compared),
        (_count(old, "rejected"), _count(new, "rejected")),
        (_count(old, "ignored"), _count(new, "ignored")),
        (_problem(old), _problem(new)),
        [] if compared is None else list_changes(compared, CHANGES_LISTED),
    )


def _compared(old: pl.DataFrame | None, new: pl.DataFrame | None, *, records: bool) -> pl.DataFrame | None:
    """Return the statements of two readings, compared; a reading without a table has no rows, None if neither has."""
    some = new if old is None else old
    if some is None:
        return None
    frames = [some.clear() if frame is None else frame for frame in (old, new)]
    fields = [name for name in some.columns if name not in NOT_COMPARED] if records else CLAIM_FIELDS
    return compare_readings(frames[0], frames[1], fields)


def _read(installation: Installation, contract: Contract, given: _Given) -> Reading:
    """Read bytes by a contract, from any sender; nothing is stored."""
    sender = given.options.sender or contract.sender.default or "example"
    open_to_all = contract.model_copy(update={"sender": contract.sender.model_copy(update={"allowed": "any"})})
    reader = installation.with_presets(contracts={contract.contract: open_to_all}, kinds=installation.kinds)
    delivery = make_delivery(
        reader, given.name, given.data, contract.contract, sender=sender, period=given.options.period
    )
    return read_isolated(reader, open_to_all, [(landing_note(delivery, landing.receipt_time()), given.data)])


def _statements(reading: Reading) -> pl.DataFrame | None:
    if reading.normalised is None:
        return None
    return reading.normalised.claims if isinstance(reading.normalised, Normalised) else reading.normalised.records


def _count(reading: Reading, name: str) -> int:
    return int(reading.counts[name].sum()) if reading.counts.height else 0


def _problem(reading: Reading) -> str | None:
    return next(iter((*reading.problems.values(), *reading.failures.values())), None)
