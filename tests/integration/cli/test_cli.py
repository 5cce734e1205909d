"""The command: exit codes, JSON that a program can read, exact figures, errors that say what to do."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import astuple
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.intake.deliveries import make_delivery
from flows.intake.registration import receive
from flows.release.build import night
from tests.support.cli_runner import Ran, Run, engang
from tests.support.paths import CONTRACTS, ROOT
from tests.support.small_installation import HEADER, open_small

pytestmark = pytest.mark.usefixtures("unchecked")
COMMANDS = [
    "backfill", "backfills", "backfills discard", "backfills list", "blocks", "burden", "burden minimal",
    "check", "check-page", "clean", "concepts", "contracts", "contracts diff", "contracts list",
    "contracts new", "contracts show", "contracts test", "decide", "decisions",
    "decisions export", "decisions import", "decisions list", "decisions withdraw", "demo", "discover",
    "discover change", "discover review",
    "discover verdict", "discover verdicts", "dossier",
    "erase", "evaluate", "events",
    "explain", "export", "inbox", "inbox dismiss", "inbox list", "inbox poll", "inbox redrive", "inbox retry",
    "kinds", "kinds list", "kinds new", "kinds show", "known", "mart", "mart status", "mart sync",
    "models", "models export", "models import", "models list", "models pin", "models show",
    "nightly", "obligations", "obligations import", "obligations overlap", "obligations sums", "overlap", "prefill",
    "query", "rebuild", "receipt", "receipt extends", "receipt heads", "receipt show", "receipt verify",
    "rejects", "releases", "review", "serve", "site", "status", "submit", "train", "units",
    "verify", "why-not", "withdraw",
]  # fmt: skip
GOOD = HEADER + "0301;01.01.2024;alle;709 037;\n1120;01.01.2024;alle;20 005;\n"
BAD = HEADER + "0301;01.02.2024;alle;709 100;\n9998;01.02.2024;\x1b[31malle;1;\nSum;01.02.2024;alle;709 101;\n"
PAID = "name,paid\nNordskjær Olje AS,0.1\nGrip Energi AS,1234567890123456789.123456789\n"


class Exactly(Ran):
    """As it is said, to the digit."""

    @property
    def json(self) -> Any:
        return json.loads(self.out, parse_float=Decimal)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Give what runs the command in a new home (ENGANG_HOME)."""
    monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(CONTRACTS))
    for name in ("ENGANG_LEDGER", "ENGANG_CODELISTS"):
        monkeypatch.delenv(name, raising=False)
    return lambda *arguments: Exactly(*astuple(engang(*arguments)))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Give a folder with a good delivery, one with a bad row, and one of payments."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name, text in (("good.csv", GOOD), ("bad.csv", BAD), ("paid.csv", PAID)):
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a home that has a release, once."""
    home = open_small(tmp_path_factory.mktemp("released") / "home")
    good = make_delivery(home, "good.csv", GOOD.encode(), "folketall", sender="kommunen", period=None)
    paid = make_delivery(home, "paid.csv", PAID.encode(), "betaling", sender="selskapet", period="2024")
    assert [r.status for batch in receive(home, [good, paid]) for r in batch] == ["registered"] * 2
    assert night(home).release == 1
    home.engine.dispose()
    return home.settings.home


@pytest.fixture
def released(run: Run, template: Path, tmp_path: Path) -> Run:
    """Give the command in a home that has a release."""
    shutil.copytree(template, tmp_path / "home")
    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_how_to_use_it(run: Run, command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.code == 0
    assert "Usage: engang " + command in result.out


def test_the_commands_are_those_tested_here(run: Run) -> None:
    known = {c.split()[0] for c in COMMANDS}
    listed = re.findall(r"^│? ?([a-z][a-z-]*) {2,}\S", run("--help").out, re.MULTILINE)
    assert set(listed) == known


def test_help_imports_nothing_heavy() -> None:
    heavy = ("prefect", "great_expectations", "polars", "pandas", "boto3", "splink", "sqlalchemy", "duckdb", "alembic")
    script = (
        "import sys; sys.argv = ['engang', '--help']\n"
        "from flows.cli.app import main\n"
        "try:\n    main()\n"
        f"finally:\n    print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - started)
        assert "Usage: engang" in done.stdout
        assert done.stderr.strip() == "[]"
    print(f"engang --help: best of five {min(seconds):.2f} s")  # a figure to look at, not to fail on


def test_the_console_command_gives_its_exit_codes(tmp_path: Path, files: Path) -> None:
    def engang(*arguments: str | Path) -> int:
        command = [sys.executable, "-c", "from flows.cli.app import main; main()", *map(str, arguments)]
        env = {"ENGANG_HOME": str(tmp_path / "home"), "ENGANG_CONTRACTS": str(CONTRACTS), "PATH": "/usr/bin"}
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=False).returncode

    assert engang("submit", files / "good.csv", "-c", "folketall", "-s", "kommunen") == 0
    assert engang("submit", files / "bad.csv", "-c", "folketall", "-s", "kommunen") == 1
    assert engang("submit", files / "good.csv", "-c", "folketal", "-s", "kommunen") == 2


def test_submit_prints_receipts(run: Run, files: Path) -> None:
    result = run("submit", files / "good.csv", files / "bad.csv", "-c", "folketall", "-s", "kommunen", "--json")
    assert result.code == 1
    good, bad = result.json
    counted = ("filename", "status", "delivered", "claims", "rejected", "ignored", "warnings")
    assert [good[k] for k in counted] == ["good.csv", "registered", 2, 2, 0, 0, 0]
    assert [bad[k] for k in counted] == ["bad.csv", "registered", 3, 1, 1, 1, 0]
    again = run("submit", files / "good.csv", "-c", "folketall", "-s", "kommunen", "--json")
    assert again.code == 0
    assert again.json == [{**good, "status": "redelivered"}]
    shown = run("submit", files / "bad.csv", "-c", "folketall", "-s", "other")
    assert shown.code == 1
    assert "1 files: 1 registered; 3 delivered, 1 claims, 1 rejected, 1 ignored, 0 warnings" in shown.out
    assert "`engang rejects SUBMISSION` lists what was rejected" in shown.out


def test_a_file_over_a_limit_is_named_and_the_others_are_received(
    run: Run, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (files / "below").mkdir()
    (files / "below" / "big.csv").write_text(GOOD + "x" * 1000)
    (files / "paid.csv").unlink()
    monkeypatch.setenv("ENGANG_MAX_FILE_BYTES", "1000")
    result = run("submit", files, "-c", "folketall", "-s", "kommunen", "--json")
    assert [(r["filename"], r["status"]) for r in result.json] == [
        ("bad.csv", "registered"), ("good.csv", "registered"), ("below/big.csv", "refused"),
    ]  # fmt: skip
    assert result.code == 1
    assert result.json[2]["problem"].endswith("the limit is 1000; deliver it in parts, or raise ENGANG_MAX_FILE_BYTES")
    shown = run("submit", files / "below", files / "good.csv", "-c", "folketall", "-s", "kommunen")
    assert (shown.code, "big.csv: 1" in shown.out, "1 redelivered, 1 refused" in shown.out) == (1, True, True)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a.csv", GOOD + "1120;01.03.2024;alle;20 006;\n")
        archive.writestr("big.csv", GOOD + "x" * 1000)
    members = run("submit", tmp_path / "all.zip", "-c", "folketall", "-s", "kommunen", "--json").json
    assert [(r["filename"], r["status"]) for r in members] == [("a.csv", "registered"), ("big.csv", "refused")]
    monkeypatch.setenv("ENGANG_MAX_ARCHIVE_FILES", "1")
    whole = run("submit", tmp_path / "all.zip", files / "good.csv", "-c", "folketall", "-s", "kommunen", "--json")
    assert [(r["filename"], r["status"]) for r in whole.json] == [("good.csv", "redelivered"), ("all.zip", "refused")]


def test_submit_takes_a_folder_and_an_archive(run: Run, files: Path, tmp_path: Path) -> None:
    (files / "paid.csv").unlink()
    assert [r["filename"] for r in run("submit", files, "-c", "folketall", "-s", "x", "--json").json] == [
        "bad.csv",
        "good.csv",
    ]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("month/a.csv", GOOD)
    result = run("submit", tmp_path / "all.zip", "-c", "folketall", "-s", "y", "--json")
    assert [(r["filename"], r["status"]) for r in result.json] == [("month/a.csv", "registered")]


def test_rejects_says_what_is_wrong_and_what_to_do(run: Run, files: Path) -> None:
    (receipt,) = run("submit", files / "bad.csv", "-c", "folketall", "-s", "kommunen", "--json").json
    result = run("rejects", receipt["submission_id"], "--json")
    assert result.code == 0
    (reject,) = result.json
    assert (reject["row"], reject["column"], reject["reason"], reject["found"]) == (
        3,
        "kommune",
        "unknown-unit",
        "9998",
    )
    shown = run("rejects", receipt["submission_id"]).out
    assert all(str(reject[k]) in shown for k in ("reason", "found", "expected", "hint"))
    (clean,) = run("submit", files / "good.csv", "-c", "folketall", "-s", "kommunen", "--json").json
    assert run("rejects", clean["submission_id"]).out == "nothing was rejected\n"
    assert run("rejects", clean["submission_id"], "--json").json == []


def test_a_table_shows_no_control_characters(run: Run, files: Path) -> None:
    (files / "bad.csv").write_text(HEADER + '0301;01.01.2024;alle;"\x1b[2J1\n\u202e2";\n')
    for result in (
        run("check", files / "bad.csv", "-c", "folketall", "-s", "kommunen"),
        run("submit", files / "bad.csv", "-c", "folketall", "-s", "kommunen"),
    ):
        assert result.code == 1
        assert result.out.isascii() or "\u202e" not in result.out
        assert "\x1b[2J" not in result.out


def test_check_stores_nothing(run: Run, files: Path, tmp_path: Path) -> None:
    result = run("check", files / "bad.csv", "-c", "folketall", "-s", "kommunen", "--json")
    assert result.code == 1
    (receipt,) = result.json
    assert [r["reason"] for r in receipt["rejects"]] == ["unknown-unit"]
    assert run("check", files / "good.csv", "-c", "folketall", "-s", "kommunen").code == 0
    (files / "paid.csv").unlink()
    assert len(run("check", files, "-c", "folketall", "-s", "kommunen", "--json").json) == 2
    home = open_small(tmp_path / "home")
    assert not list(home.settings.landing.rglob("*"))
    assert run("nightly", "--json").json == {"release": None, "published": False, "digest": None, "counts": {}}


def test_what_is_asked_before_there_is_a_release(run: Run) -> None:
    for arguments in (("query", "SELECT 1"), ("explain", "x"), ("verify",), ("export",)):
        result = run(*arguments)
        assert result.code == 2
        assert result.err == "engang: nothing is released yet: `engang submit` some files, then `engang nightly`\n"
    assert run("releases", "--json").json == []
    assert run("releases").code == 0
    assert run("units", "--provisional", "--json").json == []


def test_nightly_publishes_once(run: Run, files: Path) -> None:
    run("submit", files / "good.csv", "-c", "folketall", "-s", "kommunen")
    first = run("nightly", "--json")
    assert (first.code, first.json["release"], first.json["published"]) == (0, 1, True)
    assert first.json["counts"]["items"] == 2
    again = run("nightly", "--json")
    assert (again.code, again.json) == (0, {**first.json, "published": False})
    assert run("nightly").out == "nothing new: release 1 stays current\n"
    (release,) = run("releases", "--json").json
    assert (release["release"], release["digest"], release["counts"]) == (1, first.json["digest"], first.json["counts"])
    assert first.json["digest"] in run("releases").out


def test_query_gives_exact_decimals_in_every_format(released: Run) -> None:
    sql = "SELECT unit_name, value, decimals, period_start FROM observations WHERE concept = 'payment' ORDER BY value"
    exact = [Decimal("0.1"), Decimal("1234567890123456789.123456789")]
    result = released("query", sql, "--format", "json")
    assert [r["value"] for r in result.json] == exact
    assert result.json[0] == {
        "unit_name": "Nordskjær Olje AS", "value": Decimal("0.1"), "decimals": None, "period_start": "2024-01-01",
    }  # fmt: skip
    rows = list(csv.reader(io.StringIO(released("query", sql, "--format", "csv").out)))
    assert rows[0] == ["unit_name", "value", "decimals", "period_start"]
    assert [row[1] for row in rows[1:]] == ["0.1", "1234567890123456789.123456789"]
    assert "1234567890123456789.123456789" in released("query", sql).out
    total = released("query", "SELECT sum(value) + 0.2 AS s FROM observations WHERE value < 1", "-f", "json")
    assert total.json == [{"s": Decimal("0.3")}]


def test_query_answers_in_json_whatever_the_type(released: Run) -> None:
    sql = """SELECT 'nan'::DOUBLE AS a, 'x'::BLOB AS b, [1.50, 2] AS c, {'x': DATE '2024-01-01'} AS d, NULL AS e,
             TIME '12:00' AS f, true AS g, uuid() AS h, 17014118346046923173168730371588410572::HUGEINT AS i"""
    (row,) = released("query", sql, "-f", "json").json
    assert (row["a"], row["c"], row["d"], row["e"], row["g"]) == (
        None,
        [Decimal("1.5"), 2],
        {"x": "2024-01-01"},
        None,
        True,
    )
    assert row["i"] == 17014118346046923173168730371588410572
    for form in ("csv", "table"):
        assert released("query", sql, "-f", form).code == 0
    assert released("query", "SELECT 1 AS a WHERE false", "-f", "json").json == []
    assert released("query", "SELECT 1 AS a WHERE false", "-f", "csv").out == "a\n"
    assert released("query", "SELECT 1 AS a WHERE false").out == "a\n"


def test_query_sees_the_ledgers_tables(released: Run) -> None:
    sql = "SELECT s.filename, count(r.row) AS n FROM submissions s LEFT JOIN rejects r USING (submission_id) GROUP BY 1"
    assert {r["filename"]: r["n"] for r in released("query", sql, "-f", "json").json} == {"good.csv": 0, "paid.csv": 0}
    result = released("query", "SELECT count(*) AS n FROM sources JOIN observations USING (item_id)", "--release", "1")
    assert result.out == "n\n4\n"
    missing = released("query", "SELECT 1", "--release", "7")
    assert (missing.code, missing.err) == (2, "engang: there is no release 7: `engang releases` lists them\n")


OUTSIDE = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_text('{home}/ledger.db')",
    "SELECT * FROM read_text('{home}/landing/../ledger.db')",
    "SELECT * FROM read_parquet('{home}/lake/../../*.parquet')",
    "COPY (SELECT 1) TO '{home}/out.csv'",
    "COPY (SELECT 1) TO '{home}/lake/observations/out.parquet'",
    "EXPORT DATABASE '{home}/lake/out'",
    "ATTACH '{home}/lake/new.db'",
    "ATTACH '{home}/ledger.db' (TYPE sqlite)",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SELECT * FROM gone",
    "SELECT * FROM installation",
    "CREATE TABLE t AS SELECT 1",
    "DROP VIEW observations",
    "SELECT getenv('HOME')",
    "SELECT 1; SELECT 2",
    "SELECT INTERVAL 1 MONTH",
    "SELECT sql FROM duckdb_views()",
    "SELECT sql FROM duckdb_views",
    "SELECT name, value FROM duckdb_settings()",
    "SELECT sql FROM main.sqlite_master",
    "SELECT view_definition FROM information_schema.views",
    "SELECT definition FROM pg_catalog.pg_views",
    "SELECT current_setting('allowed_paths')",
    "SHOW allowed_paths",
    "SUMMARIZE duckdb_views",
    "SELECT * FROM query('SELECT sql FROM duckdb_views()')",
    "SELECT * FROM histogram('duckdb_views', sql)",
    "SELECT * FROM query_table('observ' || 'ations')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT sql FROM duckdb_views()'))",
    "WITH t AS (SELECT (SELECT sql FROM duckdb_views LIMIT 1)) FROM t",
    "SELECT",
    "",
]


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home whose release is only read."""
    home = open_small(tmp_path_factory.mktemp("frozen") / "home")
    list(receive(home, [make_delivery(home, "a.csv", GOOD.encode(), "folketall", sender="kommunen", period=None)]))
    night(home)
    return home.settings.home


