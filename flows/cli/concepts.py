"""The command on the vocabulary: who reports what."""

from enum import StrEnum
from typing import Annotated

import typer

from flows.cli.terminal import JsonOption, app, open_here, print_fitted_table, print_json, print_text


class TitleLanguage(StrEnum):
    """A language that the vocabulary has titles in."""

    NB = "nb"
    NN = "nn"
    EN = "en"


@app.command("concepts")
def concepts_command(
    *,
    every: Annotated[bool, typer.Option("--all", help="Also concepts that no contract reports.")] = False,
    language: Annotated[TitleLanguage, typer.Option(help="The language of the titles.")] = TitleLanguage.EN,
    json: JsonOption = False,
) -> None:
    """List the concepts of the vocabulary and who reports them; name contracts that share no item with any other.

    On a terminal long definitions are cut; in a pipe, and with --json (all languages, dimensions), they are whole.
    """
    from flows.queries.concept_use import contracts_alone, list_concepts

    installation = open_here()
    rows, alone = list_concepts(installation, unused=every), contracts_alone(installation)
    if json:
        print_json({"concepts": rows, "alone": alone})
        return
    print_fitted_table(
        [
            {
                "concept": row["concept"], "title": row[f"title_{language}"], "definition": row["definition"],
                "measures": ", ".join(row["measures"]), "contracts": ", ".join(row["contracts"]),
            }
            for row in rows
        ],
        shorten=("definition",),
    )  # fmt: skip
    if alone:
        print_text("\nNo other contract can report the same items as these. Where that is wrong, let them use the")
        print_text("concept, the codes and the kind of unit of the others:\n")
        print_fitted_table([{"contract": each["contract"], "reports": "; ".join(each["reports"])} for each in alone])
