"""The command `evaluate`: how well reports are matched, by known truth or by a sample that a person judges."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.terminal import (
    JsonOption,
    WhoOption,
    app,
    open_here,
    plain_text,
    print_json,
    print_progress,
    print_table,
    print_text,
    print_warning,
)
from schemas.errors import UsageError

if TYPE_CHECKING:
    from flows.matching.evaluation import Evaluation
    from flows.matching.judged_sample import SampleEvaluation, SampleResult
    from flows.queries.pairs import Pair

MAX_CELL_CHARACTERS = 60
"""Characters of a value that a table shows."""
SCORE_COLUMNS = {"P": "precision", "R": "recall", "F1": "f1"}


@app.command("evaluate")
def evaluate_command(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="A record kind, e.g. rail_accident.")],
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Parquet or CSV: the deliveries' row key, and a label.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="The column of the row key, if not the contract's.")] = None,
    label: Annotated[str | None, typer.Option(help="The column of the label, if it is not found by itself.")] = None,
    *,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Without a truth: judge about this many pairs; asks for those not judged.")
    ] = None,
    chart: Annotated[Path | None, typer.Option(help="Write the curves to this file, .svg or .png.")] = None,
    errors: Annotated[int, typer.Option(min=0, help="How many of the worst errors of each sort to show.")] = 3,
    show_values: Annotated[bool, typer.Option("--show-values", help="Also show personal values.")] = False,
    sweep: Annotated[bool, typer.Option(help="Also evaluate other thresholds than the one in use.")] = True,
    who: WhoOption = None,
    json: JsonOption = False,
) -> None:
    """Measure how well the reports of the current release are matched: precision, recall, F1.

    --truth: against a file of known truth. --sample: estimated from pairs that you judge.
    """
    if sample is not None and truth is None:
        _evaluate_sample(kind, sample, who, json=json)
        return
    if truth is None or sample is not None:
        raise UsageError("give either --truth FILE or --sample N")
    from flows.matching.evaluation import EvaluationRequest, evaluate

    installation = open_here()
    request = EvaluationRequest(truth, key, label, errors, show_values, sweep)
    evaluation = evaluate(installation, installation.kind(kind), request)
    if chart is not None:
        from flows.cli.charts import curves, write_chart

        scores = evaluation.scores.iter_rows(named=True)
        print_progress(f"chart: {write_chart(curves(scores, evaluation.threshold), chart)}")
    if json:
        print_json(evaluation.as_dict())
    else:
        _print_evaluation(evaluation)


def _print_evaluation(evaluation: "Evaluation") -> None:
    for note in evaluation.notes:
        print_warning(note)
    print_text(
        f"{evaluation.kind}, release {evaluation.release}, model {evaluation.model or 'none'}: the truth covers "
        f"{evaluation.reports} of {evaluation.of} reports; {evaluation.true} pairs of them are one item"
    )
    print_table(_over_thresholds(evaluation))
    print_text("(P precision, R recall; components: what plain connected components would give)")
    for sort, pairs in (
        ("joined, but two items in truth", evaluation.false),
        ("not joined, but one item in truth", evaluation.missed),
    ):
        for pair in pairs:
            rules = f"compared by {pair['compared_by']}" if pair["compared_by"] else "never compared: no blocking rule"
            weight = "" if pair["weight"] is None else f", weight {pair['weight']:.2f} bits"
            print_text(f"\n{sort}: {pair['a']} and {pair['b']} ({rules}{weight})")
            print_table([{k: _shortened(v) if k in {"a", "b"} else v for k, v in f.items()} for f in pair["fields"]])


def _over_thresholds(evaluation: "Evaluation") -> list[dict[str, Any]]:
    """Return a row per threshold: the scores of pairs, items and plain connected components."""
    rows: dict[float, dict[str, Any]] = {}
    for score in evaluation.scores.iter_rows(named=True):
        used = "in use" if score["threshold"] == evaluation.threshold else ""
        bits = "" if evaluation.threshold is None else f"{score['threshold']:.2f}"
        row = rows.setdefault(score["threshold"], {"bits": bits, " ": used})
        row |= {f"{score['of']} {short}": f"{score[name]:.4f}" for short, name in SCORE_COLUMNS.items()}
    return list(rows.values())


def _shortened(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else plain_text(value)
    return text if len(text) <= MAX_CELL_CHARACTERS else f"{text[: MAX_CELL_CHARACTERS - 1]}…"


# A sample that a person judges


def _evaluate_sample(kind: str, wanted: int, who: str | None, *, json: bool) -> None:
    from flows.matching.judged_sample import open_pairs, open_sample, sample_result

    installation = open_here()
    evaluation = open_sample(installation, installation.kind(kind), wanted, print_progress)
    if json:
        sample = evaluation.sample()
        questions = [_question(pair) for pair in open_pairs(evaluation, sample)]
        print_json({**sample_result(evaluation, sample).as_dict(), "questions": questions})
        return
    _judge_all(evaluation, who)
    _print_estimates(sample_result(evaluation, evaluation.sample()))


def _question(pair: "Pair") -> dict[str, Any]:
    """Return a pair without its weight: who judges should not know what the model holds of it."""
    reporters = {"reported_by_a": pair.a["reported_by"], "reported_by_b": pair.b["reported_by"]}
    fields = [{name: field[name] for name in ("field", "a", "b")} for field in pair.fields]
    return {"a": pair.ends[0], "b": pair.ends[1], **reporters, "fields": fields}


def _judge_all(evaluation: "SampleEvaluation", who: str | None) -> None:
    """Ask for a verdict on each pair that has none, until none remains, the user quits or the input ends."""
    from flows.cli.record_stories import print_values
    from flows.cli.review import VERDICT_KEYS, read_answer
    from flows.matching.judged_sample import judge, open_pairs

    pairs = open_pairs(evaluation, evaluation.sample())
    for n, pair in enumerate(pairs, start=1):
        print_values(pair, f"pair {n} of {len(pairs)} to judge: are these one item?")
        key, reason = read_answer()
        if key == "q":
            break
        if key in VERDICT_KEYS:
            result = judge(evaluation, pair, VERDICT_KEYS[key], why=reason, who=who)
            for warning in result.warnings:
                print_warning(warning)
            print_text(f"decision {result.id}: {VERDICT_KEYS[key]}\n")


def _print_estimates(result: "SampleResult") -> None:
    part = "" if result.reports == result.of else f", {result.reports} of them drawn at random"
    print_text(f"{result.kind}, release {result.release}, {result.of} reports{part}")
    print_table([_stratum_row(row) for row in result.strata])
    unsure = f", {result.unsure} unsure" if result.unsure else ""
    print_text(f"{result.judged} pairs judged{unsure}, {result.open} open; in 95 of 100 samples between the bounds:")
    rows = [
        {"of": of, "": name, "estimate": f"{e.value:.3f}", "from": f"{e.low:.3f}", "to": f"{e.high:.3f}"}
        for of, found in result.estimates.items()
        for name, e in found.items()
    ]
    print_table(rows)
    if result.unseen:
        print_text(f"(recall allows for about {result.unseen} matches that have nothing rare in common)")
    if not result.judged:
        print_warning("no pair is judged: these are the model's own expectations")


def _stratum_row(row: dict[str, Any]) -> dict[str, Any]:
    bits = "decided" if row["stratum"] < 0 else f"{row['least']:.1f} to {row['greatest']:.1f}"
    names = ("pairs", "drawn", "judged", "same")
    return {"within": "one item" if row["within"] else "two items", "bits": bits} | {n: row[n] for n in names}