@pytest.mark.parametrize("sql", OUTSIDE)
def test_query_reaches_nothing_but_the_release(
    run: Run, frozen: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(frozen))
    before = {p for p in frozen.rglob("*") if "ledger.db-" not in p.name}
    result = run("query", sql.replace("{home}", str(frozen)))
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("engang: the query failed: ")
    assert result.err.count("\n") == 1
    assert str(frozen) not in result.err.replace(sql.replace("{home}", str(frozen)), "").replace(f"{frozen}/l", "")
    assert {p for p in frozen.rglob("*") if "ledger.db-" not in p.name} == before


@pytest.mark.parametrize("sql", ["SELECT 1 AS a, 2 AS a", "SELECT 1;", "WITH t AS (SELECT 1 AS a) FROM t -- done"])
def test_odd_queries_are_answered(run: Run, frozen: Path, monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(frozen))
    result = run("query", sql, "-f", "json")
    assert result.code == 0
    assert result.json[0]


@pytest.mark.parametrize(
    ("sql", "name", "value", "limit"),
    [
        ("SELECT pg_sleep(600)", "SECONDS", "1", "after 1 seconds (ENGANG_QUERY_SECONDS)"),
        ("SELECT length(repeat('x', 3000000000))", "MEMORY", "300000000", "300000000 bytes (ENGANG_QUERY_MEMORY)"),
        ("SELECT DISTINCT range::VARCHAR || repeat('x', 100) FROM range(9000000)", "MEMORY", "300000000", "300000000"),
        ("SELECT * FROM range(101)", "ROWS", "100", "more than 100 rows (ENGANG_QUERY_ROWS)"),
        ("SELECT repeat('x', 1000000) FROM range(100)", "MEMORY", "300000000", "300000000 bytes (ENGANG_QUERY_MEMORY)"),
    ],
)
def test_a_query_over_its_limits_ends(
    run: Run, frozen: Path, monkeypatch: pytest.MonkeyPatch, sql: str, name: str, value: str, limit: str
) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(frozen))
    monkeypatch.setenv(f"ENGANG_QUERY_{name}", value)
    result = run("query", sql)
    assert (result.code, result.out) == (2, "")
    assert limit in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    "day", ["DATE 'infinity'", "DATE '0044-03-15 (BC)'", "TIMESTAMP '290000-01-01'", "TIMESTAMP '-infinity'"]
)
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_day_that_no_calendar_of_ours_has_is_refused(
    run: Run, frozen: Path, monkeypatch: pytest.MonkeyPatch, day: str, form: str
) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(frozen))
    result = run("query", f"SELECT {day} AS day", "-f", form)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "'day' has dates before the year 1 or after 9999" in result.err


