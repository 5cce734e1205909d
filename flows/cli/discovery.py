"""Commands on double reporting that no contract declares: discover and its review, verdicts and contract changes."""

import tempfile
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.backfills import print_outcome
from flows.cli.review import read_answer
from flows.cli.terminal import (
    FOUND_PROBLEMS,
    JsonOption,
    ReleaseOption,
    app,
    open_here,
    print_json,
    print_list,
    print_progress,
    print_table,
    print_text,
    print_warning,
)

if TYPE_CHECKING:
    from flows.backfill.contract_change import ContractChange
    from flows.backfill.publish import BackfillOutcome
    from flows.installation import Installation
    from flows.overlap.verdicts import RecordedVerdict, SuspectedQueue

discover_app = typer.Typer(
    help="List double reporting that no contract declares, decide on it, and change contracts.",
    invoke_without_command=True,
)
app.add_typer(discover_app, name="discover")

_ANSWERS = {"s": "same", "r": "derivable", "d": "different", "l": "later"}
"""Key of an answer -> the verdict."""
_PROMPT = "[s]ame de[r]ivable [d]ifferent [l]ater s[k]ip [q]uit, followed by the reason: "

SeriesArgument = Annotated[str, typer.Argument(help="Id of a series, as `engang discover` prints it.")]
ByOption = Annotated[str | None, typer.Option("--by", "--who", help="Who decides; by default the user who runs this.")]


@discover_app.callback()
def discover_command(context: typer.Context, *, release: ReleaseOption = None, json: JsonOption = False) -> None:
    """List double reporting that no contract declares: figures that agree more often than chance, sums, constants."""
    if context.invoked_subcommand is not None:
        return
    from flows.overlap.tables import list_suspected

    rows = list_suspected(open_here(), release)
    print_list(rows, _suspected_row, empty="nothing is suspected", json=json)
    if rows and not json:
        print_text("(agreeing of common units and periods; chance: the share that chance gives; bits: the evidence)")


def _suspected_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": row["kind"],
        "a": row["series_a"],
        "series": _series(row, "a"),
        "b": row["series_b"],
        "other": _shortened(_other(row)),
        "agreeing": f"{row['agreeing']} of {row['common']}",
        "chance": f"{row['chance']:.2f}",
        "bits": round(row["bits"]),
        "verdict": row["verdict"] or "",
    }


def _other(row: dict[str, Any]) -> str:
    if row["obligation_b"] is None:
        return " + ".join(map(_part, loads(row["parts"] or "[]")))
    changes = [f"x {row['scale']:g}"] if row["scale"] != 1 else []
    changes += [f"moved {row['shift']:+d} period"] if row["shift"] else []
    return " ".join([_series(row, "b"), *changes])


def _part(part: dict[str, str]) -> str:
    summed = f" summed over {part['over']}" if part["over"] else ""
    return f"{part['obligation']} {part['concept']} {part['breakdown']}{_by(part['reporter'])}{summed}"


def _series(row: dict[str, Any], side: str) -> str:
    by = _by(row[f"reporter_{side}"])
    return f"{row[f'obligation_{side}']} {row[f'concept_{side}']} {row[f'breakdown_{side}']}{by}"


def _by(reporter: str) -> str:
    """Return who states a series, where it is the units themselves: others state one of the same name."""
    return " by units" if reporter == "unit" else ""


def _shortened(text: str) -> str:
    limit = 80
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


