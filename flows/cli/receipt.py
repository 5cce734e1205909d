"""The commands `engang receipt`: what became of each row of a submission, the proof of it, and checks of proofs."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from flows.cli.terminal import (
    FOUND_PROBLEMS,
    JsonOption,
    ReleaseOption,
    app,
    one_line,
    open_here,
    print_alarm,
    print_json,
    print_list,
    print_page,
    print_table,
    print_text,
)

if TYPE_CHECKING:
    from flows.installation import Installation


class ReceiptGroup(TyperGroup):
    """`engang receipt SUBMISSION` is short for `engang receipt show SUBMISSION`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  # its type is private to Typer
        """Put in `show` where the first argument is neither a command nor --help."""
        if args and args[0] != "--help" and args[0] not in self.commands:
            args = ["show", *args]
        return super().parse_args(ctx, args)


receipt_app = typer.Typer(
    cls=ReceiptGroup,
    help="Show what a release did with each row of a submission, and prove it. SUBMISSION alone is `show SUBMISSION`.",
    no_args_is_help=True,
)
app.add_typer(receipt_app, name="receipt")
OutOption = Annotated[Path | None, typer.Option("--out", help="Write the receipt, with its proofs, to this file.")]
KEY_DIGITS: Final = 16
"""Digits of a key or a root that a line shows."""
MOST_PAGES: Final = 3
"""Items whose pages are listed."""


@receipt_app.command("show")
def show_command(
    submission: Annotated[str, typer.Argument(metavar="SUBMISSION", help="The submission's id.")],
    *,
    row: Annotated[int | None, typer.Option("--row", help="This row alone; the header is row 1.")] = None,
    every: Annotated[bool, typer.Option("--all", help="List every row, not the first 20.")] = False,
    since: Annotated[int | None, typer.Option(help="Prove that the tree extends that of this release.")] = None,
    release: ReleaseOption = None,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Show what became of each row of a submission: its bucket, its items, who agrees and who contradicts."""
    from flows.receipts.checked import write_receipt
    from flows.receipts.receipt import ReceiptRequest, submission_receipt

    asked = ReceiptRequest(submission, release=release, row=row, every=every, since=since)
    installation = open_here()
    receipt = submission_receipt(installation, asked)
    if out is not None:
        write_receipt(out, receipt)
    if json:
        print_json(receipt)
        return
    _print_receipt(receipt, listed_all=every or row is not None)
    _print_pages(installation, receipt)
    if out is None:
        print_text("--out FILE writes the receipt; `engang receipt verify FILE` checks it, without this installation")
    else:
        print_text(f"{out} is the receipt: `engang receipt verify {out}` checks it, without this installation")


def _print_receipt(receipt: dict[str, Any], *, listed_all: bool) -> None:
    about = f"{receipt['contract']} by {receipt['sender']}, {receipt['filename']}"
    print_text(one_line(f"submission {receipt['submission']}: {about}"))
    counts = ", ".join(f"{rows} {bucket}" for bucket, rows in receipt["buckets"].items())
    print_text(f"release {receipt['release']}: of {receipt['delivered']} rows {counts}")
    print_table([line for row in receipt["rows"] for line in _lines(row)])
    if not listed_all and receipt["stated"] > len(receipt["rows"]):
        print_text(f"{len(receipt['rows'])} of {receipt['stated']} rows are listed: --all lists all, --row N one")
    leaves = ", ".join(str(leaf["index"]) for leaf in receipt["leaves"][-3:])
    key = receipt["head"]["public_key"][:KEY_DIGITS]
    print_text(f"proved by leaf {leaves} of the tree of release {receipt['release']}, signed by key {key}...")


def _print_pages(installation: "Installation", receipt: dict[str, Any]) -> None:
    """Print the pages of the release's site on the obligation, and on the first items that others contradict."""
    contract = installation.contracts.get(receipt["contract"])
    if contract is not None:
        print_page(installation, "obligations", contract.obligation, receipt["release"])
    items = [item["item_id"] for row in receipt["rows"] for item in row["items"] if item.get("contradicts")]
    for item in list(dict.fromkeys(items))[:MOST_PAGES]:
        print_page(installation, "items", item, receipt["release"])


def _lines(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a line for each item of a row, and one for a row without any."""
    return [
        {
            "row": row["row"],
            "bucket": row["bucket"],
            "item": item.get("item_id"),
            "what": item.get("concept") or item.get("kind"),
            "agrees": _names(item.get("agrees", ())),
            "contradicts": _names(item.get("contradicts", ())),
            "not shown": item.get("not_shown") or None,
        }
        for item in row["items"] or [{}]
    ]


def _names(others: Iterable[dict[str, str]]) -> str:
    return ", ".join(f"{other['reported_by'] or other['sender']} ({other['contract']})" for other in others)


@receipt_app.command("verify")
def verify_receipt_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `engang receipt --out` wrote.")],
    *,
    json: JsonOption = False,
) -> None:
    """Check a receipt without any installation: signature, inclusion of each leaf, extension of an earlier tree."""
    from flows.receipts.checked import check_receipt_file

    proved, problem = check_receipt_file(file)
    if json:
        print_json({"proved": proved is not None, "problem": problem or None, **(proved or {})})
    elif proved is None:
        print_alarm(f"not proved: {one_line(problem)}")
    else:
        _print_proved(proved)
    if proved is None:
        raise typer.Exit(FOUND_PROBLEMS)


def _print_proved(proved: dict[str, Any]) -> None:
    head = proved["head"]
    print_text(f"proved: release {head['release']} has a tree of {head['size']} leaves, root {head['root']}")
    print_text(f"signed by key {proved['public_key']}")
    if proved["submission"] is not None:
        counts = ", ".join(f"{rows} {bucket}" for bucket, rows in proved["buckets"].items())
        print_text(one_line(f"submission {proved['submission']}: {counts}"))
    print_text("Compare key and root with what the publisher shows: `engang receipt heads`, release.json of an export")


@receipt_app.command("heads")
def heads_command(*, json: JsonOption = False) -> None:
    """List the signed head of each release's tree, and the public key that signed it."""
    from flows.receipts.proofs import list_heads

    empty = "no release has a tree yet: `engang nightly` makes one"
    shown = ("release", "size", "root", "public_key")
    print_list(list_heads(open_here()), lambda head: {name: head[name] for name in shown}, empty=empty, json=json)


@receipt_app.command("extends")
def extends_command(
    first: Annotated[int, typer.Argument(metavar="EARLIER", help="The number of an earlier release.")],
    *,
    release: ReleaseOption = None,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Prove that a release's tree extends that of an earlier one: nothing stated then was changed or removed."""
    from flows.receipts.checked import write_receipt
    from flows.receipts.receipt import tree_extension

    proof = tree_extension(open_here(), first, release)
    if out is not None:
        write_receipt(out, proof)
    if json:
        print_json(proof)
    elif out is None:
        print_text(f"the tree extends that of release {first}; --out FILE writes the proof, --json prints it")
    else:
        print_text(f"{out} proves that the tree extends that of release {first}: `engang receipt verify {out}`")
