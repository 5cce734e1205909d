"""Commands of those who look at what was matched: review, why-not."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.terminal import Json, app, echo_json, one_line, open_here, say

if TYPE_CHECKING:
    from flows.matching.review_queue import Question, Review

ANSWERS = {"s": "same", "d": "different", "u": "unsure"}
ASKED = "[s]ame [d]ifferent [u]nsure s[k]ip [q]uit, and a reason after it if you like: "


@app.command()
def review(
    kind: Annotated[str, typer.Argument(help="A record kind.")],
    limit: Annotated[int, typer.Option("--limit", "-n", help="So many pairs at most.")] = 20,
    who: Annotated[str | None, typer.Option("--who", help="Who decides, if not the user who runs this.")] = None,
    *,
    listing: Annotated[bool, typer.Option("--list", help="Print the pairs and ask nothing.")] = False,
    json: Json = False,
) -> None:
    """Walk through pairs of reports that may be one item, the most informative first, and keep what is decided."""
    from flows.matching.review_queue import review as run

    installation = open_here()
    found = run(installation, installation.kind(kind), limit)
    if json:
        told = {"kind": kind, "release": found.read.number, "automatic": found.automatic, "open": found.open}
        echo_json({**told, "questions": [question.as_dict() for question in found.questions]})
    elif not found.questions:
        typer.echo(f"nothing to review: no pair of kind {kind} is uncertain and undecided")
    elif listing:
        for n, question in enumerate(found.questions, start=1):
            _show(found, question, n)
    else:
        _walk(found, who)


def _show(found: "Review", question: "Question", n: int) -> None:
    from flows.cli.record_stories import tell_question

    tell_question(question, found.automatic, f"pair {n} of {len(found.questions)}, {found.open} open")
    typer.echo("")


def _walk(found: "Review", who: str | None) -> None:
    """Ask one question after the other until none is left or the answers end."""
    from flows.matching.review_queue import still_open

    decided = 0
    for n, question in enumerate(found.questions, start=1):
        if decided and not still_open(found, question):
            typer.echo(f"pair {n}: your answers settle it already")
            continue
        _show(found, question, n)
        key, reason = _answer()
        if key == "q":
            break
        if key in ANSWERS:
            decided += 1
            _keep(found, question, (ANSWERS[key], reason), who)
    typer.echo(f"{decided} decided of {found.open}" + ("; `engang nightly` applies them" if decided else ""))


def _answer() -> tuple[str, str]:
    """Read an answer, its key and the reason after it; the end of input is to quit."""
    while True:
        typer.echo(ASKED, nl=False)
        line = sys.stdin.readline()
        key, _, reason = line.strip().partition(" ")
        if not line:
            typer.echo("")
            return "q", ""
        if key.lower() in {*ANSWERS, "k", "q"}:
            return key.lower(), reason.strip()
        typer.echo(f"found {one_line(key)!r}, expected one of s, d, u, k, q")


def _keep(found: "Review", question: "Question", said: tuple[str, str], who: str | None) -> None:
    from flows.matching.review_queue import answer

    made = answer(found, question, said[0], why=said[1], who=who)
    for warning in made.warnings:
        say(f"mind: {one_line(warning)}")
    typer.echo(f"decision {made.id}: {said[0]}\n")


@app.command("why-not")
def why_not(
    a: Annotated[str, typer.Argument(help="Id of a report or an item.")],
    b: Annotated[str, typer.Argument(help="Id of another one.")],
    release: Annotated[
        int | None, typer.Option("--release", "-r", help="In which release; the current one by default.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Tell why two reports or items are not one item: never compared, not alike enough, or kept apart and by what."""
    from flows.queries.why_not import why_not as run

    told = run(open_here(), a, b, release)
    if json:
        echo_json(told.as_dict())
    else:
        from flows.cli.record_stories import tell_why

        tell_why(told)
