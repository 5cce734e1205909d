"""What `explain`, `why-not` and `review` print about records."""

from collections.abc import Sequence
from typing import Any, Final

from flows.cli.side_by_side import display_text, print_wrapped
from flows.cli.terminal import one_line, print_text
from flows.matching.review_queue import ReviewQuestion
from flows.queries.item_history import decision_sentence, event_sentence
from flows.queries.observation_story import counted
from flows.queries.pairs import MARKS, Pair, similarity_mark
from flows.queries.record_story import RecordStory
from flows.queries.why_not import WhyNot, mean_sentence, tie_sentence

REPORTS_PER_TABLE: Final = 3
"""How many reports one table shows side by side."""
BRIEF_CHARACTERS: Final = 32
"""Characters of a value that was printed in full before."""
MAX_SEPARATE_ITEMS: Final = 5
"""How many of the items that were kept separate are printed."""
AGREEMENT_MARKS: Final = {
    "none": "", "one": "·", "same": "=", "near": "~", "versions": "~", "conflict": "≠",
}  # fmt: skip
"""How reports agree on a field: reported by none, by one, the same, nearly, in several versions, in conflict."""


def print_story(story: RecordStory) -> None:
    """Print an item: where its id is now, its row, its reports, what joins them, which items were kept separate."""
    print_text(story.now)
    for event in story.history:
        print_text(f"  {event_sentence(event)}")
    for note in story.notes:
        print_text(note)
    if story.item is None:
        return
    item = story.item
    fields = f" on {', '.join(item['conflicting'])}" if item["conflicting"] else ""
    counts = f"{counted(item['reports'], 'report')} by {counted(item['reporters'], 'reporter')}"
    print_text(f"\n{story.kind} {story.item_id}: {counts}, {item['agreement']}{fields}")
    names = _short_names(story.reports)
    _print_fields(story, names)
    print_text("\nreports")
    columns = ["report", "report_id", "relation", "lead", "filename", "row", "row_keys", "sender", "submission_id"]
    rows = [{**row, "report": names[row["report_id"]]} for row in story.reports]
    print_wrapped(rows, columns, ["filename", "row_keys"])
    for pair in story.pairs:
        print_text("")
        print_pair(pair, names, story.automatic, brief=True)
    if story.left_out:
        print_text(f"\n{counted(story.left_out, 'more pair')} of its reports not shown")
    _print_ties(story)


