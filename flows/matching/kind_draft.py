"""A record kind drafted from a file of records, and the contract that reads the file."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.matching.tables import read_table_of
from infra.files import write_atomic
from infra.settings import read_settings
from schemas.errors import UsageError
from schemas.kind import KIND_FOLDER, NAME_PATTERN, read_kind
from transforms.drafting.draft_text import contract_as_yaml, kind_as_yaml
from transforms.drafting.kind_draft import KindDraft, draft_kind


@dataclass(frozen=True)
class WrittenKind:
    """A drafted kind, the file that holds it, and the contract that makes records of the rows it was drafted from."""

    draft: KindDraft
    file: Path
    contract: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        rules = [
            {"rule": rule, "pairs": each.pairs}
            for rule, each in zip(self.draft.declared["blocking"], self.draft.rules, strict=True)
        ]
        return {
            "kind": self.draft.declared["kind"], "file": str(self.file), "records": self.draft.records,
            "key": self.draft.key, "reporter": self.draft.reporter, "ignored": self.draft.ignored, "blocking": rules,
            "fields": self.draft.declared["fields"], "contract": self.contract,
        }  # fmt: skip


def write_kind(file: Path, kind: str | None, to: Path | None = None, ignored: tuple[str, ...] = ()) -> WrittenKind:
    """Draft a kind from a file of records and write `<kind>.yml`. to: its folder, by default that of the kinds.

    kind: its name, by default the file's. Raises `UsageError` for an invalid name, a kind that exists, a file that
    cannot be read, and records that nothing can be drafted from.
    """
    name = kind or re.sub(r"[^a-z0-9]+", "_", file.stem.lower()).strip("_")
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(f"{name!r} is no name for a kind: give one of small letters, digits and '_' with --as")
    path = (to or read_settings().kinds or KIND_FOLDER) / f"{name}.yml"
    if path.exists():
        raise UsageError(f"{path} exists: edit it, or choose another name with --as")
    table = read_table_of(file)
    unknown = [column for column in ignored if column not in table.rows.columns]
    if unknown:
        raise UsageError(f"--ignore: {file} has no column {unknown[0]!r}: found {', '.join(table.rows.columns)}")
    draft = draft_kind(table.rows, name, ignored)
    text = kind_as_yaml(draft)
    read_kind(text, path.name)  # what it writes is read without edits
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text)
    return WrittenKind(draft, path, contract_as_yaml(draft, table.file_format))