def test_csv_is_exact_and_for_a_spreadsheet_defused(run: Run, frozen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(frozen))
    sql = "SELECT '=1+1' AS a, -5.25 AS b, '-5' AS c, '@x' AS d, chr(9) || 'y' AS e, 'z=1.5' AS f"
    assert run("query", sql, "-f", "csv").out == "a,b,c,d,e,f\n=1+1,-5.25,-5,@x,\ty,z=1.5\n"
    assert run("query", sql, "--spreadsheet").out == "\ufeffa;b;c;d;e;f\n'=1+1;-5,25;'-5;'@x;'\ty;z=1.5\n"
    assert run("query", sql, "--spreadsheet", "-f", "json").code == 2
    assert run("query", "SELECT chr(155) || 'a' AS a", "-f", "json").out == '[\n {\n  "a": "\\u009ba"\n }\n]\n'
    assert run("query", "SELECT 1 AS a WHERE false", "-f", "json").json == []
    assert "\x9b" not in run("query", "SELECT chr(155) AS a").out


def test_explain_names_file_row_and_column(released: Run, files: Path) -> None:
    (item,) = released("query", "SELECT item_id FROM observations WHERE value = 20005", "-f", "json").json
    result = released("explain", item["item_id"], "--json")
    assert result.code == 0
    (claim,) = result.json["claims"]
    assert (claim["filename"], claim["row"], claim["column"], claim["original"]) == ("good.csv", 3, "antall", "20 005")
    assert (result.json["observation"]["value"], result.json["why"]) == (20005, "One claim, so its value stands.")
    shown = released("explain", item["item_id"]).out
    assert "population" in shown
    assert "Klepp (municipality 1120)" in shown
    more = files / "more.csv"
    more.write_text(HEADER + "1120;01.01.2024;alle;20 006;\n")
    released("submit", more, "-c", "folketall", "-s", "kommunen")
    waiting = released("explain", item["item_id"], "--json").json["claims"]
    assert [(c["original"], c["relation"]) for c in waiting] == [
        ("20 005", "single"),
        ("20 006", "not in this release"),
    ]
    unknown = released("explain", "nothing")
    assert unknown.code == 2
    assert "no item 'nothing'" in unknown.err


