"""Commands on match models: train, models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.terminal import (
    JsonOption,
    WhoOption,
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
    from flows.matching.model_impact import ModelImpact
    from flows.matching.training import TrainingResult

models_app = typer.Typer(
    help="List, show, choose, export and import the match models of record kinds.", invoke_without_command=True
)
app.add_typer(models_app, name="models")

KindArgument = Annotated[str, typer.Argument(metavar="KIND", help="A record kind, e.g. rail_accident.")]
DigestArgument = Annotated[str, typer.Argument(help="The model's digest, or enough of its first characters.")]
OptionalReason = Annotated[str | None, typer.Option("--why", help="The reason, for later readers.")]
ModelFile = Annotated[Path, typer.Argument(help="A model as JSON.")]
MAX_SAMPLE_ROWS = 5


@app.command("train")
def train_command(
    kind: KindArgument,
    *,
    pin: Annotated[
        bool, typer.Option("--pin", help="Also put the model in force, even if its estimate is not credible.")
    ] = False,
    why: OptionalReason = None,
    who: WhoOption = None,
    json: JsonOption = False,
) -> None:
    """Train a match model on the standing reports and print what it would change.

    A kind's first model is in force, unless its estimate is not credible: the reasons are printed.
    """
    from flows.matching.training import PinRequest, train

    installation = open_here()
    request = PinRequest(wanted=pin, who=who, why=why)
    result = train(installation, installation.kind(kind), request, print_progress)
    if json:
        print_json(result.as_dict())
    else:
        _print_training(result)


def _print_training(result: "TrainingResult") -> None:
    model, fields = result.model, result.as_dict()
    print_text(f"model {model.digest} of {model.kind}{'' if result.new else ', same as before'}: {result.file}")
    _print_training_data(model.seen)
    print_table(_rounded(fields["levels"]))
    for note in result.notes:
        print_text(f"note: {note}")
    for doubt in result.doubts:
        print_warning(f"not credible: {doubt}")
    joined, reviewed = _bits(fields["threshold"]), _bits(fields["review"])
    print_text(f"joined automatically from {joined}; shown for review from {reviewed}")
    _print_impact(result.effect, model.digest)
    if result.before == model.digest:
        print_text("the model was already in force")
    elif result.pinned:
        first = " (the kind had none)" if result.before is None else ""
        print_text(f"the model is in force{first}: the next `engang nightly` matches with it")
    else:
        if result.doubts:
            print_text("the model is not in force, because its estimate is not credible")
        print_text(f'put it in force: engang models pin {model.kind} {model.digest} --why "…" --yes')


def _print_training_data(seen: dict[str, Any]) -> None:
    print_text("training data: " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in seen.items()))


def _print_impact(impact: "ModelImpact | None", digest: str) -> None:
    if impact is None:
        print_text("no record of this kind is released yet, so it changes nothing")
        return
    counts = ", ".join(f"{n} {name}" for name, n in impact.counts().items() if n)
    print_text(
        f"model {digest} would change release {impact.release} ({impact.items} items, matched with "
        f"{impact.before or 'no model'}) as follows: {counts or 'no change'}"
    )
    rows = impact.as_dict(MAX_SAMPLE_ROWS)
    for name in ("history", "changes"):
        if rows[name]:
            print_text(f"some of the {name}:")
            print_table(rows[name])


def _bits(weight: float) -> str:
    return f"{weight:.2f} bits (probability {1 / (1 + 2.0**-weight):.3f})"


def _rounded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with numbers rounded to four digits."""
    return [{k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows]


@models_app.callback()
def models_command(context: typer.Context, *, json: JsonOption = False) -> None:
    """List the models (without a subcommand)."""
    if context.invoked_subcommand is None:
        list_models_command(json=json)


@models_app.command("list")
def list_models_command(*, json: JsonOption = False) -> None:
    """List the models, and which is in force for its kind."""
    from flows.matching.models import list_models

    empty = "no model yet: `engang train KIND` makes one"
    print_list(list_models(open_here()), _model_row, empty=empty, json=json)


def _model_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": row["kind"],
        "digest": row["digest"],
        "trained": row["trained_at"].replace(microsecond=0) if row["trained_at"] else "shipped",
        "reports": row["seen"].get("reports"),
        " ": "in force" if row["in_force"] else "",
    }


@models_app.command("show")
def show_model_command(digest: DigestArgument, *, json: JsonOption = False) -> None:
    """Show a model's training data and the weight of each level of each field."""
    from flows.matching.models import describe_model, model_by_digest

    model = describe_model(model_by_digest(open_here(), digest))
    if json:
        print_json(model)
        return
    print_text(f"model {model['digest']} of {model['kind']}; the best F1 is expected from {_bits(model['best'])}")
    _print_training_data(model["seen"])
    print_table(_rounded(model["levels"]))


@models_app.command("pin")
def pin_model_command(
    kind: KindArgument,
    digest: DigestArgument,
    why: Annotated[str, typer.Option("--why", help="The reason, for later readers.")],
    who: WhoOption = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, only print what would change.")] = False,
    json: JsonOption = False,
) -> None:
    """Put a model in force for its kind; without --yes, print what that would change."""
    from flows.matching.models import pin_model
    from flows.matching.training import PinRequest

    installation = open_here()
    request = PinRequest(wanted=yes, who=who, why=why)
    result = pin_model(installation, installation.kind(kind), digest, request)
    if json:
        impact = result.effect and result.effect.as_dict(MAX_SAMPLE_ROWS)
        fields = {"digest": result.model.digest, "pinned": result.pinned, "changed": result.changed}
        print_json({**fields, "effect": impact})
        return
    _print_impact(result.effect, result.model.digest)
    if not result.pinned:
        print_text("nothing was changed: give --yes to put it in force")
    else:
        print_text(
            "in force: the next `engang nightly` matches with it" if result.changed else "it was already in force"
        )


@models_app.command("export")
def export_model_command(digest: DigestArgument, file: ModelFile, *, json: JsonOption = False) -> None:
    """Write a model to a file, for `engang models import` here or elsewhere."""
    from flows.matching.models import export_model

    model = export_model(open_here(), digest, file)
    if json:
        print_json({"digest": model.digest, "kind": model.kind, "file": str(file)})
    else:
        print_text(f"{file}: model {model.digest} of {model.kind}")


@models_app.command("import")
def import_model_command(file: ModelFile, *, json: JsonOption = False) -> None:
    """Add a model from a file; `engang models pin` puts it in force."""
    from flows.matching.models import import_model

    model, new = import_model(open_here(), file)
    if json:
        print_json({"digest": model.digest, "kind": model.kind, "new": new})
    else:
        print_text(f"model {model.digest} of {model.kind} {'is added' if new else 'was added before'}")
