"""Decisions on both databases: what binds, what is refused, what is warned of; export and import; the commands."""

import getpass
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.installation import Installation, open_installation
from flows.matching.decision_files import export_decisions, import_decisions
from flows.matching.decisions import decide, known_reports, list_decisions, withdraw_decision
from infra.lake.item_tables import kind_tables
from infra.ledger import decisions as ledger_decisions
from infra.ledger import submissions as ledger_submissions
from schemas.claims import REJECT, empty
from schemas.errors import UsageError
from tests.support import ledger_rows
from tests.support.cli_runner import engang
from tests.support.mishap_frames import KIND, deliveries

pytestmark = pytest.mark.usefixtures("unchecked")

A, B, C, D, E = (f"{letter * 4}{0:020}" for letter in "abcde")
SHIP = f"{7:024}"
NOON = datetime(2026, 11, 22, 12)
WHY = "one derailment"
REPORTS = (
    {"report_id": A, "submission_id": "s1", "reported_by": "UP"},
    {"report_id": B, "submission_id": "s1", "reported_by": "BNSF"},
    {"report_id": C, "submission_id": "s1", "reported_by": "UP"},
    {"report_id": D, "submission_id": "s2", "reported_by": "CSX"},
    {"report_id": E, "submission_id": "s1", "reported_by": "NS"},
    {"report_id": E, "submission_id": "s3", "reported_by": "NS", "version": 2, "action": "withdraw"},
    {"report_id": f"{9:024}", "submission_id": "killed", "reported_by": "UP"},
)


def keep(installation: Installation, kind: str, *reports: dict[str, Any]) -> None:
    """Keep deliveries of a kind and register their submissions, but for one that was killed before it could be."""
    frame = deliveries(reports).with_columns(batch=pl.lit("b1"))
    kind_tables(installation.settings.lake, installation.kinds[kind]).append(f"{kind}_records", frame)
    ids = sorted({each["submission_id"] for each in reports} - {"killed"})
    row = {
        "contract": "mishaps", "contract_digest": "d1", "obligation": "mishaps", "sender": "agency",
        "filename": "f.csv",
        "sha256": "x", "bytes": 10, "received_at": NOON, "status": "live", "batch": "b1", "delivered": 4, "claims": 4,
        "rejected": 0, "ignored": 0, "warnings": 0,
    }  # fmt: skip
    files = pl.DataFrame([{"submission_id": i, "content_digest": i, **row} for i in ids])
    months = pl.DataFrame(schema={"submission_id": pl.String, "partition": pl.String, "claims": pl.Int64})
    units = pl.DataFrame(schema={"unit_id": pl.String, "kind": pl.String, "name": pl.String})
    ledger_submissions.register_contract(installation.engine, "mishaps", "d1", "contract: mishaps\n")
    ledger_submissions.register_submissions(installation.engine, files, months, empty(REJECT), units)


def filled(folder: Path, ledger_url: str, patch: pytest.MonkeyPatch) -> Installation:
    """Open an installation with reports of two kinds: mishap (one report an item) and ship (several).

    D's submission is withdrawn, E's newest version withdraws it.
    """
    kinds = folder / "kinds"
    kinds.mkdir()
    for kind in (KIND, KIND.model_copy(update={"kind": "ship", "one_report_per_item": False})):
        (kinds / f"{kind.kind}.yml").write_text(json.dumps(kind.model_dump(mode="json", exclude_none=True)))
    for name, value in (("HOME", folder / "home"), ("LEDGER", ledger_url), ("KINDS", kinds)):
        patch.setenv(f"ENGANG_{name}", str(value))
    installation = open_installation()
    keep(installation, "mishap", *REPORTS)
    ships = ({"report_id": f"{n:024}", "submission_id": "s4", "reported_by": "UP"} for n in (7, 8))
    keep(installation, "ship", *ships)
    ledger_submissions.set_status(installation.engine, "s2", "withdrawn")
    return installation