def test_withdraw_is_exact_and_can_be_taken_back(released: Run, files: Path) -> None:
    with_it = released("releases", "--json").json[-1]["digest"]
    (submission,) = released(
        "query", "SELECT submission_id FROM submissions WHERE filename = 'paid.csv'", "-f", "json"
    ).json
    result = released("withdraw", submission["submission_id"], "--json")
    assert (result.code, result.json["changed"]) == (0, True)
    assert released("withdraw", submission["submission_id"]).out == "already withdrawn\n"
    without = released("nightly", "--json").json
    assert (without["release"], without["counts"]["items"]) == (2, 2)
    back = released("submit", files / "paid.csv", "-c", "betaling", "-s", "selskapet", "-p", "2024", "--json").json
    assert back[0]["status"] == "restored"
    assert released("nightly", "--json").json["digest"] == with_it
    unknown = released("withdraw", "nothing")
    assert (unknown.code, "no submission 'nothing'" in unknown.err) == (2, True)


def test_verify_is_green_and_says_so(released: Run) -> None:
    result = released("verify", "--json")
    assert result.code == 0
    assert result.json["same"] is True
    assert result.json["ledger"] == result.json["lake"] == result.json["rebuilt"]
    assert result.json["submissions"] == 2


def test_verify_ends_with_1_where_the_landing_zone_has_changed(released: Run, tmp_path: Path) -> None:
    (path,) = (tmp_path / "home" / "landing" / "betaling" / "selskapet").glob("*[!n]")
    path.write_text(PAID.replace("0.1", "0.2"))
    result = released("verify", "--json")
    assert result.code == 1
    assert "has changed; restore it from a copy" in result.err


