"""Bad input through the whole receive path: one bad row never sinks a file, one bad file never sinks a night."""

import bz2
import codecs
import io
import os
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.installation import Installation
from flows.intake.archives import read_files
from flows.intake.deliveries import Delivery, make_delivery
from flows.intake.receipt import Receipt
from flows.intake.registration import check_delivery, list_rejects, receive, withdraw
from flows.queries.sql import query
from flows.release.build import night
from flows.releases import find_release, read_table
from infra.ledger import submissions as ledger_submissions
from schemas.claims import BUCKETS
from schemas.errors import StoreError, UsageError
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER, kept_claims, open_small

pytestmark = pytest.mark.usefixtures("unchecked")
FIRST, LAST = "0301;01.01.2024;alle;709 037;\n", "1120;01.01.2024;alle;20 005;\n"
REPEATS = ("sum", "error", "warn", "distinct")
TEN_MEGABYTES = 10 * 2**20
LINE = "=æ\n"
Reject = dict[str, Any]


@dataclass(frozen=True)
class DeliveryOutcome:
    """The receipt of a delivery, its rejects and the claims that were stored."""

    receipt: Receipt
    rejects: list[Reject]
    claims: pl.DataFrame

    @property
    def counts(self) -> tuple[int, int, int, int]:
        return self.receipt.delivered, self.receipt.claims, self.receipt.rejected, self.receipt.ignored

    @property
    def only(self) -> Reject:
        """The one critical reject, or the one warning."""
        critical = [r for r in self.rejects if r["severity"] == "critical"]
        (reject,) = critical or self.rejects
        return reject


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the tests' contracts, and one like `folketall` for each way to take a repeating key."""
    folder = tmp_path_factory.mktemp("contracts")
    for path in CONTRACTS.glob("*.yml"):
        (folder / path.name).write_text(path.read_text())
    text = (CONTRACTS / "folketall.yml").read_text()
    for repeat in REPEATS:
        own = text.replace("contract: folketall\n", f"contract: folketall-{repeat}\n")
        (folder / f"folketall-{repeat}.yml").write_text(own.replace("repeat: error", f"repeat: {repeat}"))
    return folder


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, contracts: Path) -> Installation:
    return open_small(tmp_path_factory.mktemp("home"), contracts)


@pytest.fixture
def fresh(tmp_path: Path, contracts: Path) -> Installation:
    return open_small(tmp_path / "above" / "above" / "home", contracts)


def submit(
    installation: Installation, data: str | bytes, contract: str = "folketall", *, sender: str = "kommunen",
    period: str | None = None,
) -> DeliveryOutcome:  # fmt: skip
    """Check a delivery, then submit it: both tell the same, and every delivered row is in one bucket."""
    raw = data.encode() if isinstance(data, str) else data
    delivery = make_delivery(installation, "a.csv", raw, contract, sender=sender, period=period)
    checked, would_be = check_delivery(installation, delivery)
    ((receipt,),) = receive(installation, [delivery])
    assert replace(checked, earlier=None) == receipt
    rejects = list_rejects(installation, receipt.submission_id)
    assert would_be.to_dicts() == rejects.to_dicts()
    assert receipt.delivered == receipt.claims + receipt.rejected + receipt.ignored
    assert all(len(r["found"] or "") <= 200 and r["expected"] and r["hint"] for r in rejects.to_dicts())
    again = replace(receipt, status="rejected" if receipt.status == "rejected" else "redelivered", problem=None)
    ((second,),) = receive(installation, [delivery])
    assert replace(second, problem=None) == replace(again, ignored_by={}), "it was not read again"
    return DeliveryOutcome(receipt, rejects.to_dicts(), kept_claims(installation, receipt.submission_id))


