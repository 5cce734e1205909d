"""A contract drafted from a file: sniffed, tried on the file, written with the evidence for each guess."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from flows.contracts.open_answers import answers_in
from flows.installation import Installation, contracts_folder
from flows.intake.archives import read_files
from flows.onboarding.drafted_example import with_example
from infra.files import check_input, write_atomic
from schemas.contract import CONTRACT_FOLDER, IDENTIFIER, Contract
from schemas.errors import ContractError, UsageError
from schemas.kind import KIND_FOLDER, read_kind
from transforms.drafting.contract.column_roles import Wishes, find_roles
from transforms.drafting.contract.contract_draft import ContractDraft, draft_contract
from transforms.drafting.contract.contract_text import contract_as_text
from transforms.drafting.contract.followed import follow
from transforms.drafting.contract.record_draft import RecordColumns, draft_records, find_report_key, match_columns
from transforms.drafting.draft_text import kind_as_yaml
from transforms.drafting.kind_draft import KindDraft, draft_kind
from transforms.drafting.table.file_table import FileTable, read_file_table

ADDED_KEY = "number"
"""The column that is added where several together are the key, so that a kind can be drafted."""


@dataclass(frozen=True)
class DraftOptions:
    """What a person states besides the file: the folder of the result; columns; a contract to follow; a record kind."""

    to: Path | None = None
    wishes: Wishes = field(default_factory=Wishes)
    like: str | None = None
    kind: str | None = None


@dataclass(frozen=True)
class DraftedContract:
    """A drafted contract: its file, and what was found in the delivery it was drafted from."""

    contract: Contract
    file: Path
    draft: ContractDraft
    rows: int
    kind: Path | None = None
    """The file of the kind that was drafted with it."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "contract": self.contract.contract, "file": str(self.file), "rows": self.rows,
            "kind": str(self.kind) if self.kind else None, "evidence": self.draft.evidence,
            "options": self.contract.options(), "open_answers": answers_in(self.file.read_text("utf-8"), self.contract),
        }  # fmt: skip


def draft_options(
    *, to: Path | None, like: str | None, kind: str | None, unit_column: str | None, period_column: str | None
) -> DraftOptions:
    """Return the options that a command was given; `UsageError` for two that do not fit together."""
    if kind is not None and (unit_column or period_column or like):
        raise UsageError("--kind is for records, which have no unit and no period, and follow no other contract")
    return DraftOptions(to, Wishes(unit_column, period_column), like, kind)


def draft_from_file(installation: Installation, name: str, file: Path, options: DraftOptions) -> DraftedContract:
    """Draft a contract from a delivery and write `<name>.yml`.

    Raises `UsageError` for an invalid name, a contract that exists, a file that holds no table or no figures.
    """
    path = new_contract_path(name, options.to)
    filename, data = first_file(installation, file)
    try:
        table = read_file_table(data)
        draft, kind = _draft(installation, name, table, options)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    reader = installation
    kind_file = None
    if kind is not None:
        kind_file = _kind_folder(installation, options.to) / f"{kind.declared['kind']}.yml"
        drafted = read_kind(kind_as_yaml(kind), kind_file.name)
        reader = installation.with_presets(kinds={**installation.kinds, drafted.kind: drafted})
    draft = ContractDraft(with_example(reader, draft.declared, table), draft.evidence)
    text = contract_as_text(draft, filename)
    contract = _as_contract(installation, text, path.name)
    if kind is not None and kind_file is not None:
        kind_file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(kind_file, kind_as_yaml(kind))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text)
    return DraftedContract(contract, path, draft, table.texts.height, kind_file)


def _kind_folder(installation: Installation, to: Path | None) -> Path:
    """Return the folder of a drafted kind: below the contract's where that is given, else that of the kinds."""
    return to / "kinds" if to is not None else installation.settings.kinds or KIND_FOLDER


