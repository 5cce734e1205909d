"""What happens to a file on its way: bytes lost, repeated, foreign; cells, lines, columns; archives within archives."""

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

import polars as pl

from tests.proof.fuzz_seeds import MOST_BYTES, Seed, as_zip

Mutation: TypeAlias = Callable[[bytes, random.Random], bytes]
TOKENS: Final = (
    b'"', b"'", b";", b",", b"\t", b"\n", b"\r\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc2\xa0", b"-",
    b"\xcc\x88", b"\x1b[2J", b"{", b"}", b"[", b"]", b":", b"null", b"NaN", b"1e999", b"-0", b"\xe2\x88\x925",
    b"9" * 40, b"0.1234567891", b"12.9999", b"0000-00-00", b"99999-01-01", b"=1+1", b"=cmd|' /C calc'!A0", b"#REF!",
    b"Ukjent", b"Totalt", b"\xf0\x9f\x92\xa9", b"\xed\xa0\x80", b"01019012345", b"trekk", b"9223372036854775808",
    b"1,234.56", b"1.234,56", b"12 %", b"(5)", b"\xe2\x80\x8b", b"\xe2\x80\xae", b"<a/>", b"&amp;", b"\\ud800", b"True",
    b"\\u0000", b"1e-400",
)  # fmt: skip
"""What turns up in files where nobody expects it."""
BOMB_BYTES: Final = 70_000_000
"""More than is unpacked whatever the ratio."""
HEADER_BYTES: Final = 512
"""The header of a compound file, and each of its sectors."""
BOMBS: Final = 700
"""One input in so many is a bomb: it costs as much as hundreds of others."""


def cut(data: bytes, rng: random.Random) -> bytes:
    """End in the middle."""
    return data[: rng.randrange(len(data) + 1)]


def flip(data: bytes, rng: random.Random) -> bytes:
    """Change a few bytes."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def insert(data: bytes, rng: random.Random) -> bytes:
    """Put a token somewhere, or in several places."""
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(data) + 1)
        data = data[:place] + rng.choice(TOKENS) * rng.choice((1, 1, 1, 3, 50)) + data[place:]
    return data


def replace(data: bytes, rng: random.Random) -> bytes:
    """Put a token in place of a cell: of what stands between two separators."""
    separators = [n for n, byte in enumerate(data) if byte in b";,\t\n:"]
    if len(separators) < 2:
        return insert(data, rng)
    n = rng.randrange(len(separators) - 1)
    return data[: separators[n] + 1] + rng.choice(TOKENS) + data[separators[n + 1] :]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """Say a part twice, or many times."""
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:end] * rng.choice((1, 1, 2, 20)) + data[end:]


def drop(data: bytes, rng: random.Random) -> bytes:
    """Leave out a part."""
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + data[min(end, start + 200) :]


def lines(data: bytes, rng: random.Random) -> bytes:
    """Shuffle, repeat, drop or join lines."""
    rows = data.splitlines(keepends=True)
    rng.shuffle(rows)
    if rng.random() < 0.5:
        rows = rng.choices(rows, k=rng.randint(1, 2 * len(rows))) if rows else rows
    return b"".join(rows)


def header(data: bytes, rng: random.Random) -> bytes:
    """Keep the header alone, or put it twice, or write it in capitals."""
    first, *rest = data.splitlines(keepends=True) or [b""]
    return rng.choice((first, first + data, first.upper() + b"".join(rest), b"".join(rest), b"\n\n" + data))


def delimiter(data: bytes, rng: random.Random) -> bytes:
    """Use another delimiter, quote or end of line."""
    old, new = rng.choice(((b";", b","), (b",", b";"), (b";", b"\t"), (b"\n", b"\r"), (b"\n", b"\r\n"), (b'"', b"'")))
    return data.replace(old, new)


def encode(data: bytes, rng: random.Random) -> bytes:
    """Write it in another encoding."""
    text = data.decode("utf-8", "replace")
    return text.encode(rng.choice(("utf-16", "utf-16-be", "utf-32", "utf-8-sig", "cp1252", "cp037")), "replace")


def foreign(_: bytes, rng: random.Random) -> bytes:
    """Deliver something else: nothing, blanks, HTML, noise."""
    return rng.choice((
        b"", b"\n", b" " * 100, b"\0" * 5000, b"<!DOCTYPE html><html><body>404</body></html>", rng.randbytes(2000),
        b"[" * 5000, b'{"a":' * 3000, b"[]", b"{}", b"null", b'"', b"PK\x03\x04", b"PAR1PAR1", b"\x1f\x8b\x08", b"%PDF",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), b"a;b\n" + b"1;2\n" * 20_000, b";" * 20_000 + b"\n",
    ))  # fmt: skip


def values(data: bytes, rng: random.Random) -> bytes:
    """Change values of a JSON document where it still is one."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return insert(data, rng)
    for _ in range(rng.randint(1, 4)):
        document = _changed(document, rng)
    return json.dumps(document).encode()