FILES = {
    "nothing": (b"", "empty-file", None, "0 bytes", "Was the right file delivered?"),
    "a byte order mark": (codecs.BOM_UTF8, "empty-file", None, "3 bytes", "right file"),
    "blank lines": (b"\n  \r\n\n", "empty-file", None, "6 bytes", "right file"),
    "a header": (HEADER.encode(), "empty-file", None, "no rows", "right file"),
    "wrong encoding": (
        (HEADER + FIRST + "1120;01.01.2024;små;1;\n").encode("latin-1"),
        "wrong-encoding", None, "byte e5 3b 31 3b (hexadecimal) at offset 82", "It looks like cp1252 or latin-1",
    ),
    "a changed name": (
        (HEADER.replace("antall", "antal") + FIRST).encode(),
        "missing-column", "antall", "'kommune', 'dag', 'gruppe', 'antal', 'merknad'", "Did you mean 'antal'?",
    ),
    "a missing column": (
        b"kommune;gruppe;antall\n0301;alle;1\n",
        "missing-column", "dag", "'kommune', 'gruppe', 'antall'", "Deliver the column",
    ),
    "an extra column": (
        b"kommune;dag;gruppe;antall;merknad;kvinner\n0301;01.01.2024;alle;1;;1\n",
        "unknown-column", "kvinner", "'kvinner'", "Name it under `ignore`",
    ),
    "a column twice": (
        b"kommune;dag;gruppe;antall;antall\n0301;01.01.2024;alle;1;1\n",
        "unreadable", "antall", "column 'antall' twice", "Deliver each column once",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "reason", "column", "found", "hint"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_read_is_rejected_whole(
    installation: Installation, data: bytes, reason: str, column: str | None, found: str, hint: str
) -> None:
    receipt = submit(installation, data)
    assert receipt.receipt.status == "rejected"
    assert receipt.counts == (0, 0, 0, 0)
    assert receipt.claims.is_empty()
    reject = receipt.only
    assert (reject["row"], reject["column"], reject["reason"]) == (None, column, reason)
    assert (reject["found"], reject["severity"]) == (found, "critical")
    assert hint in reject["hint"]
    for text in (reason, found, reject["expected"], hint):
        assert text in (receipt.receipt.problem or "")


ROWS = {
    "too many fields": ("1121;01.01.2024;alle;1;;2;3", None, "too-many-fields", "7 fields", "5 fields"),
    "too few fields": ("1121;01.01.2024;alle", None, "too-few-fields", "3 fields", "5 fields"),
    "a broken quote": ('1121;01.01.2024;"alle;1;', None, "unreadable", "a quote without its pair", "quotes in pairs"),
    "text in a number": ("1121;01.01.2024;alle;ukjent;", "antall", "not-a-number", "ukjent", "with at most 28"),
    "a decimal point": ("1121;01.01.2024;alle;1.5;", "antall", "not-a-number", "1.5", "decimal mark ','"),
    "no number": ("1121;01.01.2024;alle;;", "antall", "missing-value", "", "a number"),
    "NaN": ("1121;01.01.2024;alle;NaN;", "antall", "not-a-number", "NaN", "a number"),
    "infinity": ("1121;01.01.2024;alle;-inf;", "antall", "not-a-number", "-inf", "a number"),
    "1e400": ("1121;01.01.2024;alle;1e400;", "antall", "not-a-number", "1e400", "a number"),
    "29 digits": (f"1121;01.01.2024;alle;1{'0' * 28};", "antall", "out-of-range", "1" + "0" * 28, "28 digits"),
    "10 decimals": ("1121;01.01.2024;alle;0,0000000001;", "antall", "out-of-range", "0,0000000001", "9 decimals"),
    "other digits": ("1121;01.01.2024;alle;١٢;", "antall", "not-a-number", "١٢", "a number"),
    "no such day": ("1121;31.02.2024;alle;1;", "dag", "not-a-date", "31.02.2024", "a day (%d.%m.%Y)"),
    "a day otherwise written": ("1121;2024-01-01;alle;1;", "dag", "not-a-date", "2024-01-01", "a day (%d.%m.%Y)"),
    "unknown municipality": ("9998;01.01.2024;alle;1;", "kommune", "unknown-unit", "9998", "municipality"),
    "code of another year": (
        "3001;01.01.2024;alle;1;", "kommune", "unit-not-valid", "3001",
        "valid 2020-01-01 to 2024-01-01; on 2024-01-01 the same unit is 3101 Halden",
    ),
    "code of a split unit": ("1507;01.01.2024;alle;1;", "kommune", "ambiguous-unit", "1507", "of 1508 Ålesund, 1580"),
    "NUL": ("1121;01.01.2024;al\0le;1;", "gruppe", "unreadable", "al␀le", "text"),
    "an enormous number": (
        f"1121;01.01.2024;alle;{'9' * TEN_MEGABYTES};", "antall", "too-large", "9" * 200, "at most 65536 bytes",
    ),
    "an enormous text": (
        '1121;01.01.2024;"' + LINE * (TEN_MEGABYTES // 4) + '";1;',
        "gruppe", "too-large", LINE * 66 + "=æ", "at most 65536 bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("row", "column", "reason", "found", "expected"), ROWS.values(), ids=ROWS)
def test_a_bad_row_is_rejected_and_the_others_stay(
    installation: Installation, row: str, column: str | None, reason: str, found: str, expected: str
) -> None:
    receipt = submit(installation, f"{HEADER}{FIRST}{row}\n{LAST}")
    assert receipt.receipt.status == "registered"
    assert receipt.receipt.problem is None
    assert receipt.counts == (3, 2, 1, 0)
    assert receipt.claims.select("row", "value").rows() == [(2, Decimal(709037)), (4, Decimal(20005))]
    reject = receipt.only
    assert (reject["row"], reject["column"], reject["reason"]) == (3, column, reason)
    assert (reject["severity"], reject["rule"]) == ("critical", None)
    assert reject["found"].startswith(found)
    assert expected in reject["expected"]


def test_every_bad_row_at_once_keeps_the_good_ones(installation: Installation) -> None:
    bad = [row for row, *_ in ROWS.values()]
    receipt = submit(installation, HEADER + FIRST + "".join(f"{row}\n" for row in bad) + LAST)
    assert receipt.counts == (len(bad) + 2, 2, len(bad), 0)
    # The row whose quote never ends makes the quotes after it pair differently: reasons may differ, rows may not.
    assert {r["row"] for r in receipt.rejects} >= set(range(3, len(bad) + 1))


def test_a_row_with_several_problems_names_each_and_counts_once(installation: Installation) -> None:
    receipt = submit(installation, f"{HEADER}{FIRST}9998;32.01.2024;alle;mange;\n")
    assert receipt.counts == (2, 1, 1, 0)
    assert [(r["row"], r["column"], r["reason"]) for r in receipt.rejects] == [
        (3, "antall", "not-a-number"),
        (3, "antall", "rule"),
        (3, "dag", "not-a-date"),
    ]


def test_a_file_of_bad_rows_alone_is_rejected_with_each_row_reported(installation: Installation) -> None:
    receipt = submit(installation, f"{HEADER}9998;01.01.2024;alle;1;\n1121;01.01.2024;alle;x;\n")
    assert receipt.receipt.status == "rejected"
    assert receipt.counts == (2, 0, 2, 0)
    critical = [(r["row"], r["reason"]) for r in receipt.rejects if r["severity"] == "critical"]
    assert critical == [(2, "unknown-unit"), (3, "not-a-number")]


def test_minus_zero_is_zero(installation: Installation) -> None:
    signs = ("-0", "\u22120", "+0", "-0,000")
    rows = "".join(f"0301;0{day}.01.2024;null;{text};\n" for day, text in enumerate(signs, start=1))
    receipt = submit(installation, HEADER + rows)
    assert receipt.counts == (4, 4, 0, 0)
    assert receipt.claims["value"].cast(pl.String).unique().to_list() == ["0.000000000"]


def test_a_warning_keeps_its_row_and_a_named_row_is_ignored(installation: Installation) -> None:
    receipt = submit(installation, f"{HEADER}0301;01.01.2024;alle;900 000;\nSum;01.01.2024;alle;900 000;\n")
    assert receipt.counts == (2, 1, 0, 1)
    assert receipt.receipt.warnings == 1
    assert (receipt.only["row"], receipt.only["rule"], receipt.only["severity"]) == (2, "plausible", "warning")


def test_an_enormous_cell_that_the_contract_ignores_costs_nothing(installation: Installation) -> None:
    receipt = submit(installation, f"{HEADER}{FIRST}1120;01.01.2024;alle;20 005;{'x' * TEN_MEGABYTES}\n")
    assert receipt.counts == (2, 2, 0, 0)


SAME = "1121;01.01.2024;alle;18 000;\n"
OTHER = "1121;01.01.2024;alle;18 001;\n"


def test_a_repeating_key_that_is_an_error_rejects_every_row_of_it(installation: Installation) -> None:
    receipt = submit(installation, HEADER + FIRST + SAME + OTHER, "folketall-error")
    assert receipt.counts == (3, 1, 2, 0)
    assert [(r["row"], r["column"], r["reason"], r["rule"]) for r in receipt.rejects] == [
        (3, "antall", "duplicate-key", "repeat: error"),
        (4, "antall", "duplicate-key", "repeat: error"),
    ]
    assert all(r["found"].startswith("population municipality:1121@") for r in receipt.rejects)
    assert {r["expected"] for r in receipt.rejects} == {"each key once in a file"}


def test_a_repeating_key_that_is_summed_keeps_every_line(installation: Installation) -> None:
    receipt = submit(installation, HEADER + FIRST + SAME + OTHER, "folketall-sum")
    assert receipt.counts == (3, 3, 0, 0)
    assert receipt.rejects == []
    assert receipt.claims["additive"].to_list() == [False, True, True]


def test_a_repeating_key_that_warns_keeps_every_row(installation: Installation) -> None:
    receipt = submit(installation, HEADER + FIRST + SAME + OTHER, "folketall-warn")
    assert receipt.counts == (3, 3, 0, 0)
    assert receipt.receipt.warnings == 2
    assert {(r["reason"], r["severity"], r["rule"]) for r in receipt.rejects} == {
        ("duplicate-key", "warning", "repeat: warn")
    }


def test_a_repeating_key_that_must_be_distinct_keeps_what_is_equal(installation: Installation) -> None:
    receipt = submit(installation, HEADER + FIRST + SAME + SAME, "folketall-distinct")
    assert (receipt.counts, receipt.rejects) == ((3, 3, 0, 0), [])
    receipt = submit(installation, HEADER + FIRST + SAME + OTHER, "folketall-distinct")
    assert receipt.counts == (3, 1, 2, 0)
    assert [(r["row"], r["reason"], r["rule"]) for r in receipt.rejects] == [
        (3, "duplicate-key", "repeat: distinct"),
        (4, "duplicate-key", "repeat: distinct"),
    ]


def test_repeats_in_a_release(fresh: Installation) -> None:
    for day, repeat in enumerate(REPEATS, start=1):
        rows = FIRST + SAME + (OTHER if repeat != "distinct" else SAME)
        dated = rows.replace("01.01.2024", f"0{day}.01.2024")
        submit(fresh, HEADER + dated, f"folketall-{repeat}")
    done = night(fresh)
    items = observed(fresh).filter(unit_code="1121").sort("period_start")
    assert items.select("agreement", "value", "reports").rows() == [
        ("single", Decimal(36001), 1),
        ("conflict", None, 2),
        ("complete", Decimal(18000), 2),
    ]
    expected = {"published": 5, "additive": 2, "rejected": 2, "conflict": 2, "duplicate": 1}
    assert {b: done.counts.get(f"rows_{b}", 0) for b in BUCKETS if done.counts.get(f"rows_{b}")} == expected


def test_a_million_rows_and_one_bad_one(fresh: Installation) -> None:
    rows = pl.int_range(1_000_000, eager=True)
    cells = pl.select(
        kommune=pl.lit("0301"),
        dag=pl.lit("01.01.2024"),
        gruppe=rows.cast(pl.String),
        antall=pl.when(rows == 654_321).then(pl.lit("1;2")).otherwise(pl.lit("1,5")),
        merknad=pl.lit(""),
    )
    text = cells.write_csv(separator=";", quote_style="never").encode()
    ((receipt,),) = receive(fresh, [make_delivery(fresh, "a.csv", text, "folketall", sender="kommunen", period=None)])
    assert (receipt.delivered, receipt.claims, receipt.rejected) == (1_000_000, 999_999, 1)
    (reject,) = list_rejects(fresh, receipt.submission_id).to_dicts()
    assert (reject["row"], reject["reason"]) == (654_323, "too-many-fields")
    assert reject["found"] == "6 fields"
    claims = kept_claims(fresh, receipt.submission_id)
    assert (claims.height, claims["row"].min(), claims["row"].max()) == (999_999, 2, 1_000_001)


def test_one_bad_file_never_sinks_a_night(fresh: Installation) -> None:
    good = (HEADER + FIRST + LAST).encode()
    bad = [data for data, *_ in FILES.values()]
    deliveries = [Delivery(f"{i}.csv", data, "folketall", "kommunen") for i, data in enumerate([*bad, good, *bad])]
    (receipts,) = receive(fresh, deliveries)
    assert len(receipts) == len(deliveries)
    assert [r.filename for r in receipts if r.status == "registered"] == [f"{len(bad)}.csv"]
    assert {r.status for r in receipts} == {"registered", "rejected"}
    assert [r.submission_id for r in receipts[: len(bad)]] == [r.submission_id for r in receipts[-len(bad) :]]
    done = night(fresh)
    assert (done.published, done.counts["items"], done.counts["rows_published"]) == (True, 2, 2)
    assert ledger_submissions.read_submissions(fresh.engine, status="rejected").height == len(bad)
    assert not night(fresh).published


def test_an_unknown_contract_names_the_nearest(installation: Installation) -> None:
    with pytest.raises(UsageError, match=r"no contract 'folketal': did you mean 'folketall'\?"):
        make_delivery(installation, "a.csv", b"", "folketal", sender="kommunen", period=None)


HOSTILE_SENDERS = [
    "../../x",
    "/etc",
    "..",
    ".",
    "a/b",
    "",
    "a\0b",
    "Kommunen",
    "kommunen ",
    "x" * 65,
    "'; DROP TABLE x",
]


@pytest.mark.parametrize("sender", HOSTILE_SENDERS)
def test_a_sender_cannot_leave_the_landing_zone(fresh: Installation, tmp_path: Path, sender: str) -> None:
    before = everything(tmp_path)
    with pytest.raises(UsageError, match="sender"):
        make_delivery(fresh, "a.csv", (HEADER + FIRST).encode(), "folketall", sender=sender, period=None)
    with pytest.raises(StoreError, match="cannot name a folder"):
        list(receive(fresh, [Delivery("a.csv", (HEADER + FIRST).encode(), "folketall", sender)]))
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    "submission", ["../../x", "'; DROP TABLE submissions; --", "", "a\0b", "%", "\udcff", "x" * 9999]
)
def test_an_odd_submission_id_is_only_unknown(installation: Installation, submission: str) -> None:
    before = ledger_submissions.read_submissions(installation.engine)
    for ask in (list_rejects, withdraw):
        with pytest.raises(UsageError, match="no submission"):
            ask(installation, submission)
    assert ledger_submissions.read_submissions(installation.engine).equals(before)


ODD_NAMES = [
    "../../evil.csv",
    "/tmp/evil-of-engang.csv",
    "a/../../evil.csv",
    "C:\\evil.csv",
    "=HYPERLINK(1).csv",
    "a\nb.csv",
]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archives_names_are_reported_and_never_used_as_paths(fresh: Installation, tmp_path: Path, kind: str) -> None:
    archive = tmp_path / f"deliveries.{kind}"
    with packed(archive, kind) as add:
        for day, name in enumerate(ODD_NAMES, start=1):
            add(name, (HEADER + FIRST.replace("01.01", f"0{day}.01")).encode())
    before = everything(tmp_path, "landing")
    deliveries = [
        make_delivery(fresh, n, d, "folketall", sender="kommunen", period=None)
        for n, d in read_files(archive, fresh.settings)
    ]
    (receipts,) = receive(fresh, deliveries)
    assert sorted(r.filename for r in receipts) == sorted(ODD_NAMES)
    assert {r.status for r in receipts} == {"registered"}
    assert everything(tmp_path, "landing", "claims") <= before
    assert not Path("/tmp/evil-of-engang.csv").exists()


def turned(data: bytes, at: int) -> bytes:
    """Return the data with a few of its bits turned over."""
    return data[:at] + bytes(b ^ 0xFF for b in data[at : at + 8]) + data[at + 8 :]


def archives() -> dict[str, bytes]:
    """Return archives that are broken, each in another way, by name."""
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", HEADER + FIRST * 1000)
    with tarfile.open(fileobj=tarred, mode="w:gz") as made:
        info = tarfile.TarInfo("a.csv")
        info.size = 100_000
        made.addfile(info, io.BytesIO(random.Random(1).randbytes(100_000)))
    sound_zip, sound_tar = zipped.getvalue(), tarred.getvalue()
    return {
        "none.zip": b"PK",
        "none.tar.gz": b"no archive",
        "none.tar.xz": b"no archive",
        "none.tar": b"",
        "turned.tar.bz2": turned(bz2.compress(sound_zip), 20),
        "cut.zip": sound_zip[:-30],
        "cut.tar.gz": sound_tar[:-1000],
        "turned.tar.gz": turned(sound_tar, 60_000),
        "turned.zip": turned(sound_zip, 60),
        "locked.zip": sound_zip.replace(b"\x14\0\0\0\x08\0", b"\x14\0\1\0\x08\0"),
        "odd.zip": sound_zip.replace(b"\x14\0\0\0\x08\0", b"\x14\0\0\0\x63\0"),
    }


@pytest.mark.parametrize("name", archives())
def test_a_broken_archive_is_wrong_use_and_names_itself(fresh: Installation, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(archives()[name])
    with pytest.raises(UsageError, match=name):
        list(read_files(tmp_path / name, fresh.settings))


def test_limits_are_reported_before_anything_is_read(fresh: Installation, tmp_path: Path) -> None:
    settings = replace(fresh.settings, max_file_bytes=1000, max_archive_files=3)
    with packed(tmp_path / "bomb.zip", "zip") as add:
        add("a.csv", b"0" * 1001)
    with packed(tmp_path / "many.tar", "tar") as add:
        for i in range(4):
            add(f"{i}.csv", b"0")
    (tmp_path / "big.csv").write_bytes(b"0" * 1001)
    for name, message in (("bomb.zip", "1001 bytes"), ("many.tar", "more than 3 files"), ("big.csv", "1001 bytes")):
        with pytest.raises(UsageError, match=message):
            list(read_files(tmp_path / name, settings))
    with pytest.raises(UsageError, match="no such file or folder"):
        list(read_files(tmp_path / "none.csv", settings))


def test_a_name_that_is_no_utf8_is_reported_as_text(fresh: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "deliveries"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/bl\xe5.csv")).write_text(HEADER + FIRST)
    deliveries = [
        make_delivery(fresh, n, d, "folketall", sender="kommunen", period=None)
        for n, d in read_files(folder, fresh.settings)
    ]
    ((receipt,),) = receive(fresh, deliveries)
    assert (receipt.status, receipt.filename) == ("registered", "bl\ufffd.csv")


HOSTILE_TEXTS = [
    "'); DROP TABLE rejects; --",
    '=HYPERLINK("http://example.com";"x")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    '","party":"B',
    "\\",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "\x1b[31mred",
    "${HOME}",
    "%s%n",
    "a\x1fb",
    "\u202eabc",
]


def test_hostile_texts_stay_texts(fresh: Installation) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    names = "".join(f"{quoted(t)},1\n" for t in HOSTILE_TEXTS)
    figures = "".join(f"Olje AS {i},{quoted(t)}\n" for i, t in enumerate(HOSTILE_TEXTS))
    groups = "".join(f"0301;01.01.2024;{quoted(t)};1;\n" for t in HOSTILE_TEXTS)
    units = submit(fresh, "name,paid\n" + names, "betaling", sender="selskapet", period="2024")
    seen = [text.translate(dict.fromkeys(map(ord, "\x1b\x1f\u202e"))) for text in HOSTILE_TEXTS]
    assert units.claims["unit_name"].to_list() == seen
    receipt = submit(fresh, "name,paid\n" + figures, "betaling", sender="selskapet", period="2024")
    assert [r["found"] for r in receipt.rejects] == HOSTILE_TEXTS
    grouped = submit(fresh, HEADER + groups)
    assert grouped.counts == (len(HOSTILE_TEXTS), len(HOSTILE_TEXTS), 0, 0)
    assert night(fresh).counts["items"] == 2 * len(HOSTILE_TEXTS)
    assert sorted(observed(fresh).filter(concept="payment")["unit_name"]) == sorted(seen)
    shown = query(fresh, "SELECT breakdown->>'group' AS text FROM observations WHERE concept = 'population'")
    assert sorted(shown["text"]) == sorted(seen)
    critical = "SELECT count(*) FROM rejects WHERE severity = 'critical'"
    assert query(fresh, critical).item() == len(HOSTILE_TEXTS)


def observed(installation: Installation) -> pl.DataFrame:
    return read_table(installation, "observations", find_release(installation)).collect()


@contextmanager
def packed(archive: Path, kind: str) -> Iterator[Callable[[str, bytes], None]]:
    """Make an archive and give what adds a member under any name."""
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as made:
            yield made.writestr
        return
    with tarfile.open(archive, "w") as made_tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made_tar.addfile(info, io.BytesIO(data))

        yield add


def everything(folder: Path, *but: str) -> set[Path]:
    """Return every file there is, but those in folders of these names and the ledger's own side files."""
    own = ("ledger.db-", "contract-tests.json")
    files = {p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(own)}
    return {p for p in files if not set(but) & set(p.parts)}