def new_contract_path(name: str, to: Path | None) -> Path:
    """Return the file of a new contract; `UsageError` for an invalid name and for one that exists."""
    if not re.fullmatch(IDENTIFIER, name):
        raise UsageError(f"{name!r} is no name for a contract: expected small letters, digits, '.', '_' and '-'")
    path = (to or contracts_folder() or CONTRACT_FOLDER) / f"{name}.yml"
    if path.exists():
        raise UsageError(f"{path} exists: edit it, or choose another name")
    return path


def first_file(installation: Installation, file: Path) -> tuple[str, bytes]:
    """Return name and bytes of a file, or of the first file of a folder or an archive."""
    if not file.is_dir():
        check_input(file)
    for name, content in read_files(file, installation.settings):
        return name, content.read_bytes() if isinstance(content, Path) else content
    raise UsageError(f"{file}: no file in it; hidden files are left out")


def _draft(
    installation: Installation, name: str, table: FileTable, options: DraftOptions
) -> tuple[ContractDraft, KindDraft | None]:
    """Return the contract of a table, and the kind that is drafted with it where the file has no figures."""
    texts = _cleaned(table.texts)
    if not texts.height:
        raise UsageError("it has no rows that can be read")
    source = table.source(name)
    if options.kind is not None:
        return draft_records(source, texts, match_columns(texts, installation.kind(options.kind))), None
    _check_wishes(options.wishes, texts)
    roles = find_roles(texts, installation.register, options.wishes)
    if roles.figures:
        draft = draft_contract(source, texts, roles, installation.vocabulary)
        return (follow(draft, installation.contract(options.like), texts.columns) if options.like else draft), None
    key = find_report_key(texts)
    numbered = texts if len(key) == 1 else texts.with_columns(pl.int_range(pl.len()).cast(pl.String).alias(ADDED_KEY))
    kind = _drafted_kind(numbered, _kind_name(installation, name))
    declared = kind.declared["fields"]
    types, why = ({f: declared[f][each] for f in kind.fields} for each in ("type", "doc"))
    keys = (kind.key,) if kind.key != ADDED_KEY else key
    columns = RecordColumns(kind.declared["kind"], kind.fields, keys, kind.reporter, types, why)
    return draft_records(source, texts, columns), kind


def _drafted_kind(texts: pl.DataFrame, name: str) -> KindDraft:
    try:
        return draft_kind(texts, name)
    except UsageError as error:
        hint = "a list of units is no delivery: put it into the folder that ENGANG_CODELISTS names"
        raise UsageError(f"no column holds figures; as records: {error}; {hint}") from error


def _kind_name(installation: Installation, name: str) -> str:
    """Return the name of the kind that is drafted with a contract; `UsageError` if there is such a kind."""
    plain = re.sub(r"[^a-z0-9]+", "_", name).strip("_")
    plain = plain if re.match("[a-z]", plain) else f"kind_{plain}"
    if plain in installation.kinds:
        raise UsageError(f"no column holds figures, and kind {plain!r} exists: give it with --kind, or another name")
    return plain


def _check_wishes(wishes: Wishes, texts: pl.DataFrame) -> None:
    for option, column in (("--unit-column", wishes.unit_column), ("--period-column", wishes.period_column)):
        if column is not None and column not in texts.columns:
            raise UsageError(f"{option}: no column {column!r}: found {', '.join(texts.columns[:20])}")


def _cleaned(texts: pl.DataFrame) -> pl.DataFrame:
    return texts.with_columns(pl.all().str.replace_all(r"\s+", " ").str.strip_chars())


def _as_contract(installation: Installation, text: str, name: str) -> Contract:
    """Return the contract that a drafted text declares: what is written is read without edits."""
    from schemas.contract import read_contract

    try:
        return installation.completed(read_contract(text, name))
    except ContractError as error:
        raise UsageError(f"the draft is no contract, which is a fault of Engang's: {error}") from error
