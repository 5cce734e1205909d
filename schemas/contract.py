"""The contract: one YAML file that declares everything about one obligation's deliveries.

It is read strictly: an unknown key, a duplicate key or a dangling reference is a `ContractError` that names the file,
the key and the nearest known one. Scalars are text, whole numbers, `true`, `false` or `null`: `0301` and `no` remain
text.
"""

import hashlib
import json
from functools import reduce
from pathlib import Path
from typing import Final, Self

from pydantic import model_validator

from schemas.concepts import TERM_KINDS
from schemas.contract_checks import RESERVED_COLUMNS, contract_problems
from schemas.contract_claims import ClaimSpec, Unpivot
from schemas.contract_keys import ContractKeys, Example
from schemas.contract_parts import (
    HIGHEST_VERSION,
    IDENTIFIER,
    Format,
    IgnoreRows,
    Repair,
    ReportVersion,
    Sender,
    Strict,
    Take,
    Titles,
    without_unset,
)
from schemas.contract_place import Period, Unit
from schemas.contract_record import FieldTake, RecordSpec
from schemas.contract_rules import (
    ChangeRule,
    CompareRule,
    InRule,
    PatternRule,
    RangeRule,
    RequiredRule,
    Rule,
    UniqueRule,
)
from schemas.errors import ContractError
from schemas.strict_yaml import load_declared, read_declared

__all__ = [
    "CONTRACT_FOLDER", "IDENTIFIER", "RESERVED_COLUMNS", "ChangeRule", "ClaimSpec", "CompareRule", "Contract",
    "Example", "FieldTake", "Format", "IgnoreRows", "InRule", "PatternRule", "Period", "RangeRule", "RecordSpec",
    "Repair", "ReportVersion", "RequiredRule", "Rule", "Sender", "Strict", "Take", "Titles", "UniqueRule", "Unit",
    "Unpivot",
    "load_contracts", "read_contract",
]  # fmt: skip

DESCRIPTIVE_KEYS: Final = {
    "title", "examples", "legal_basis", "purpose", "reporters", "used_by", "may_share", "rhythm", "hours_per_report",
    "hours", "register_id", "due", *TERM_KINDS,
}  # fmt: skip
"""Keys that do not change how a delivery is read."""
YOUNGER_KEYS: Final[dict[tuple[str, ...], object]] = {
    ("record",): None,
    ("correction",): "item",
    ("sender", "speaks_for"): None,
    ("report_version", "max"): HIGHEST_VERSION,
    ("reported_at", "max"): HIGHEST_VERSION,
    ("record", "report_key_of"): "sender",
    ("personal",): {},
    ("terms",): None,
    ("unpivot",): None,
    ("format", "fields"): [],
    ("format", "short_lines"): "reject",
}
"""Keys that were added later: with these values a contract is read as before they existed."""
YOUNGER_OPTIONAL_KEYS: Final = (
    "personal", "century", "when", "missing_values", "missing_pattern", "flags", "columns", "between", "pad",
    "map_default", "unmapped", "valid_on", "system", "ended", "span", "starts", "year_of", "as_of", "time_zone",
    "all_but", "extract",
    "tolerance", "copy_of",
    "sheets", "sheet_column", "lines", "header_rows", "skip_footer", "until_empty_row",
)  # fmt: skip
"""Keys that were added later, in whatever mapping: where they are null it is read as before they existed."""
CONTRACT_FOLDER: Final = Path(__file__).parent / "contracts"


class Contract(ContractKeys):
    """The deliveries of one obligation.

    Its rows make either `claims`, which have a unit and a period, or one `record` each.
    """

    def digest(self) -> str:
        """Return 16 hex characters over everything that decides how a delivery is read."""
        fields = self.model_dump(mode="json", exclude=DESCRIPTIVE_KEYS)
        for key in YOUNGER_OPTIONAL_KEYS:
            fields = without_unset(fields, key)
        for (*path, key), default in YOUNGER_KEYS.items():
            mapping = reduce(lambda found, step: found.get(step) or {}, path, fields)
            if key in mapping and mapping[key] == default:
                del mapping[key]  # so that digests from before the key existed remain valid
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]

    def written_digest(self) -> str:
        """Return the digest of its file alone: without what the vocabulary adds, which may grow."""
        return self.model_copy(update={"terms": None}).digest()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = contract_problems(self)
        if problems:
            raise ValueError("; ".join(sorted(problems)))
        return self


def read_contract(text: str, name: str = "contract") -> Contract:
    """Read one contract from YAML text; `name` is the file to name in errors. Raises `ContractError`."""
    contract = read_declared(text, name, Contract)
    # Here and not in the model: contracts that the ledger holds from before this rule are still read.
    if contract.sender.default is None and contract.sender.allowed is None:
        raise ContractError(
            f"{name}: sender: nobody may deliver: give `default`, or list the senders in `allowed`; "
            "`allowed: any` is for everybody"
        )
    return contract


def load_contracts(folder: Path = CONTRACT_FOLDER, broken: dict[str, str] | None = None) -> dict[str, Contract]:
    """Load every contract of a folder by id. Raises `ContractError` for the first file that is wrong.

    broken: where given, it gets the id of each wrong file and why, and the other contracts are loaded.
    """
    return load_declared(folder, read_contract, "contract", broken)
