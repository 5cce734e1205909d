"""The command on the vocabulary: who reports what."""

from typing import Annotated

import typer

from flows.cli.terminal import JsonOption, app, open_here, print_json, print_table, print_text

CONCEPT_FIELDS = ("concept", "title_en", "measures", "dimensions", "contracts")
"""What is shown of a concept."""


@app.command("concepts")
def concepts_command(
    *,
    every: Annotated[bool, typer.Option("--all", help="Also concepts that no contract reports.")] = False,
    json: JsonOption = False,
) -> None:
    """List the concepts of the vocabulary and who reports them; name contracts that share no item with any other."""
    from flows.queries.concept_use import contracts_alone, list_concepts

    installation = open_here()
    rows, alone = list_concepts(installation, unused=every), contracts_alone(installation)
    if json:
        print_json({"concepts": rows, "alone": alone})
        return
    print_table([{name: _shown(row[name]) for name in CONCEPT_FIELDS} for row in rows], list(CONCEPT_FIELDS))
    if alone:
        print_text("\nNo other contract can report the same items as these. Where that is wrong, let them use the")
        print_text("concept, the codes and the kind of unit of the others:\n")
        print_table([{"contract": each["contract"], "reports": "; ".join(each["reports"])} for each in alone])


def _shown(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