def _short_names(reports: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return a short name for each report: its number and its reporter."""
    ids = list(dict.fromkeys(row["report_id"] for row in reports))
    reporters = {row["report_id"]: row["reported_by"] for row in reports}
    return {report: f"{n} {one_line(reporters[report])}" for n, report in enumerate(ids, start=1)}


def _print_fields(story: RecordStory, names: dict[str, str]) -> None:
    standing = [row for row in story.reports if row["standing"]]
    for start in range(0, len(standing), REPORTS_PER_TABLE):
        reports = {names[row["report_id"]]: row for row in standing[start : start + REPORTS_PER_TABLE]}
        rows = [
            {"": AGREEMENT_MARKS[field["agreement"]], "field": field["field"], "published": field["published"]}
            | {name: row[field["field"]] for name, row in reports.items()}
            for field in story.fields
        ]
        print_text("")
        print_wrapped(rows, ["", "field", "published", *reports], ["published", *reports])
    conflicts = [field for field in story.fields if field["agreement"] == "conflict"]
    for chosen in dict.fromkeys(field["chosen"] for field in conflicts):
        fields = [field["field"] for field in conflicts if field["chosen"] == chosen]
        print_text(f"where reports differ, {chosen} is published: {', '.join(fields)}")


def print_pair(
    pair: Pair, names: dict[str, str] | None = None, automatic: float | None = None, *, brief: bool = False
) -> None:
    """Print the match weight of two reports as a waterfall: each field's weight and the sum so far.

    brief: print only the start of long values.
    """
    reports = f"{_report_name(pair.a, names)} and {_report_name(pair.b, names)}"
    print_text(f"{reports}: {_weight(pair, automatic)}; {_blocking_rules(pair)}")
    values = {row["field"]: {end: _brief(row[end]) if brief else row[end] for end in "ab"} for row in pair.fields}
    rows = [{**step, **values.get(step["step"], {"a": None, "b": None}), "sum": step["after"]} for step in pair.steps]
    if rows:
        print_wrapped(rows[:-1], ["step", "level", "a", "b", "bits", "sum"], ["a", "b"])


def _report_name(report: dict[str, Any], names: dict[str, str] | None) -> str:
    return names[report["report_id"]] if names else f"{report['reported_by']} {report['report_id']}"


def _weight(pair: Pair, automatic: float | None) -> str:
    weight = "not weighed" if pair.weight is None else f"{pair.weight:.2f} bits"
    return weight if automatic is None else f"{weight}, {automatic:.2f} make one item"


def _blocking_rules(pair: Pair) -> str:
    """Return what brought two reports together, or why nothing did."""
    if pair.compared_by:
        return f"{'both have' if pair.weight is None else 'compared by'} {'; '.join(pair.compared_by)}"
    if pair.over_limit:
        return f"never compared: more reports than the limit have the same {'; '.join(pair.over_limit)}"
    return "never compared: no blocking rule fits"


def _brief(value: object) -> str:
    text = display_text(value)
    return text if len(text) <= BRIEF_CHARACTERS else f"{text[: BRIEF_CHARACTERS - 3]}..."


def _print_ties(story: RecordStory) -> None:
    """Print the decisions on an item's reports, ties that were overruled, and items that were kept separate."""
    for decision in story.decisions:
        pending = "" if decision["applied"] else " (waits for `engang nightly`)"
        print_text(f"\n{decision_sentence(decision)}{pending}: {decision['a']} and {decision['b']}")
    for tie in story.overruled:
        print_text(f"\n{tie_sentence(tie)}")
    separate = [item for item in story.separate_items if item["reason"] != "weight"]
    for item in separate[:MAX_SEPARATE_ITEMS]:
        pair = f"report {item['other_id']} weighs {item['weight']:.2f} bits with {item['report_id']}"
        print_text(f"\nkept separate: item {item['other_item']}, whose {pair}: {_reason(item)}")
    more, light = len(separate[MAX_SEPARATE_ITEMS:]), len(story.separate_items) - len(separate)
    if more:
        print_text(f"\n{counted(more, 'more item')} kept separate: --json lists all")
    if light:
        asks = f"`engang review {story.kind}` asks about what no decision settles"
        print_text(f"\n{counted(light, 'more item')} similar, with too little weight: {asks}")


def _reason(item: dict[str, Any]) -> str:
    """Return what keeps an item separate, in words."""
    return {
        "decision": f"decision {', '.join(map(str, item['decisions']))} calls them different",
        "reporter": f"one reporter reports an item once, and {', '.join(item['reporters'])} reported both",
        "coherence": mean_sentence(item["pairs"], item["weighed"], item["absent"], item["mean"]),
        "nothing": "nothing in that release",
    }[item["reason"]]


def print_why_not(result: WhyNot) -> None:
    """Print why two reports are not one item."""
    for sentence in result.why:
        print_text(sentence)
    if result.pair is None:
        return
    print_text("")
    _print_blocking(result)
    print_text("")
    print_pair(result.pair, automatic=result.automatic)


def _print_blocking(result: WhyNot) -> None:
    """Print a row per blocking rule: what it reads of each report, and whether that is the same."""
    rows = [
        {**rule, "": "=" if rule["shared"] else "≠", "a": _key(rule["a"]), "b": _key(rule["b"])}
        for rule in result.blocking
    ]
    print_wrapped(rows, ["", "rule", "a", "b", "reports", "over_limit"], ["a", "b"])


def _key(parts: list[str | None]) -> str:
    return " + ".join("(nothing)" if part is None else part for part in parts)


def print_question(question: ReviewQuestion, automatic: float, place: str) -> None:
    """Print two reports side by side with each field's match weight, differences marked."""
    pair = question.pair
    more = f", {question.pairs - 1} more pairs of the two items are open" if question.pairs > 1 else ""
    weights = f"{pair.weight:.2f} bits, {automatic:.2f} make one item"
    print_text(f"{place}: {weights}; {question.reports} reports in both items{more}")
    heads = _heads(pair)
    rows = [
        {"": MARKS[row["mark"]], "field": row["field"], heads[0]: row["a"], heads[1]: row["b"], "level": row["level"],
         "bits": None if row["bits"] is None else row["bits"] + row["frequency_bits"]}
        for row in pair.fields
    ]  # fmt: skip
    print_wrapped(rows, ["", "field", *heads, "level", "bits"], heads)


def print_values(pair: Pair, title: str) -> None:
    """Print the values of two reports side by side, differences marked, and nothing of what the model holds of them."""
    print_text(title)
    heads = _heads(pair)
    rows = [
        {"": MARKS[similarity_mark(row["a"], row["b"])], "field": row["field"], heads[0]: row["a"], heads[1]: row["b"]}
        for row in pair.fields
    ]
    print_wrapped(rows, ["", "field", *heads], heads)


def _heads(pair: Pair) -> list[str]:
    """Return the heads of the two reports' columns: reporter and id."""
    return [display_text(f"{row['reported_by']} {end}") for row, end in zip((pair.a, pair.b), pair.ends, strict=True)]
