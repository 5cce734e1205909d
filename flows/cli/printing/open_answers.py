"""The open answers of a draft, as the commands print them."""

from itertools import groupby
from typing import TYPE_CHECKING, Final

from flows.cli.terminal import print_alarm, print_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.contracts.open_answers import LocatedAnswer


MOST_PRINTED: Final = 10


def print_open_answers(contract: str, answers: "Sequence[LocatedAnswer]") -> None:
    """Print what a person has yet to fill in in a contract: the line, the key, and what to write."""
    from schemas.open_answers import MAY_STAY_OPEN

    if not answers:
        return
    print_alarm(f"\ncontract {contract} is a draft; before anybody uses its figures, fill in:")
    for write, alike in groupby(answers[:MOST_PRINTED], lambda each: each["write"]):
        for each in alike:
            print_text(f"  line {each['line']}: {each['key']}" if each["line"] else f"  {each['key']}")
        print_text(f"    {write}")
    if len(answers) > MOST_PRINTED:
        print_text(f"  and {len(answers) - MOST_PRINTED} more: --json lists all")
    print_text(f"({MAY_STAY_OPEN})")