def test_units_lists_the_register_and_the_provisional(released: Run) -> None:
    found = released("units", "--json").json
    assert {"kind": "municipality", "code": "1120", "name": "Klepp"}.items() <= {
        k: v for u in found if u["code"] == "1120" for k, v in u.items()
    }.items()
    provisional = released("units", "--provisional", "--json").json
    assert [u["name"] for u in provisional] == ["Grip Energi AS", "Nordskjær Olje AS"]
    assert "Grip Energi AS" in released("units", "--provisional").out


def test_contracts_are_listed_and_shown(run: Run) -> None:
    assert [(c["contract"], c["options"]) for c in run("contracts", "--json").json] == [
        ("betaling", "--period"),
        ("folketall", ""),
    ]
    assert run("contracts", "list", "--json").json == run("contracts", "--json").json
    assert run("contracts", "show", "folketall", "--json").json["contract"] == "folketall"
    shown = run("contracts", "show", "folketall")
    assert shown.code == 0
    assert re.search(r"^antall +claim of population$", shown.out, re.MULTILINE)
    assert re.search(r"^merknad +ignored$", shown.out, re.MULTILINE)
    assert run("contracts", "show", "folketal").code == 2


def wrong_uses(files: Path) -> dict[str, tuple[list[str | Path], str]]:
    good, paid = files / "good.csv", files / "paid.csv"
    return {
        "unknown contract": (
            ["submit", good, "-c", "folketal"],
            "engang: no contract 'folketal': did you mean 'folketall'? `engang contracts` lists them\n",
        ),
        "no contract": (["submit", good], "Missing option '--contract' / '-c'"),
        "no file": (["submit", "-c", "folketall"], "Missing argument 'files'"),
        "no such file": (["submit", files / "none.csv", "-c", "folketall"], "none.csv: no such file or folder\n"),
        "no sender": (["check", good, "-c", "folketall"], "names no default sender: give the sender with --sender\n"),
        "a sender that is a path": (
            ["submit", good, "-c", "folketall", "-s", "../../x"],
            "sender '../../x' is no name",
        ),
        "a sender that may not": (["check", paid, "-c", "betaling", "-s", "nav"], "skatteetaten, selskapet. Add it to"),
        "no period": (["submit", paid, "-c", "betaling"], "do not state their period: give it with --period\n"),
        "an empty folder": (["submit", files / "empty", "-c", "folketall"], "no file in it"),
        "a format that is none": (["query", "SELECT 1", "-f", "xml"], "'xml' is not one of"),
        "a release that is no number": (["query", "SELECT 1", "-r", "first"], "Invalid value for '--release'"),
        "an unknown command": (["sumbit"], "No such command 'sumbit'"),
        "an unknown option": (["nightly", "--fast"], "No such option: --fast"),
    }


