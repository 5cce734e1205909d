"""Commands of those who answer for the matching of records: train, evaluate, models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.terminal import Json, app, echo_json, one_line, open_here, plain, say, show

if TYPE_CHECKING:
    from flows.matching.evaluation import Evaluation
    from flows.matching.model_impact import Effect
    from flows.matching.training import Trained

models = typer.Typer(
    help="List, show, choose, export and import the match models of record kinds.", invoke_without_command=True
)
app.add_typer(models, name="models")

KindName = Annotated[str, typer.Argument(metavar="KIND", help="Which record kind, e.g. rail_accident.")]
Digest = Annotated[str, typer.Argument(help="The model's digest, or as many first characters as tell it.")]
Who = Annotated[str | None, typer.Option("--who", help="Who decides, if not the user who runs this.")]
Why = Annotated[str | None, typer.Option("--why", help="The reason, for those who come after.")]
ModelFile = Annotated[Path, typer.Argument(help="A model as JSON.")]
SAMPLES = 5
SHORT = {"P": "precision", "R": "recall", "F1": "f1"}
WIDEST = 60
"""Characters of a value that a table shows."""


@app.command()
def train(
    kind: KindName,
    *,
    pin: Annotated[bool, typer.Option("--pin", help="Put the model in force, too.")] = False,
    why: Why = None,
    who: Who = None,
    json: Json = False,
) -> None:
    """Estimate a match model from the reports that stand, and tell what it would change; a kind's first is in force."""
    from flows.matching.training import Pin
    from flows.matching.training import train as run

    installation = open_here()
    done = run(installation, installation.kind(kind), Pin(wanted=pin, who=who, why=why), say)
    if json:
        echo_json(done.as_dict())
    else:
        _show_trained(done)


def _show_trained(done: "Trained") -> None:
    from transforms.linkage.model import automatic, review
    from transforms.linkage.waterfall import model_levels

    model = done.model
    typer.echo(f"model {model.digest} of {model.kind}{'' if done.new else ', as it was trained before'}: {done.file}")
    typer.echo("it saw " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in model.seen.items()))
    show(_rounded(model_levels(model).to_dicts()))
    threshold = automatic(done.kind, model)
    typer.echo(f"one item by itself: from {_bits(threshold)}; shown for review: from {_bits(review(done.kind, model))}")
    _show_effect(done.effect, model.digest)
    if done.before == model.digest:
        typer.echo("the model was in force before")
    elif done.pinned:
        first = " (the kind had none)" if done.before is None else ""
        typer.echo(f"the model is in force{first}: the next `engang nightly` matches with it")
    else:
        typer.echo(f'put it in force: engang models pin {model.kind} {model.digest} --why "…" --yes')


def _show_effect(effect: "Effect | None", digest: str) -> None:
    if effect is None:
        typer.echo("nothing of the kind is released yet, so it changes nothing")
        return
    told = ", ".join(f"{n} {name}" for name, n in effect.counts().items() if n)
    typer.echo(
        f"in force, {digest} makes of release {effect.release} ({effect.items} items, matched with "
        f"{effect.before or 'no model'}): {told or 'the same'}"
    )
    rows = effect.as_dict(SAMPLES)
    for name in ("history", "changes"):
        if rows[name]:
            typer.echo(f"some of the {name}:")
            show(rows[name])


def _bits(weight: float) -> str:
    return f"{weight:.2f} bits (probability {1 / (1 + 2.0**-weight):.3f})"


