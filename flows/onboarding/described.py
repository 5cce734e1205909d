"""A contract written from the published description of a record, and the kind of its records, new or added to."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.installation import Installation
from flows.onboarding.contract_draft import first_file, new_contract_path
from flows.onboarding.drafted_example import EXAMPLE_ROWS, example_of
from infra.files import write_atomic
from infra.settings import read_settings
from schemas.contract import read_contract
from schemas.errors import ContractError, UsageError
from schemas.kind import KIND_FOLDER, NAME_PATTERN, read_kind
from schemas.record_description import RecordDescription, read_description
from transforms.drafting.described.contract import contract_of, kind_fields, missing_fields
from transforms.drafting.described.fields import makes_records
from transforms.drafting.described.text import contract_text, field_lines, kind_text


@dataclass(frozen=True)
class DescribedContract:
    """A contract that was written; if it makes records, the file of their kind, and the fields it got."""

    file: Path
    kind_file: Path | None
    added: tuple[str, ...]


def write_described_contract(
    installation: Installation,
    name: str,
    file: Path,
    *,
    to: Path | None = None,
    kind: str | None = None,
    delivery: Path | None = None,
) -> DescribedContract:
    """Write `<name>.yml` from a description of a record; of persons or cases also the kind, or its missing fields.

    to: the folder, by default that of contracts; a kind is written to that of kinds. delivery: a file of such records,
    which shows the encoding; of figures the first lines are the contract's example, of persons or cases none is copied.
    Raises `UsageError` for an invalid name and a contract that exists, `ContractError` for a file that is no such
    description.
    """
    path = new_contract_path(name, to)
    description = read_description(_text(file), file.name)
    kind_name = (
        (kind or re.sub(r"[^a-z0-9]+", "_", f"form_{description.form.lower()}")) if makes_records(description) else None
    )
    if kind is not None and kind_name is None:
        raise UsageError(f"--kind: {file.name} describes figures, which become claims")
    kind_file, added = (None, ()) if kind_name is None else _write_kind(kind_name, description)
    vocabulary = installation.vocabulary
    known = {"concepts": vocabulary.concepts, "dimensions": vocabulary.dimensions}
    obligation = name.removesuffix(f"-{description.year}")
    declared = contract_of(description, name, obligation, known=known, kind=kind_name)
    if delivery is not None:
        declared = _with_delivery(installation, declared, delivery)
    text = contract_text(declared, description)
    read_contract(text, path.name)  # what it writes is read without edits
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text)
    return DescribedContract(path, kind_file, added)


def _with_delivery(installation: Installation, declared: dict[str, Any], file: Path) -> dict[str, Any]:
    """Return the contract with the encoding of a file and, where it makes claims, its first lines as the example."""
    _, data = first_file(installation, file)
    encoding = "utf-8" if not data.isascii() and _is_utf8(data) else declared["format"]["encoding"]
    declared = declared | {"format": declared["format"] | {"encoding": encoding}}
    if "record" in declared:
        return declared
    lines = [line for line in data.decode(encoding, "replace").splitlines() if line.strip()][:EXAMPLE_ROWS]
    return declared | {"examples": [example_of(installation, declared, "".join(f"{line}\n" for line in lines))]}


def _is_utf8(data: bytes) -> bool:
    """Return whether bytes are text in UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: expected a description of a record as YAML ({error})") from error


def _write_kind(name: str, description: RecordDescription) -> tuple[Path, tuple[str, ...]]:
    """Write the kind, or add to its file the fields that it lacks; return the file and the names of new fields."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(f"{name!r} is no name for a kind: give one of small letters, digits and '_' with --kind")
    path = (read_settings().kinds or KIND_FOLDER) / f"{name}.yml"
    if not path.exists():
        fields = kind_fields(description)
        text = kind_text(name, description.title, fields)
    else:
        text = path.read_text(encoding="utf-8")
        try:
            fields = missing_fields(description, read_kind(text, path.name))
        except ValueError as error:
            raise UsageError(f"{path}: {error}: choose another kind with --kind") from error
        text = f"{text.rstrip()}\n{field_lines(fields)}" if fields else text
    try:
        read_kind(text, path.name)
    except ContractError as error:
        problem = f"{path}: its last key is not `fields`, so the new ones cannot be added: add {', '.join(fields)}"
        raise UsageError(problem) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text)
    return path, tuple(fields)