@discover_app.command("review")
def review_suspected_command(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many rows.")] = 20,
    by: ByOption = None,
    *,
    listing: Annotated[bool, typer.Option("--list", help="Print them and ask nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Ask about suspected double reporting that nobody has decided, most evidence first; record the answers."""
    from flows.overlap.verdicts import open_suspected

    installation = open_here()
    queue = open_suspected(installation)
    questions = queue.questions(limit)
    if json:
        print_json([{**row, "differing": queue.differing(row)} for row in questions])
        return
    if not questions:
        print_text("nothing to review: nothing is suspected and undecided")
    given = 0
    for number, row in enumerate(questions, start=1):
        _print_question(queue, row, f"{number} of {len(questions)}")
        if listing:
            continue
        key, why = read_answer(_PROMPT, _ANSWERS, reasoned=True)
        while key in _ANSWERS and not _record(installation, row, (_ANSWERS[key], why), by):
            key, why = read_answer(_PROMPT, _ANSWERS, reasoned=True)
        if key == "q":
            break
        given += key in _ANSWERS
    if given:
        print_text(f"{given} decided")


def _print_question(queue: "SuspectedQueue", row: dict[str, Any], place: str) -> None:
    """Print a row, and figures at which its series differ."""
    print_text(f"{place}: {row['kind']}: {row['agreeing']} of {row['common']} agree, {row['bits']:.0f} bits")
    print_text(f"  a {row['series_a']} {_series(row, 'a')}")
    print_text(f"  b {row['series_b']} {_other(row)}")
    differing = queue.differing(row)
    if differing:
        print_table([{k: v for k, v in each.items() if k != "period_end"} for each in differing])


def _record(installation: "Installation", row: dict[str, Any], answer: tuple[str, str], by: str | None) -> bool:
    """Record an answer, a verdict and its reason; print why one that does not fit is not recorded."""
    from flows.overlap.verdicts import give_verdict
    from schemas.errors import UsageError

    try:
        _print_recorded(give_verdict(installation, row, answer[0], why=answer[1], who=by))
    except UsageError as error:
        print_warning(str(error))
        return False
    return True


def _print_recorded(recorded: "RecordedVerdict") -> None:
    row = recorded.row
    print_text(f"verdict {recorded.id}: {row['series_a']} and {row['series_b']}: {row['verdict']}")
    if row["verdict"] in {"same", "derivable"}:
        print_text("`engang discover change CONTRACT` shows what the contract of either becomes")


@discover_app.command("verdict")
def verdict_command(
    a: SeriesArgument,
    b: SeriesArgument,
    verdict: Annotated[str, typer.Argument(help="same, derivable, different or later.")],
    why: Annotated[str, typer.Option("--why", help="The reason, for later readers.")],
    by: ByOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Decide whether two series are the same, or one follows from others. A later verdict replaces an earlier one."""
    from flows.overlap.verdicts import verdict_on

    recorded = verdict_on(open_here(), (a, b), verdict, why=why, who=by)
    if json:
        print_json({"id": recorded.id, **recorded.row})
    else:
        _print_recorded(recorded)


@discover_app.command("verdicts")
def verdicts_command(*, json: JsonOption = False) -> None:
    """List every verdict, oldest first: the two series, who decided, when and why."""
    from flows.overlap.verdicts import list_overlap_verdicts

    rows = list_overlap_verdicts(open_here())
    print_list(rows, _verdict_row, empty="no verdict was ever given", json=json)


def _verdict_row(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name != "on"}
    on = row["on"]
    return shown | {"at": row["at"].replace(microsecond=0), "series": _series(on, "a"), "other": _shortened(_other(on))}


@discover_app.command("change")
def change_command(
    contract: Annotated[str, typer.Argument(help="The contract whose series become those of the other.")],
    *,
    to: Annotated[Path | None, typer.Option("--to", help="Write the new version to this folder.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the new version in place of the contract.")] = False,
    json: JsonOption = False,
) -> None:
    """Show the next version of a contract by the verdicts that count, and what a backfill by it would change."""
    from flows.backfill.contract_change import draft_change, try_change, write_change

    installation = open_here()
    change = draft_change(installation, contract)
    with tempfile.TemporaryDirectory(prefix="engang-change-") as scratch:
        outcome = try_change(installation, change, Path(scratch))
    file = write_change(installation, change, to) if write or to else None
    if json:
        tried = outcome.as_dict() if outcome else None
        print_json(
            {"contract": contract, "version": change.contract.version, "diff": change.diff(), "file": file,
             "undecided": change.undecided, "problems": change.problems, "backfill": tried}
        )  # fmt: skip
    else:
        _print_change(change, outcome)
        where = f" --rules {file}" if to else ""
        print_progress(
            f"{file} is written; `engang backfill --contract {contract}{where}` makes it real" if file
            else "nothing is written: --write puts it in place of the contract, --to FOLDER in a folder"
        )  # fmt: skip
    for problem in change.problems:
        print_warning(f"an example of the new version fails: {problem}")
    if change.problems:
        raise typer.Exit(FOUND_PROBLEMS)


def _print_change(change: "ContractChange", outcome: "BackfillOutcome | None") -> None:
    """Print what differs in the contract, what nobody decided, and what a backfill would change."""
    print_text(change.diff())
    for breakdown in change.undecided:
        print_warning(f"nothing was decided of {breakdown}: it keeps its code")
    if outcome:
        print_outcome(outcome, json=False)
