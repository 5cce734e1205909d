"""The answers that a drafted contract still lacks: what only a person knows, and without which no figure has a meaning.

A contract with one of them reads deliveries; receipts and `engang status` say what is open, for who uses its figures
cannot know what they count. A legal basis may stay open: it is published as unknown.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from schemas.contract_duty import NO_SENDER, NOT_FILLED_IN, STAND_INS
from schemas.contract_keys import ContractKeys

KeyPath: TypeAlias = tuple[str | int, ...]
"""The keys, and places in lists, that lead to an answer."""
ANSWERED_KEYS: Final = (
    "title", "agency", "purpose", "reporters", "used_by", "sender", "concepts", "dimensions", "measures",
)  # fmt: skip
"""Keys of a contract in which a stand-in of a draft is an open answer; in others it may be delivered text."""
MAY_STAY_OPEN: Final = f"`legal_basis: {NOT_FILLED_IN}` may stay: it is published as unknown"
_SHOWN: Final = 3
_STAND_IN: Final = re.compile(rf"\s*(?:{'|'.join(STAND_INS)})\b")
_WHAT_TO_WRITE: Final[Mapping[str, str]] = {
    "agency": "who requires the report, as `agency: Arbeids- og velferdsetaten`",
    "title": "the title of the report in this language",
    "sender": "who delivers, in small letters, as `default: nav`; or `allowed: any`, and each delivery states --sender",
    "concepts": "what its figures count; if `engang concepts --all` lists such a concept, put its id into `claims` and "
    "take this one out",
}
"""First key of an answer -> what to write there."""
_ANYTHING: Final = f"the answer in place of {NOT_FILLED_IN}"


@dataclass(frozen=True)
class OpenAnswer:
    """One answer that is missing: where it stands in the contract, and what to write."""

    path: KeyPath
    write: str

    @property
    def key(self) -> str:
        """The path as a reader writes it: `concepts.berries.definition`."""
        return ".".join(map(str, self.path))


def find_open_answers(contract: ContractKeys) -> list[OpenAnswer]:
    """Return the answers that a contract lacks, in the order of its keys; none where a person has filled it in."""
    declared = contract.model_dump(mode="json", include=set(ANSWERED_KEYS))
    found = [*_stand_ins(declared, ())]
    if contract.sender.default == NO_SENDER:
        found.append(("sender", "default"))
    return [
        OpenAnswer(path, _WHAT_TO_WRITE.get(str(path[0]), _ANYTHING)) for path in sorted(found, key=_place_of_first_key)
    ]


def open_answers_problem(contract: ContractKeys) -> str | None:
    """Return the sentence on a contract that lacks answers; None if none lacks."""
    answers = find_open_answers(contract)
    if not answers:
        return None
    keys = ", ".join(answer.key for answer in answers[:_SHOWN]) + (", ..." if len(answers) > _SHOWN else "")
    count = "1 answer is" if len(answers) == 1 else f"{len(answers)} answers are"
    return (
        f"contract {contract.contract!r} is a draft: {count} open ({keys}), so nobody can know what its figures "
        f"mean; `engang contracts test {contract.contract}` lists each with its line and what to write"
    )


def _stand_ins(value: Any, path: KeyPath) -> Iterator[KeyPath]:  # noqa: ANN401  JSON
    """Yield the path of each text below a value that begins with a stand-in."""
    if isinstance(value, str):
        if _STAND_IN.match(value):
            yield path
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _stand_ins(each, (*path, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _stand_ins(each, (*path, number))


def _place_of_first_key(path: KeyPath) -> int:
    return ANSWERED_KEYS.index(str(path[0]))
