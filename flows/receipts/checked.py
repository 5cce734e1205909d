"""Files of receipts: written, and checked as anybody can check them, by `flows.receipts.offline`."""

import json
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature

from flows.output_file import write_output
from flows.receipts.offline import check_receipt
from infra.files import check_input
from schemas.errors import UsageError

LARGEST_RECEIPT: Final = 2**30
"""The most bytes of a receipt that is read: one has about one for each row."""


def write_receipt(file: Path, receipt: dict[str, Any]) -> Path:
    """Write a receipt as a file; `UsageError` if it cannot be written."""
    return write_output(file, json.dumps(receipt, ensure_ascii=False, indent=1, default=str) + "\n")


def check_receipt_file(file: Path) -> tuple[dict[str, Any] | None, str]:
    """Return what the receipt in a file proves, with its public_key, and why it proves nothing (empty if it does).

    Raises `UsageError` for a file that is no receipt.
    """
    try:
        check_input(file, LARGEST_RECEIPT)
        receipt = json.loads(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is no receipt: expected the file that `engang receipt --out` writes") from error
    try:
        return {"public_key": receipt["head"]["public_key"], **check_receipt(receipt)}, ""
    except InvalidSignature:
        return None, "the signature is not good"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        return None, str(error)[:200] or type(error).__name__