@pytest.mark.parametrize("case", wrong_uses(Path()))
def test_wrong_use_ends_with_2_and_says_what_to_do(run: Run, files: Path, tmp_path: Path, case: str) -> None:
    (files / "empty").mkdir()
    arguments, message = wrong_uses(files)[case]
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert not list((tmp_path / "home").glob("landing/*"))


def test_a_contract_that_is_wrong_is_named_with_its_key(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (CONTRACTS / "folketall.yml").read_text()
    (tmp_path / "folketall.yml").write_text(text.replace("repeat: error", "repaet: error"))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(tmp_path))
    result = run("contracts")
    assert result.code == 1
    assert "folketall.yml" in result.out
    assert "unknown key 'repaet'; did you mean 'repeat'?" in result.out


def test_a_landed_file_that_cannot_be_received_does_not_stop_the_night(run: Run, files: Path, tmp_path: Path) -> None:
    run("submit", files / "good.csv", "-c", "folketall", "-s", "kommunen")
    for sha256 in ("a" * 64, "b" * 64):
        note = {
            "submission_id": "ab" * 10, "contract": "gone", "sender": "x", "sha256": sha256, "filename": "a.csv",
            "period": None, "bytes": 1, "received_at": "2024-01-01T00:00:00+00:00",
        }  # fmt: skip
        folder = tmp_path / "home" / "landing" / "gone" / "x"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{sha256}.{'ab' * 10}.json").write_text(json.dumps(note))
    (folder / "odd.json").write_text("not a note")
    result = run("nightly", "--json")
    assert (result.code, result.json["counts"]["items"]) == (0, 2)
    assert "of the landing zone: no contract 'gone'" in result.err
    assert "odd.json is no delivery note" in result.err
    assert run("inbox", "list").out.count("parked ") >= 2
    assert "of the landing zone" not in run("nightly").err, "once reported, they wait for a person"


@pytest.mark.parametrize("error", [RuntimeError("0301 secret"), pl.exceptions.PanicException("0301 secret")])
def test_a_fault_of_ours_is_one_line_that_quotes_nothing(
    run: Run, frozen: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def _fail(*_: object) -> None:
        raise error

    monkeypatch.setenv("ENGANG_HOME", str(frozen))
    monkeypatch.setattr("flows.releases.list_releases", _fail)
    result = run("releases")
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert f"a fault of Engang's: {type(error).__name__} at test_cli.py:" in result.err
    assert "secret" not in result.err
