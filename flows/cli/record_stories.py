"""What `explain`, `why-not` and `review` print of records."""

from collections.abc import Sequence
from typing import Any, Final

import typer

from flows.cli.side_by_side import show_wrapped, shown
from flows.cli.terminal import one_line
from flows.matching.review_queue import Question
from flows.queries.item_history import decision_in_words, event_in_words
from flows.queries.pairs import MARKS, Pair
from flows.queries.record_story import RecordStory
from flows.queries.why_not import WhyNot, mean_in_words, tie_in_words

ABREAST: Final = 3
"""So many reports stand side by side."""
BRIEF: Final = 32
"""Characters of a value where all of it was shown before."""
MOST_APART: Final = 5
"""So many of the items that were kept apart are printed."""
AGREEMENTS: Final = {
    "none": "", "one": "·", "same": "=", "near": "~", "versions": "~", "conflict": "≠",
}  # fmt: skip
"""How reports agree on a field: told by none, by one, the same, nearly, in several versions, in conflict."""


def tell_story(story: RecordStory) -> None:
    """Print the story of an item: where its id is, its row, its reports, what ties them, what was kept apart."""
    say(story.now)
    for event in story.history:
        say(f"  {event_in_words(event)}")
    for note in story.notes:
        say(note)
    if story.item is None:
        return
    item = story.item
    differ = f" on {', '.join(item['conflicting'])}" if item["conflicting"] else ""
    say(
        f"\n{story.kind} {story.item_id}: {item['reports']} reports by {item['reporters']}, {item['agreement']}{differ}"
    )
    names = _names(story.reports)
    _tell_fields(story, names)
    typer.echo("\nreports")
    columns = ["report", "report_id", "relation", "lead", "filename", "row", "row_keys", "sender", "submission_id"]
    rows = [{**row, "report": names[row["report_id"]]} for row in story.reports]
    show_wrapped(rows, columns, ["filename", "row_keys"])
    for pair in story.pairs:
        typer.echo("")
        tell_pair(pair, names, story.automatic, brief=True)
    if story.left_out:
        say(f"\n{story.left_out} more pairs of its reports are not shown")
    _tell_ties(story)