def _rounded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with numbers as a table shows them."""
    return [{k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows]


@app.command()
def evaluate(  # noqa: PLR0913  the command's own arguments and options
    kind: KindName,
    truth: Annotated[Path, typer.Option("--truth", help="Parquet or CSV: the deliveries' row key, and a label.")],
    key: Annotated[str | None, typer.Option(help="The column of the row key, if not the contract's.")] = None,
    label: Annotated[str | None, typer.Option(help="The column of the label, if it cannot be told.")] = None,
    *,
    chart: Annotated[Path | None, typer.Option(help="Write the curves to this file, .svg or .png.")] = None,
    errors: Annotated[int, typer.Option(min=0, help="How many of the worst errors to show, each way.")] = 3,
    show_values: Annotated[bool, typer.Option("--show-values", help="Show personal values, too.")] = False,
    json: Json = False,
) -> None:
    """Compare the items of the current release with what is known to be true: precision, recall, F1, worst errors."""
    from flows.matching.evaluation import Asked
    from flows.matching.evaluation import evaluate as run

    installation = open_here()
    asked = Asked(truth, key, label, errors, show_values)
    found = run(installation, installation.kind(kind), asked)
    if chart is not None:
        from flows.cli.charts import curves, write

        say(f"chart: {write(curves(found.scores, found.threshold), chart)}")
    if json:
        echo_json(found.as_dict())
    else:
        _show_evaluation(found)


def _show_evaluation(found: "Evaluation") -> None:
    for note in found.notes:
        say(f"mind: {one_line(note)}")
    typer.echo(
        f"{found.kind}, release {found.release}, model {found.model or 'none'}: the truth names {found.reports} of "
        f"{found.of} reports; {found.true} pairs of them are one item"
    )
    show(_over_thresholds(found))
    typer.echo("(P precision, R recall; components: what plain connected components would give)")
    for name, rows in (
        ("in one item, two by the truth", found.false),
        ("one by the truth, in two items", found.missed),
    ):
        for pair in rows:
            by = f"compared by {pair['compared_by']}" if pair["compared_by"] else "never compared: no blocking rule"
            weight = "" if pair["weight"] is None else f", weight {pair['weight']:.2f} bits"
            typer.echo(f"\n{name}: {pair['a']} and {pair['b']} ({by}{weight})")
            show([{k: _cut(v) if k in {"a", "b"} else v for k, v in field.items()} for field in pair["fields"]])


def _over_thresholds(found: "Evaluation") -> list[dict[str, Any]]:
    """Return a row a threshold: what pairs, items and plain connected components reach there."""
    rows: dict[float, dict[str, Any]] = {}
    for score in found.scores.iter_rows(named=True):
        used = "in use" if score["threshold"] == found.threshold else ""
        bits = "" if found.threshold is None else f"{score['threshold']:.2f}"
        row = rows.setdefault(score["threshold"], {"bits": bits, " ": used})
        row |= {f"{score['of']} {short}": f"{score[name]:.4f}" for short, name in SHORT.items()}
    return list(rows.values())


def _cut(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else plain(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


@models.callback()
def listing(context: typer.Context, *, json: Json = False) -> None:
    """List the models there are (without a subcommand)."""
    if context.invoked_subcommand is None:
        list_models(json=json)


@models.command("list")
def list_models(*, json: Json = False) -> None:
    """List the models there are, and which is in force for its kind."""
    from flows.matching.models import list_models as run

    found = run(open_here())
    if json:
        echo_json(found)
    elif not found:
        typer.echo("no model is here: `engang train KIND` makes one")
    else:
        show([_model_row(row) for row in found])


def _model_row(row: dict[str, Any]) -> dict[str, Any]:
    trained = row["trained_at"].replace(microsecond=0) if row["trained_at"] else "shipped"
    force = "in force" if row["in_force"] else ""
    return {
        "kind": row["kind"],
        "digest": row["digest"],
        "trained": trained,
        "reports": row["seen"].get("reports"),
        " ": force,
    }


@models.command("show")
def show_model(digest: Digest, *, json: Json = False) -> None:
    """Show what a model saw and what it says of each level of each field."""
    from flows.matching.models import find_model
    from transforms.linkage.waterfall import model_levels

    model = find_model(open_here(), digest)
    levels = model_levels(model).to_dicts()
    told = {"kind": model.kind, "digest": model.digest, "best": model.best, "seen": model.seen}
    if json:
        echo_json({**told, "levels": levels})
        return
    typer.echo(f"model {model.digest} of {model.kind}; the best F1 is to be expected from {_bits(model.best)}")
    typer.echo("it saw " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in model.seen.items()))
    show(_rounded(levels))


@models.command("pin")
def pin_model(  # noqa: PLR0913  the command's own arguments and options
    kind: KindName,
    digest: Digest,
    why: Annotated[str, typer.Option("--why", help="The reason, for those who come after.")],
    who: Who = None,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without this it is only told what it would change.")
    ] = False,
    json: Json = False,
) -> None:
    """Put a model in force for its kind, or without --yes tell what that would change."""
    from flows.matching.models import pin_model as run
    from flows.matching.training import Pin

    installation = open_here()
    done = run(installation, installation.kind(kind), digest, Pin(wanted=yes, who=who, why=why))
    if json:
        effect = done.effect and done.effect.as_dict(SAMPLES)
        echo_json({"digest": done.model.digest, "pinned": done.pinned, "changed": done.changed, "effect": effect})
        return
    _show_effect(done.effect, done.model.digest)
    if not done.pinned:
        typer.echo("nothing was changed: give --yes to put it in force")
    else:
        typer.echo("in force: the next `engang nightly` matches with it" if done.changed else "it was in force before")


@models.command("export")
def export_model(digest: Digest, file: ModelFile, *, json: Json = False) -> None:
    """Write a model to a file, for `engang models import` here or elsewhere."""
    from flows.matching.models import export_model as run

    model = run(open_here(), digest, file)
    if json:
        echo_json({"digest": model.digest, "kind": model.kind, "file": str(file)})
    else:
        typer.echo(f"{file}: model {model.digest} of {model.kind}")


@models.command("import")
def import_model(file: ModelFile, *, json: Json = False) -> None:
    """Keep a model from a file; `engang models pin` puts it in force."""
    from flows.matching.models import import_model as run

    model, new = run(open_here(), file)
    if json:
        echo_json({"digest": model.digest, "kind": model.kind, "new": new})
    else:
        typer.echo(f"model {model.digest} of {model.kind} {'is kept' if new else 'was kept before'}")
