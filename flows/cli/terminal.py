"""What all commands share: the Typer app they register with, common options, and printing.

Results go to standard output, progress and errors to standard error.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.printing.widths import fitted_lines, fitting_widths, terminal_width

if TYPE_CHECKING:
    from flows.installation import Installation

app = typer.Typer(
    name="engang",
    help="Public bodies report each item once: deliver reports, publish a release, query it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
WhoOption = Annotated[str | None, typer.Option("--who", help="Who decides; by default the user who runs this.")]
ReleaseOption = Annotated[int | None, typer.Option("--release", "-r", help="Number of a release; by default the last.")]
FOUND_PROBLEMS = 1
WRONG_USE = 2
"""Exit codes: the command ran and found problems; the command was called wrongly."""


def print_text(text: object = "", *, err: bool = False, newline: bool = True) -> None:
    """Print lines of text, safe for any terminal: the only way in which a command prints."""
    typer.echo(safe_lines(str(text)), err=err, nl=newline)


def print_progress(text: str) -> None:
    """Print a line of progress to standard error."""
    typer.secho(safe_lines(text), err=True, dim=True)


def print_alarm(text: str) -> None:
    """Print what needs a person."""
    typer.secho(safe_lines(text), fg="red")


def print_error(text: str) -> None:
    """Print an error to standard error."""
    typer.secho(f"engang: {safe_lines(text)}", err=True, fg="red")


def print_warning(text: str) -> None:
    """Print a warning to standard error, on one line."""
    print_progress(f"warning: {one_line(text)}")


def print_table(rows: Sequence[dict[str, Any]], columns: Iterable[str] | None = None) -> None:
    """Print rows as an aligned table: text left, numbers right."""
    names = list(columns or next(iter(rows), {}))
    aligned = [_aligned(name, [row[name] for row in rows]) for name in names]
    for line in zip(*aligned, strict=True):
        print_text("  ".join(line).rstrip())


def print_fitted_table(
    rows: Sequence[dict[str, Any]], columns: Iterable[str] | None = None, *, shorten: Iterable[str] = ()
) -> None:
    """Print rows as a table that fits the terminal: texts too long for it on several lines, those of `shorten` cut.

    In a file or a pipe each row is one whole line, as `print_table` prints it.
    """
    names = list(columns or next(iter(rows), {}))
    values = {name: [row[name] for row in rows] for name in names}
    aligned = [_aligned(name, cells) for name, cells in values.items()]
    are_texts = [not _are_numbers(cells) for cells in values.values()]
    widths = fitting_widths([len(cells[0]) for cells in aligned], are_texts, terminal_width())
    cut = [name in shorten for name in names]
    for shown in chain.from_iterable(fitted_lines(line, widths, cut) for line in zip(*aligned, strict=True)):
        print_text(shown)


def print_list(
    rows: Sequence[dict[str, Any]], shown: Callable[[dict[str, Any]], dict[str, Any]], *, empty: str, json: bool
) -> None:
    """Print all of the rows as JSON, or what is shown of each as a table; `empty` is the text where there are none."""
    if json:
        print_json(rows)
    elif rows:
        print_fitted_table([shown(row) for row in rows])
    else:
        print_text(empty)


def print_json(value: object) -> None:
    """Print a value as JSON."""
    print_text(as_json(value))


def _aligned(name: str, values: list[object]) -> list[str]:
    """Return a column's name and cells, padded to the same width."""
    cells = [name, *(one_line(plain_text(value)) for value in values)]
    width = max(map(len, cells))
    return [cell.rjust(width) if _are_numbers(values) else cell.ljust(width) for cell in cells]


def _are_numbers(values: list[object]) -> bool:
    return bool(values) and all(value is None or is_number(value) for value in values)


def one_line(text: str) -> str:
    """Return a text that is safe to print on one line: control characters are replaced, so they move no cursor."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


def safe_lines(text: str) -> str:
    """Return a text of several lines in which each line is safe to print."""
    return "\n".join(map(one_line, text.split("\n")))


def is_number(value: object) -> bool:
    """Return whether a value is printed as a number."""
    from decimal import Decimal

    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def plain_text(value: object) -> str:
    """Return a value as text: decimals without trailing zeros, bytes in hex, nothing for null."""
    from decimal import Decimal

    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_json(value: object) -> str:
    """Return JSON: exact decimals, ISO 8601 dates, null for NaN, hex for bytes, the text of what else JSON lacks.

    Characters that a terminal could act on are escaped: a reader of JSON gets them as they were delivered.
    """
    import simplejson

    text = simplejson.dumps(
        _json_value(value), ensure_ascii=False, indent=1, use_decimal=True, ignore_nan=True, default=str
    )
    for character in {c for c in set(text) if not c.isprintable()} - {"\n"}:
        text = text.replace(character, simplejson.dumps(character, ensure_ascii=True)[1:-1])
    return text


def _json_value(value: object) -> object:
    import datetime as dt
    from decimal import Decimal

    if isinstance(value, dict):
        return {k: _json_value(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(v) for v in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else Decimal(plain_text(value))
    return value.isoformat() if isinstance(value, dt.date | dt.datetime) else value


def open_here() -> "Installation":
    """Open the installation at ENGANG_HOME."""
    from flows.installation import open_installation

    return open_installation()


def print_page(installation: "Installation", folder: str, name: str, release: int | None) -> None:
    """Print where the page about something is, if the release has a site (`engang site`)."""
    from flows.releases import find_page
    from flows.site.find import page_path

    page = find_page(installation, page_path(folder, name), release)
    if page is not None:
        print_text(f"page: {page}")
