"""What the commands share: the app they register with, and how they print.

Results go to standard output, progress and errors to standard error.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="engang",
    help="Public bodies report each item once: deliver reports, publish a release, ask it anything.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]
FOUND_PROBLEMS = 1
WRONG_USE = 2


def say(text: str) -> None:
    """Tell progress, on standard error."""
    typer.secho(text, err=True, dim=True)


def show(rows: Sequence[dict[str, Any]], columns: Iterable[str] | None = None) -> None:
    """Print rows as an aligned table: text left, numbers right."""
    names = list(columns or (rows[0] if rows else ()))
    aligned = [_aligned(name, [row[name] for row in rows]) for name in names]
    for line in zip(*aligned, strict=True):
        typer.echo("  ".join(line).rstrip())


def _aligned(name: str, values: list[object]) -> list[str]:
    """Return a column's cells under its name, all of one width."""
    cells = [name, *(one_line(plain(value)) for value in values)]
    width = max(map(len, cells))
    numbers = bool(values) and all(value is None or is_number(value) for value in values)
    return [cell.rjust(width) if numbers else cell.ljust(width) for cell in cells]


def one_line(text: str) -> str:
    """Return a text as a line may show it: nothing delivered moves the cursor or turns the line around."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


def is_number(value: object) -> bool:
    """Tell whether a value is shown as a number."""
    from decimal import Decimal

    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def plain(value: object) -> str:
    """Return a value as text: decimals without their empty places, nothing for null."""
    from decimal import Decimal

    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_json(value: object) -> str:
    """Return JSON: decimals are exact numbers, dates ISO 8601 text, NaN null, what JSON does not know its text."""
    import simplejson

    return simplejson.dumps(_tidy(value), ensure_ascii=False, indent=1, use_decimal=True, ignore_nan=True, default=str)


def _tidy(value: Any) -> Any:  # noqa: ANN401  any JSON-like value
    import datetime as dt
    from decimal import Decimal

    if isinstance(value, dict):
        return {k: _tidy(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_tidy(v) for v in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else Decimal(plain(value))
    return value.isoformat() if isinstance(value, dt.date | dt.datetime) else value


def open_here() -> Any:  # noqa: ANN401  flows.installation.Installation, imported where it is used
    """Open the installation at ENGANG_HOME."""
    from flows.installation import open_installation

    return open_installation()


def echo_json(value: object) -> None:
    """Print a value as JSON."""
    typer.echo(as_json(value))