def _changed(value: Any, rng: random.Random) -> Any:
    odd: tuple[Any, ...] = (
        None,
        True,
        1e308,
        -1,
        10**30,
        "",
        [],
        {},
        [[]],
        {"a": {}},
        "\0",
        "\ud800",
        0.1 + 0.2,
        [None],
        "2024-13-45",
    )
    if rng.random() < 0.2 or not isinstance(value, dict | list) or not value:
        return rng.choice(odd)
    if isinstance(value, list):
        n = rng.randrange(len(value))
        return [*value[:n], _changed(value[n], rng), *value[n + rng.choice((0, 1, 1, 1)) :]]
    key = rng.choice(list(value))
    return {**value, (key if rng.random() < 0.9 else f"{key} "): _changed(value[key], rng)}


def documents(data: bytes, rng: random.Random) -> bytes:
    """Change values of one document of several, each on a line."""
    rows = data.splitlines() or [b""]
    n = rng.randrange(len(rows))
    return b"\n".join([*rows[:n], values(rows[n] or b"{}", rng), *rows[n + 1 :]])


def sectors(data: bytes, rng: random.Random) -> bytes:
    """Change the numbers by which the sectors of a compound file refer to each other."""
    if len(data) < HEADER_BYTES:
        return flip(data, rng)
    changed = bytearray(data)
    first = int.from_bytes(data[76:80], "little")  # of the sectors that say which sector follows which
    for _ in range(rng.randint(1, 3)):
        start = rng.choice((0, HEADER_BYTES * (1 + first)))
        place = start + 4 * rng.randrange(HEADER_BYTES // 4)
        changed[place : place + 4] = rng.choice((0, 1, 2, 9, 0xFFFFFFFE, 0x7FFFFFFF)).to_bytes(4, "little")
    return bytes(changed)


def member(data: bytes, rng: random.Random) -> bytes:
    """Change the members of a workbook, and pack it again."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            parts = [(info.filename, book.read(info)) for info in book.infolist()]
    except Exception:  # noqa: BLE001  it is no workbook any more: whatever is raised for that
        return flip(data, rng)
    cells = ("sheet", "Strings", "content.xml", "workbook.bin")
    n = rng.choice([i for i, (name, _) in enumerate(parts) if any(part in name for part in cells)] or [0])
    name, text = parts[n]
    parts[n] = (name, rng.choice((flip, insert, repeat, drop, cut, _cells))(text or b" ", rng))
    if rng.random() < 0.1:
        parts.pop(rng.randrange(len(parts)))
    return as_zip(*parts)


def _cells(text: bytes, rng: random.Random) -> bytes:
    """Change what a worksheet's XML says of its cells."""
    changes = (
        (b' r="', b' q="'), (b't="s"', b't="e"'), (b't="s"', b't="b"'), (b't="s"', b't="inlineStr"'),
        (b"<v>", b"<f>1</f>"),
        (b"<v>", b"<v>9999999"), (b"<row ", b"<row hidden='1' "), (b'r="A', b'r="XFD'), (b'r="1"', b'r="1048576"'),
        (b"<v>", b"<v>-"), (b"<sheetData>", b"<sheetData/>"), (b'ref="', b'ref="A1:XFD1048576" q="'),
    )  # fmt: skip
    old, new = rng.choice(changes)
    return text.replace(old, new, rng.choice((1, 2, -1)))


def columns(data: bytes, rng: random.Random) -> bytes:
    """Change the types and columns of a Parquet file."""
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except Exception:  # noqa: BLE001  it is no Parquet: whatever Polars says of that
        return flip(data, rng)
    if not frame.width or not frame.height:
        return flip(data, rng)
    name = rng.choice(frame.columns)
    kinds = (pl.Float64, pl.Int8, pl.Boolean, pl.Date, pl.Datetime("ns"), pl.Binary, pl.List(pl.String), pl.Categorical)
    numbers = pl.int_range(pl.len()).cast(pl.Float64) / rng.choice((1, 3, 1e-300, -1e20))
    frame = rng.choice((
        partial(frame.drop, name), lambda: frame.rename({name: f"{name} "}),
        partial(frame.with_columns, numbers.alias(name)),
        lambda: frame.with_columns(pl.lit(None).cast(rng.choice(kinds)).alias(name)), frame.clear,
        lambda: pl.concat([frame] * rng.randint(2, 50)), lambda: frame.with_columns(pl.struct(name).alias(name)),
        lambda: frame.with_columns(pl.lit(rng.choice(TOKENS).decode("utf-8", "replace")).alias(name)),
    ))()  # fmt: skip
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


BYTES: Final[tuple[Mutation, ...]] = (cut, flip, insert, repeat, drop)
TEXT: Final[tuple[Mutation, ...]] = (
    insert, replace, replace, replace, lines, header, delimiter, encode, cut, drop, repeat, flip, foreign,
)  # fmt: skip
BY_FORM: Final[dict[str, tuple[Mutation, ...]]] = {
    "csv": TEXT, "json": (*TEXT, values, values, values), "xlsx": (*BYTES, member, member, member, member),
    "parquet": (*BYTES, columns, columns, columns, columns), "fixed_width": TEXT, "xml": TEXT, "sdmx_csv": TEXT,
    "ods": (*BYTES, member, member, member, member), "xls": (*BYTES, sectors, sectors, sectors, foreign),
    "xlsb": (*BYTES, member, member, member, member), "json_lines": (*TEXT, documents, documents, documents),
}  # fmt: skip


def mutated(seed: Seed, others: list[Seed], rng: random.Random) -> tuple[str, bytes]:
    """Return a mutated file: its name's ending and its bytes."""
    if rng.randrange(BOMBS) == 0:
        return f"{seed.form}.gz", gzip.compress(rng.choice((b"\0", b";", b"[", b"1;2\n")) * BOMB_BYTES, 1)
    data = seed.data
    for n in range(rng.choice((0, 1, 1, 1, 2, 3))):
        # Polars aborts the process on some broken Parquet, so only a whole file is read here.
        choices = BYTES if n and seed.form == "parquet" else BY_FORM[seed.form]
        data = rng.choice(choices)(data or b" ", rng)[: 4 * MOST_BYTES]
    return _wrapped(seed.form, data, others, rng)


def _wrapped(form: str, data: bytes, others: list[Seed], rng: random.Random) -> tuple[str, bytes]:
    """Return a file as it is, zipped, in an archive with others, in an archive that is broken."""
    chance = rng.random()
    if chance < 0.86:
        return form, data
    if chance < 0.89:
        return f"{form}.gz", rng.choice((cut, flip, _whole))(gzip.compress(data, 1), rng)
    names = rng.choice(
        (("a", "b"), ("a", "a"), ("../../a", "/etc/b"), ("x/a", "__MACOSX/b"), ("a\n", "b" * 200), ("æ", "~$b"))
    )
    members = [
        (f"{name}.{form}", content) for name, content in zip(names, (data, rng.choice(others).data), strict=True)
    ]
    ending, packed = rng.choice((_zip, _zip, _tar))(members, rng)
    return ending, rng.choice((_whole, _whole, cut, flip))(packed, rng)


def _whole(data: bytes, _: random.Random) -> bytes:
    return data


def _zip(members: list[tuple[str, bytes]], rng: random.Random) -> tuple[str, bytes]:
    packed = as_zip(*dict(members).items())
    return "zip", as_zip(("inner.zip", packed)) if rng.random() < 0.2 else packed


def _tar(members: list[tuple[str, bytes]], rng: random.Random) -> tuple[str, bytes]:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = (
                len(data),
                rng.choice((tarfile.REGTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE)),
            )
            archive.addfile(info, io.BytesIO(data))
    ending, pack = rng.choice(
        (("tar", bytes), ("tar.gz", gzip.compress), ("tar.bz2", bz2.compress), ("tar.xz", lzma.compress))
    )
    return ending, pack(content.getvalue())
