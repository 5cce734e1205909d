"""Formats compared with CSV: `python tests/bench/formats.py`. The same rows as CSV, fixed width and XML.

Prints what reading costs (to claims and rejects, as a delivery is read) and the ratio to CSV of the same run. `--mb` is
the size of the XML; the others are smaller. Figures in processor seconds do not depend on what else the machine does.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
ROW_BYTES: Final = 105
"""Bytes of one row of the XML."""
FORMATS: Final = ("csv", "fixed_width", "xml")
_FIELDS: Final = {"unit": 4, "month": 7, "sum": 8, "note": 28}


def rows(count: int, write: Callable[[int, tuple[str, str, str, str]], str]) -> bytes:
    """Return the rows, each as `write` writes it."""
    units = ("0301", "4601", "1120", "0301")
    texts = (
        write(n, (units[n % 4], f"{2020 + n // 12 % 4}-{n % 12 + 1:02d}", str(n * 7 % 100_000), f"line {n}"))
        for n in range(count)
    )
    return "".join(texts).encode()


def delivery(form: str, count: int) -> bytes:
    """Return the delivery in a format."""
    if form == "csv":
        return ";".join(_FIELDS).encode() + b"\n" + rows(count, lambda _, cells: ";".join(cells) + "\n")
    if form == "fixed_width":
        widths = list(_FIELDS.values())
        return rows(count, lambda _, cells: "".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + "\n")
    names = list(_FIELDS)
    line = "<Row>\n" + "".join(f" <{name}>%s</{name}>\n" for name in names) + "</Row>\n"
    return b"<Form>\n" + rows(count, lambda _, cells: line % cells) + b"</Form>\n"


def contract(form: str) -> dict[str, Any]:
    """Return the contract that reads the format."""
    row = "Form.Row[]." if form == "xml" else ""
    starts = {name: sum(list(_FIELDS.values())[:n]) + 1 for n, name in enumerate(_FIELDS)}
    places = [{"name": name, "start": starts[name], "length": width} for name, width in _FIELDS.items()]
    more = {"fixed_width": {"fields": places}, "xml": {"rows": "Form.Row"}}.get(form, {})
    claim = {
        "concept": "population", "column": f"{row}sum", "reported_by": {"option": "sender"},
        "unit_measure": {"value": "persons"},
    }  # fmt: skip
    return {
        "contract": "bench", "version": 1, "obligation": "bench", "title": dict.fromkeys(("nb", "nn", "en"), "B"),
        "agency": "B", "legal_basis": "none", "rhythm": "monthly", "hours_per_report": None,
        "sender": {"allowed": "any"}, "format": {"type": form, **more},
        "ignore": [f"{row}note"] if form != "fixed_width" else [],
        "unit": {"column": f"{row}unit", "kind": "municipality", "by": "code"},
        "period": {"column": f"{row}month", "type": "month"}, "repeat": "sum", "claims": [claim],
        "examples": [{"name": "none", "given": ""}],
    }  # fmt: skip


def measure(form: str, count: int) -> dict[str, float]:
    """Read the format in this process and return what it cost."""
    import polars as pl

    from infra.codelists import read_codelists
    from infra.settings import DEMO_CODELISTS
    from schemas.contract import Contract
    from transforms.normalisation.observations import normalise
    from transforms.parsing.parse import parse
    from transforms.register.build import build_register

    made, register = Contract.model_validate(contract(form)), build_register(*read_codelists(DEMO_CODELISTS))
    data = delivery(form, count)
    parse(delivery(form, 10), made)  # with its imports behind it
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, clock = time.process_time(), time.perf_counter()
    parsed = parse(data, made)
    parsing = time.process_time() - started
    nothing = pl.lit(None, dtype=pl.String)
    frame = parsed.raw.with_columns(submission_id=pl.lit("s"), sender=pl.lit("me"), option_period=nothing)
    result = normalise(frame, made, register)
    assert result.claims.height == count, (form, result.claims.height, result.rejects.height)
    return {
        "mb": len(data) / 1e6, "parse": parsing, "read": time.process_time() - started,
        "wall": time.perf_counter() - clock,
        "memory_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }  # fmt: skip


def main() -> None:
    """Measure each format in a process of its own, and print the ratios."""
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=100)
    parser.add_argument("--form", choices=FORMATS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    count = given.mb * 1_000_000 // ROW_BYTES
    if given.form:
        print(json.dumps(measure(given.form, count)))
        return
    command = [sys.executable, str(Path(__file__)), "--mb", str(given.mb), "--form"]
    found = {
        form: json.loads(subprocess.run([*command, form], capture_output=True, text=True, check=True, cwd=ROOT).stdout)
        for form in FORMATS
    }
    print(f"{count} rows       MB  parse s  whole reading s   x CSV   wall s  memory MB")
    for form, cost in found.items():
        ratio = cost["read"] / found["csv"]["read"]
        print(
            f"{form:12} {cost['mb']:8.1f} {cost['parse']:8.2f} {cost['read']:16.2f} {ratio:7.2f} {cost['wall']:8.2f}"
            f" {cost['memory_mb']:10.0f}"
        )


if __name__ == "__main__":
    main()
