"""Commands for looking at matches: review, why-not."""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.terminal import (
    JsonOption,
    ReleaseOption,
    WhoOption,
    app,
    one_line,
    open_here,
    print_json,
    print_progress,
    print_table,
    print_text,
    print_warning,
)

if TYPE_CHECKING:
    from flows.matching.review_queue import ItemProfiles, ReviewQuestion, ReviewQueue

VERDICT_KEYS = {"s": "same", "d": "different", "u": "unsure"}
"""Key of an answer -> the verdict."""
PROMPT = "[s]ame [d]ifferent [u]nsure s[k]ip [q]uit, optionally followed by a reason: "


@app.command("review")
def review_command(
    kind: Annotated[str, typer.Argument(help="A record kind.")],
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most this many pairs.")] = 20,
    who: WhoOption = None,
    chart: Annotated[Path | None, typer.Option(help="With --items: write charts to this file, .svg or .png.")] = None,
    *,
    listing: Annotated[bool, typer.Option("--list", help="Print the pairs and ask nothing.")] = False,
    items: Annotated[
        bool, typer.Option("--items", help="Instead: what holds items together, those with the weakest link first.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Ask about pairs of reports that may be one item, the least certain first, and record the answers as decisions."""
    from flows.matching.review_queue import review

    if items or chart is not None:
        _show_items(kind, limit, chart, json=json)
        return
    installation = open_here()
    queue = review(installation, installation.kind(kind), limit)
    if json:
        fields = {"kind": kind, "release": queue.release.number, "automatic": queue.automatic, "open": queue.open}
        print_json({**fields, "questions": [question.as_dict() for question in queue.questions]})
    elif not queue.questions:
        print_text(f"nothing to review: no pair of kind {kind} is uncertain and undecided")
    elif listing:
        for n, question in enumerate(queue.questions, start=1):
            _print_numbered(queue, question, n)
    else:
        _ask_all(queue, who)


def _show_items(kind: str, limit: int, chart: Path | None, *, json: bool) -> None:
    """Print the items with the weakest links, and draw how many have which."""
    from flows.matching.review_queue import items_of_release

    installation = open_here()
    found = items_of_release(installation, installation.kind(kind))
    if chart is not None:
        from flows.cli.charts import item_profiles, write_chart

        print_progress(f"chart: {write_chart(item_profiles(found.counts.iter_rows(named=True)), chart)}")
    if json:
        print_json(found.as_dict(limit))
    else:
        _print_items(found, limit)


def _print_items(found: "ItemProfiles", limit: int) -> None:
    print_text(
        f"{found.kind}, release {found.release}: {found.profiles.height} items of two or more reports, the largest of "
        f"{found.largest}; {found.bridged} with a link that no third report confirms"
    )
    titles = {"weakest": "weakest link, bits", "report_id": "of report"}
    print_table([{titles.get(k, k): "" if v is None else v for k, v in row.items()} for row in found.shown(limit)])


def _print_numbered(queue: "ReviewQueue", question: "ReviewQuestion", n: int) -> None:
    from flows.cli.record_stories import print_question

    print_question(question, queue.automatic, f"pair {n} of {len(queue.questions)}, {queue.open} open")
    print_text("")


def _ask_all(queue: "ReviewQueue", who: str | None) -> None:
    """Ask the questions in order until none remain, the user quits or the input ends."""
    from flows.matching.review_queue import still_open

    decided = 0
    for n, question in enumerate(queue.questions, start=1):
        if decided and not still_open(queue, question):
            print_text(f"pair {n}: settled by your answers so far")
            continue
        _print_numbered(queue, question, n)
        key, reason = read_answer()
        if key == "q":
            break
        if key in VERDICT_KEYS:
            decided += 1
            _record(queue, question, (VERDICT_KEYS[key], reason), who)
    print_text(f"{decided} decided of {queue.open}" + ("; `engang nightly` applies them" if decided else ""))


def read_answer(
    prompt: str = PROMPT, verdicts: Collection[str] = tuple(VERDICT_KEYS), *, reasoned: bool = False
) -> tuple[str, str]:
    """Read an answer: its key (of a verdict, `k` skip or `q` quit) and the reason after it; the end of input quits.

    reasoned: a verdict needs its reason.
    """
    while True:
        print_text(prompt, newline=False)
        line = sys.stdin.readline()
        key, _, reason = line.strip().partition(" ")
        if not line:
            print_text("")
            return "q", ""
        if key.lower() in {"k", "q"} or (key.lower() in verdicts and (reason.strip() or not reasoned)):
            return key.lower(), reason.strip()
        expected = ", ".join([*verdicts, "k", "q"]) + ("; a verdict with its reason" if reasoned else "")
        print_text(f"found {one_line(key)!r}, expected one of {expected}")


def _record(queue: "ReviewQueue", question: "ReviewQuestion", verdict: tuple[str, str], who: str | None) -> None:
    from flows.matching.review_queue import answer

    result = answer(queue, question, verdict[0], why=verdict[1], who=who)
    for warning in result.warnings:
        print_warning(warning)
    print_text(f"decision {result.id}: {verdict[0]}\n")


@app.command("why-not")
def why_not_command(
    a: Annotated[str, typer.Argument(help="Id of a report or an item.")],
    b: Annotated[str, typer.Argument(help="Id of another report or item.")],
    release: ReleaseOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Explain why two reports or items are not one item: never compared, not similar enough, or kept separate."""
    from flows.queries.why_not import why_not

    result = why_not(open_here(), a, b, release)
    if json:
        print_json(result.as_dict())
    else:
        from flows.cli.record_stories import print_why_not

        print_why_not(result)
