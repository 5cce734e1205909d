"""The open answers of an installation's contracts, each with its line in the contract's file."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict

from flows.installation import Installation
from schemas.contract import CONTRACT_FOLDER
from schemas.open_answers import find_open_answers
from transforms.drafting.yaml_edits import line_of

if TYPE_CHECKING:
    from schemas.contract import Contract


class LocatedAnswer(TypedDict):
    """An open answer: its dotted key, its line (1 is the first; None if it is not found), and what to write there."""

    key: str
    line: int | None
    write: str


def locate_open_answers(installation: Installation, contract: "Contract") -> list[LocatedAnswer]:
    """Return the answers that a contract lacks, and where they stand in its file."""
    return answers_in(_text(installation, contract.contract), contract)


def open_answers_of(installation: Installation, names: Iterable[str]) -> dict[str, list[LocatedAnswer]]:
    """Return contract -> the answers that it lacks, of those of these contracts that lack any."""
    found = {name: locate_open_answers(installation, installation.contract(name)) for name in names}
    return {name: answers for name, answers in found.items() if answers}


def answers_in(text: str | None, contract: "Contract") -> list[LocatedAnswer]:
    """Return the answers that a contract lacks, and where they stand in the text of its file."""
    answers = find_open_answers(contract)
    return [
        LocatedAnswer(key=each.key, line=line_of(text, each.path) if text else None, write=each.write)
        for each in answers
    ]


def _text(installation: Installation, name: str) -> str | None:
    """Return the text of a contract's file; None where there is no file, as of a preset contract."""
    file = (installation.settings.contracts or CONTRACT_FOLDER) / f"{name}.yml"
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