@pytest.fixture
def home(tmp_path: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Give an installation of the test's own, on each database."""
    return filled(tmp_path, ledger_url, monkeypatch)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give one to all that is refused: nothing is kept in it."""
    folder = tmp_path_factory.mktemp("steady")
    with pytest.MonkeyPatch.context() as patch:
        yield filled(folder, f"sqlite:///{folder / 'home' / 'ledger.db'}", patch)


def active_decisions(home: Installation) -> list[tuple[int, str, str, str]]:
    return list_decisions(home).select("id", "a", "b", "verdict").rows()


def move_in(home: Installation, item: str, since: dict[str, int]) -> None:
    """Let reports be at home in an item of kind mishap, each since a release."""
    rows = [("mishap", report, item, release) for report, release in since.items()]
    assignments = pl.DataFrame(rows, schema=["kind", "report_id", "item_id", "release"], orient="row")
    ledger_rows.write_item_assignments(home.engine, assignments)


# Deciding


def test_a_decision_is_kept_and_applied_by_the_next_night(home: Installation) -> None:
    made = decide(home, (f" {B.upper()}", A), "same", why=f" {WHY} ", who="Kari")
    assert (made.id, made.new, made.warnings) == (1, True, [])
    assert (made.decision.kind, made.decision.a, made.decision.b, made.decision.why) == ("mishap", A, B, WHY)
    assert active_decisions(home) == [(1, A, B, "same")]
    assert ledger_decisions.read_decisions(home.engine, "mishap").select("id", "in_release").rows() == [(1, False)]
    assert list_decisions(home, "ship").is_empty()


def test_what_is_known_of_reports(home: Installation) -> None:
    known = known_reports(home, {A, D, E, SHIP, f"{9:024}", "nobody"}).sort("report_id")
    assert known.rows() == [
        (SHIP, "ship", "UP", True), (A, "mishap", "UP", True), (D, "mishap", "CSX", False), (E, "mishap", "NS", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pair", "verdict", "why", "expected"),
    [
        ((A, "aaaa00ff"), "same", WHY, f"no report 'aaaa00ff' was ever delivered: did you mean {A}"),
        ((A, f"{9:024}"), "same", WHY, f"no report '{9:024}' was ever delivered"),
        (("x'; --", A), "same", WHY, 'no report "x\'; --" was ever delivered: .*report_id and item_id'),
        ((A, A), "same", WHY, "given twice"),
        ((A, SHIP), "unsure", WHY, "is of kind ship, .* of kind mishap"),
        ((A, B), "Same!", WHY, "found 'Same!', expected same, different, unsure"),
        ((A, B), "same", "  ", "--why: expected 1 to 4000 characters"),
        ((A, B), "same", "x\x1b[31m", "--why: expected 1 to 4000 characters that can be printed"),
        ((A, C), "same", WHY, "both reported by 'UP'.* two reports of one reporter are two items"),
    ],
)
def test_what_cannot_be_decided_is_refused(
    steady: Installation, pair: tuple[str, str], verdict: str, why: str, expected: str
) -> None:
    with pytest.raises(UsageError, match=expected):
        decide(steady, pair, verdict, why=why, who="Kari")
    assert active_decisions(steady) == []


def test_an_item_that_was_founded_again_stands_for_its_oldest_report_that_stands(home: Installation) -> None:
    again = f"{5:024}"  # the id of no report
    move_in(home, again, {E: 1, B: 2, A: 3, D: 1})
    decide(home, (again.upper(), C), "different", why=WHY)
    decide(home, (A, E), "unsure", why=WHY)
    assert active_decisions(home) == [(1, B, C, "different"), (2, A, E, "unsure")]


def test_a_founder_s_id_is_its_own_though_others_are_at_home_there(home: Installation) -> None:
    move_in(home, A, {B: 1})
    assert decide(home, (A, C), "different", why=WHY).decision.a == A


def test_two_reports_of_one_reporter_can_be_one_item_where_the_kind_says_so(home: Installation) -> None:
    assert decide(home, (SHIP, f"{8:024}"), "same", why=WHY).warnings == []
    assert decide(home, (A, C), "different", why=WHY).warnings == []


def test_a_decision_about_a_withdrawn_report_sleeps(home: Installation) -> None:
    made = decide(home, (A, D), "same", why=WHY)
    assert made.warnings == [f"report {D} is withdrawn: the decision is inactive until redelivery"]
    assert [w[:31] for w in decide(home, (E, D), "different", why=WHY).warnings] == [f"report {x}" for x in (D, E)]
    assert len(active_decisions(home)) == 2
    ledger_submissions.set_status(home.engine, "s2", "live")
    assert decide(home, (A, D), "same", why=WHY, who="Ola").warnings == []


def test_contradictions_are_reported_and_kept(home: Installation) -> None:
    assert decide(home, (A, B), "same", why=WHY, who="Kari").warnings == []
    (warnings,) = decide(home, (B, A), "different", why="no", who="Ola").warnings
    assert warnings.startswith(
        f"decision 1 by Kari has 'same' for {A} and {B}, which contradicts this one: 'different' prevails"
    )
    (warnings,) = decide(home, (D, B), "same", why=WHY, who="Per").warnings[1:]  # D sleeps, and with B comes A
    assert "decision 2 by Ola" in warnings
    warnings = decide(home, (D, A), "different", why="no", who="Per").warnings[-2:]
    assert [t[:10] for t in warnings] == ["decision 1", "decision 3"]
    (warnings,) = decide(home, (A, B), "unsure", why="no", who="Per").warnings[:1]
    assert warnings.endswith("'same' prevails, because 'unsure' decides nothing")
    assert [row[3] for row in active_decisions(home)] == ["same", "different", "same", "different", "unsure"]


def test_a_chain_that_ties_two_reports_of_one_reporter_is_reported(home: Installation) -> None:
    decide(home, (A, B), "same", why=WHY)
    (warning,) = decide(home, (B, C), "same", why=WHY).warnings
    assert warning.startswith(f"decisions tie {A}, {C} together, all reported by 'UP'")


def test_deciding_twice_is_deciding_once(home: Installation) -> None:
    assert decide(home, (A, B), "same", why=WHY, who="Kari").new
    again = decide(home, (B, A), "same", why="again", who="Kari")
    assert (again.id, again.new) == (1, False)
    assert decide(home, (B, A), "same", why=WHY, who="Ola").new
    assert withdraw_decision(home, 1, why="a slip", who="Per")
    assert decide(home, (A, B), "same", why=WHY, who="Kari").id == 3
    assert [row[0] for row in active_decisions(home)] == [2, 3]


def test_a_withdrawn_decision_is_listed_on_demand(home: Installation) -> None:
    decide(home, (A, B), "same", why=WHY, who="Kari")
    assert withdraw_decision(home, 1, why="a slip", who="Ola")
    assert not withdraw_decision(home, 1, why="a slip", who="Ola")
    assert active_decisions(home) == []
    decisions = list_decisions(home, "mishap", withdrawn=True)
    assert decisions.select("id", "withdrawn_by", "withdrawn_why").rows() == [(1, "Ola", "a slip")]
    with pytest.raises(UsageError, match="there is no decision 2"):
        withdraw_decision(home, 2, why="a slip")
    with pytest.raises(UsageError, match="no kind 'boat': found mishap, ship"):
        list_decisions(home, "boat")


# Files


def decided(home: Installation) -> pl.DataFrame:
    """Make some decisions, one withdrawn, and return all."""
    decide(home, (A, B), "same", why='two, "quoted"; ærlig', who="Kari")
    decide(home, (SHIP, f"{8:024}"), "unsure", why=WHY, who="Ola")
    decide(home, (A, E), "different", why=WHY, who="Kari")
    withdraw_decision(home, 3, why="a slip", who="Per")
    return list_decisions(home, withdrawn=True)


@pytest.mark.parametrize("name", ["decisions.csv", "decisions.jsonl", "DECISIONS.CSV"])
def test_a_file_brings_decisions_to_another_installation(
    home: Installation, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decisions = decided(home)
    assert export_decisions(home, tmp_path / name) == 3
    before = import_decisions(home, tmp_path / name)
    assert (before.new, before.withdrawn, before.known, before.warnings) == (0, 0, 3, [])
    monkeypatch.setenv("ENGANG_LEDGER", f"sqlite:///{tmp_path / 'other.db'}")
    other = open_installation(tmp_path / "other")
    done = import_decisions(other, tmp_path / name)
    assert (done.new, done.withdrawn, done.known) == (3, 0, 0)
    assert done.warnings == ["5 reports were never delivered here: decisions on them are inactive until delivery"]
    assert list_decisions(other, withdrawn=True).drop("id").equals(decisions.drop("id"))
    assert import_decisions(other, tmp_path / name).known == 3
    assert export_decisions(other, tmp_path / f"again-{name}") == 3
    assert (tmp_path / f"again-{name}").read_bytes() == (tmp_path / name).read_bytes()


HEADER = "kind,a,b,verdict,who,why,at"
GOOD = f"mishap,{B},{A},same,Kari,w,2026-11-22T12:00:00Z"


def test_a_file_from_elsewhere(home: Installation, tmp_path: Path) -> None:
    file = tmp_path / "made.csv"
    file.write_text("\ufeff" + f"{HEADER}\r\n{GOOD}\r\n{GOOD}\r\n".replace(",", ";"))
    assert import_decisions(home, file).new == 1
    assert active_decisions(home) == [(1, A, B, "same")]
    withdrawn = f"{GOOD},2026-11-23T12:00:00Z,Ola,a slip"
    file.write_text(f"{HEADER},withdrawn_at,withdrawn_by,withdrawn_why\n{withdrawn}\n")
    done = import_decisions(home, file)
    assert (done.new, done.withdrawn, done.known) == (0, 1, 0)
    assert active_decisions(home) == []
    contrary = GOOD.replace("same", "different"), GOOD.replace("Kari", "Ola")
    file.write_text("\n".join([HEADER, *contrary]))
    (warning,) = import_decisions(home, file).warnings
    assert warning.startswith("1 decisions of 'different' are on reports that others tie together: ")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("d.csv", f"{HEADER},colour\n{GOOD},red\n", "unknown column 'colour'"),
        ("d.csv", "kind,a,b\nmishap,1,2\n", "no column 'verdict'"),
        ("d.csv", f"{HEADER}\n{GOOD}\n{GOOD.replace('same', 'sane')}\n", "row 3: verdict: found 'sane'"),
        ("d.csv", f"{HEADER}\n{GOOD}\n{GOOD},more\n", "is no CSV"),
        ("d.csv", "", "is no CSV"),
        ("d.csv", b"\xff\xfe", "is no CSV in UTF-8"),
        ("d.csv", f"{HEADER}\n{GOOD}\n{GOOD.replace(B, C)}\n", "row 3: verdict: both are by one reporter"),
        ("d.csv", f"{HEADER}\n{GOOD}\n{GOOD.replace(B, SHIP)}\n", "row 3: kind: a or b is a report of another kind"),
        ("d.csv", HEADER + f"\n{GOOD.replace('same', '?')}" * 30, "row 11: .*; and 20 more. Nothing was imported"),
        ("d.jsonl", "[1]\n", "is no JSON lines .* line 1 is no object of texts"),
        ("d.jsonl", '\n{"kind": 1}\n', "line 2 is no object of texts"),
        ("d.jsonl", "{", "is no JSON lines"),
        ("d.jsonl", "[" * 100_000, "is no JSON lines"),
        ("d.jsonl", '{"row": "1"}', "unknown column 'row'|is no JSON lines"),
        ("d.xlsx", "", "ends in .csv or .jsonl"),
    ],
)
def test_a_file_with_anything_wrong_is_refused_whole(
    steady: Installation, tmp_path: Path, name: str, text: str | bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=expected):
        import_decisions(steady, tmp_path / name)
    assert ledger_decisions.read_decisions(steady.engine).is_empty()


def test_files_that_are_not_there(steady: Installation, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        import_decisions(steady, tmp_path / "none.csv")
    with pytest.raises(UsageError, match="cannot be written"):
        export_decisions(steady, tmp_path / "none" / "d.csv")
    assert export_decisions(steady, tmp_path / "d.jsonl") == 0
    assert import_decisions(steady, tmp_path / "d.jsonl").known == 0


# The commands


def test_the_commands(home: Installation, tmp_path: Path) -> None:
    run = engang
    assert home.kinds
    assert run("decisions").out == "no decision is in force\n"
    done = run("decide", B, A, "same", "--why", WHY)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"decision 1: {A} and {B} (mishap): same\n`engang nightly` applies it\n"
    again = run("decide", A, B, "same", "--why", WHY)
    assert again.out == f"no change: decision 1 by {getpass.getuser()} already has this verdict\n"
    result = run("decide", A, D, "different", "--why", WHY, "--who", "Kari", "--json")
    assert result.json == {
        "id": 2, "kind": "mishap", "a": A, "b": D, "verdict": "different", "who": "Kari", "why": WHY, "new": True,
        "warnings": [f"report {D} is withdrawn: the decision is inactive until redelivery"],
    }  # fmt: skip
    assert result.err.startswith("warning: report")
    listed = run("decisions", "list", "--kind", "mishap", "--json").json
    assert [(d["id"], d["who"], d["in_release"]) for d in listed] == [
        (1, getpass.getuser(), False), (2, "Kari", False),
    ]  # fmt: skip
    assert run("decisions", "export", tmp_path / "d.csv").out.endswith("d.csv: 2 decisions\n")
    assert run("decisions", "withdraw", "2", "--why", "a slip").out.startswith("withdrawn; `engang nightly`")
    assert run("decisions", "withdraw", "2", "--why", "a slip").out == "already withdrawn\n"
    assert run("decisions", "import", tmp_path / "d.csv", "--json").json == {
        "new": 0, "withdrawn": 0, "known": 2, "warnings": [],
    }  # fmt: skip
    assert len(run("decisions").out.splitlines()) == 2
    assert "a slip" in run("decisions", "list", "--withdrawn").out


@pytest.mark.parametrize(
    "wrong",
    [
        ("decide", A, B, "maybe", "--why", WHY),
        ("decide", A, "nobody", "same", "--why", WHY),
        ("decide", A, B, "same"),
        ("decisions", "withdraw", "9", "--why", WHY),
        ("decisions", "withdraw", "x", "--why", WHY),
        ("decisions", "import", "none.csv"),
        ("decisions", "export", "none.txt"),
    ],
)
def test_wrong_use_is_exit_code_two(steady: Installation, wrong: tuple[str, ...]) -> None:
    result = engang(*wrong)
    assert list_decisions(steady).is_empty()
    assert (result.code, result.out) == (2, "")
    assert result.err
