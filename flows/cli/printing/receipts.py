"""Receipts as the commands print them: of deliveries, and of checks, of which nothing is stored."""

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from flows.cli.terminal import one_line, print_table, print_text

if TYPE_CHECKING:
    from flows.installation import Installation
    from flows.intake.receipt import Receipt, RejectGroup

MAX_RECEIPTS_PRINTED: Final = 20
MAX_GROUPS_PRINTED: Final = 25
MAX_REASONS_PRINTED: Final = 10
GROUPS_OF_A_RECEIPT: Final = 5
"""Faults that `submit` names of each file."""
GROUP_COLUMNS: Final = ("severity", "count", "column", "reason", "found", "rows", "expected", "hint")
REJECT_COLUMNS: Final = ("severity", "row", "column", "reason", "found", "expected", "hint")


def _totals(receipts: "list[Receipt]") -> str:
    states = sorted(Counter(r.status for r in receipts).items())
    return f"{len(receipts)} files: {', '.join(f'{n} {status}' for status, n in states)}; {_counts(receipts)}"


def _counts(receipts: "list[Receipt]") -> str:
    from schemas.claims import COUNT_COLUMNS

    return ", ".join(f"{sum(getattr(r, name) for r in receipts)} {name}" for name in COUNT_COLUMNS)


def print_receipts(receipts: "list[Receipt]") -> None:
    """Print the receipts of deliveries, what they come to, and which commands show more."""
    from schemas.claims import COUNT_COLUMNS

    if len(receipts) <= MAX_RECEIPTS_PRINTED:
        print_table([asdict(r) for r in receipts], ["submission_id", "filename", "status", *COUNT_COLUMNS])
    print_text(_totals(receipts))
    _print_details(receipts)
    _print_hints(receipts)


def print_check(receipt: "Receipt") -> None:
    """Print the receipt that a delivery would get; it has no id, as nothing is stored."""
    from schemas.claims import COUNT_COLUMNS

    row = asdict(receipt) | {"a delivery would be": receipt.status}
    print_table([row], ["filename", "a delivery would be", *COUNT_COLUMNS])
    print_text(f"this is a check: nothing is stored; {_counts([receipt])}")
    _print_details([receipt])


def _print_details(receipts: "list[Receipt]") -> None:
    """Print why files were rejected, why rows are ignored, and what the deliveries change of earlier ones."""
    for receipt in [r for r in receipts if r.problem][:MAX_RECEIPTS_PRINTED]:
        print_text(one_line(f"{receipt.filename}: {receipt.problem}"))
    ignored: Counter[str] = Counter()
    for receipt in receipts:
        ignored.update(receipt.ignored_by)
    for reason, rows in ignored.most_common(MAX_REASONS_PRINTED):
        print_text(one_line(f"{rows} {'row is' if rows == 1 else 'rows are'} ignored: {reason}"))
    if len(ignored) > MAX_REASONS_PRINTED:
        print_text(f"and for {len(ignored) - MAX_REASONS_PRINTED} other reasons: --json lists all")
    _print_earlier(receipts)


def print_faults(installation: "Installation", receipts: "list[Receipt]") -> None:
    """Print the most frequent faults of each file of which rows were rejected, if the receipts are few."""
    from flows.intake.registration import list_rejects

    faulty = [r for r in receipts if r.submission_id and r.rejected]
    for receipt in faulty if len(receipts) <= MAX_RECEIPTS_PRINTED else ():
        print_text(one_line(f"{receipt.filename}: what was rejected, the most frequent first"))
        print_rejects(list_rejects(installation, receipt.submission_id).to_dicts(), every=False,
                      most=GROUPS_OF_A_RECEIPT)  # fmt: skip


def _print_hints(receipts: "list[Receipt]") -> None:
    """Print which commands list what was rejected or parked."""
    if any(r.rejected or r.status == "rejected" for r in receipts):
        print_text("`engang rejects SUBMISSION` lists what was rejected and why")
    if any(r.status == "parked" for r in receipts):
        print_text("`engang inbox` lists what is parked and why: `engang inbox retry` or `engang inbox dismiss`")


def _print_earlier(receipts: "list[Receipt]") -> None:
    """Print what each delivery changes of earlier ones."""
    for receipt in receipts:
        for sentence in receipt.earlier.sentences(receipt.sender) if receipt.earlier else ():
            print_text(one_line(f"{receipt.filename}: {sentence}"))


def print_rejects(rejects: "list[dict[str, Any]]", *, every: bool, most: int = MAX_GROUPS_PRINTED) -> None:
    """Print rejects: the same fault once, with its count and first rows, or with `every` each row."""
    from flows.intake.receipt import group_rejects

    if every:
        print_table(rejects, REJECT_COLUMNS)
        return
    groups = group_rejects(rejects)
    rows = [{**group.reject, "rows": _rows_of(group), "count": group.count} for group in groups[:most]]
    if rows:
        print_table(rows, GROUP_COLUMNS)
    if len(groups) > most:
        count = sum(group.count for group in groups[most:])
        print_text(f"and {count} more, of {len(groups) - most} other faults: --all lists every row")


def _rows_of(group: "RejectGroup") -> str:
    """Return the first rows of a group of rejects."""
    return ", ".join(map(str, group.rows)) + (" ..." if 0 < len(group.rows) < group.count else "")