def _names(reports: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return a short name for each report: its number and its reporter."""
    ids = list(dict.fromkeys(row["report_id"] for row in reports))
    by = {row["report_id"]: row["reported_by"] for row in reports}
    return {report: f"{n} {one_line(by[report])}" for n, report in enumerate(ids, start=1)}


def _tell_fields(story: RecordStory, names: dict[str, str]) -> None:
    stands = [row for row in story.reports if row["standing"]]
    for start in range(0, len(stands), ABREAST):
        some = {names[row["report_id"]]: row for row in stands[start : start + ABREAST]}
        rows = [
            {"": AGREEMENTS[field["agreement"]], "field": field["field"], "published": field["published"]}
            | {name: row[field["field"]] for name, row in some.items()}
            for field in story.fields
        ]
        typer.echo("")
        show_wrapped(rows, ["", "field", "published", *some], ["published", *some])
    differ = [field for field in story.fields if field["agreement"] == "conflict"]
    for chosen in dict.fromkeys(field["chosen"] for field in differ):
        fields = [field["field"] for field in differ if field["chosen"] == chosen]
        say(f"where reports differ, published is {chosen}: {', '.join(fields)}")


def tell_pair(
    pair: Pair, names: dict[str, str] | None = None, automatic: float | None = None, *, brief: bool = False
) -> None:
    """Print two reports' weight as a waterfall: what each field says, and the sum so far; brief: values cut short."""
    say(f"{_who(pair.a, names)} and {_who(pair.b, names)}: {_weight(pair, automatic)}; {_met(pair)}")
    values = {row["field"]: {end: _brief(row[end]) if brief else row[end] for end in "ab"} for row in pair.fields}
    rows = [{**step, **values.get(step["step"], {"a": None, "b": None}), "sum": step["after"]} for step in pair.steps]
    if rows:
        show_wrapped(rows[:-1], ["step", "level", "a", "b", "bits", "sum"], ["a", "b"])


def _who(report: dict[str, Any], names: dict[str, str] | None) -> str:
    return names[report["report_id"]] if names else f"{report['reported_by']} {report['report_id']}"


def _weight(pair: Pair, automatic: float | None) -> str:
    weight = "not weighed" if pair.weight is None else f"{pair.weight:.2f} bits"
    return weight if automatic is None else f"{weight}, {automatic:.2f} make one item"


def _met(pair: Pair) -> str:
    return f"compared by {'; '.join(pair.compared_by)}" if pair.compared_by else "never compared: no blocking rule fits"


def _brief(value: object) -> str:
    told = shown(value)
    return told if len(told) <= BRIEF else f"{told[: BRIEF - 3]}..."


def _tell_ties(story: RecordStory) -> None:
    """Print the decisions about an item's reports, the ties that could not hold, and what was kept apart from it."""
    for decision in story.decisions:
        waits = "" if decision["applied"] else " (waits for `engang nightly`)"
        say(f"\n{decision_in_words(decision)}{waits}: {decision['a']} and {decision['b']}")
    for tie in story.overruled:
        say(f"\n{tie_in_words(tie)}")
    kept = [near for near in story.apart if near["reason"] != "weight"]
    for near in kept[:MOST_APART]:
        pair = f"report {near['other_id']} weighs {near['weight']:.2f} bits with {near['report_id']}"
        say(f"\nkept apart: item {near['other_item']}, whose {pair}: {_why(near)}")
    more, light = len(kept[MOST_APART:]), len(story.apart) - len(kept)
    if more:
        say(f"\n{more} more items are kept apart: --json tells of all")
    if light:
        say(f"\n{light} more items are near, and weigh too little: `engang review {story.kind}` asks about such pairs")


def _why(near: dict[str, Any]) -> str:
    return {
        "decision": f"decision {', '.join(map(str, near['decisions']))} calls them different",
        "reporter": f"one reporter reports an item once, and {', '.join(near['reporters'])} reported both",
        "coherence": mean_in_words(near["pairs"], near["weighed"], near["absent"], near["mean"]),
        "nothing": "nothing: the next `engang nightly` joins them",
    }[near["reason"]]


def tell_why(told: WhyNot) -> None:
    """Print why two reports are not one item."""
    for sentence in told.why:
        say(sentence)
    if told.pair is None:
        return
    typer.echo("")
    _tell_meetings(told)
    typer.echo("")
    tell_pair(told.pair, automatic=told.automatic)


def _tell_meetings(told: WhyNot) -> None:
    rows = [
        {**rule, "": "=" if rule["shared"] else "≠", "a": _parts(rule["a"]), "b": _parts(rule["b"])}
        for rule in told.meetings
    ]
    show_wrapped(rows, ["", "rule", "a", "b", "reports", "over_limit"], ["a", "b"])


def _parts(parts: list[str | None]) -> str:
    return " + ".join("(nothing)" if part is None else part for part in parts)


def tell_question(question: Question, automatic: float, place: str) -> None:
    """Print two reports side by side with what each field weighs, differences marked."""
    pair = question.pair
    more = f", {question.pairs - 1} more pairs of the two items are open" if question.pairs > 1 else ""
    say(
        f"{place}: {pair.weight:.2f} bits, {automatic:.2f} make one item; "
        f"{question.reports} reports in both items{more}"
    )
    heads = [shown(f"{row['reported_by']} {end}") for row, end in zip((pair.a, pair.b), pair.ends, strict=True)]
    rows = [
        {"": MARKS[row["mark"]], "field": row["field"], heads[0]: row["a"], heads[1]: row["b"], "level": row["level"],
         "bits": None if row["bits"] is None else row["bits"] + row["frequency_bits"]}
        for row in pair.fields
    ]  # fmt: skip
    show_wrapped(rows, ["", "field", *heads, "level", "bits"], heads)


def say(text: str) -> None:
    """Print a line or more: nothing delivered moves the cursor."""
    typer.echo("\n".join(one_line(line) for line in text.split("\n")))
