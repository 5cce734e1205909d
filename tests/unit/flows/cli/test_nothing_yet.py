"""What the commands answer in a home in which nothing was ever done, and to arguments that cannot be."""

import json
import shlex
from pathlib import Path

import pytest

from tests.support.cli_runner import engang

pytestmark = pytest.mark.usefixtures("folder")
UNRELEASED = "nothing is released yet: `engang submit` some files, then `engang nightly`"
KINDS = "known: incident, person, power_plant, rail_accident, time_thief"

CLEAN = """\
0 releases cannot be read then
0 files of the lake would be removed, 0.0 MB
`engang clean --yes` does it
"""


def run(command: str) -> tuple[int, str, str]:
    """Return how a command ended, and what it printed to both outputs."""
    ran = engang(*shlex.split(command))
    return ran.code, ran.out, ran.err


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("decisions", "no decision is in force\n"),
        ("decisions list --withdrawn", "no decision was ever made\n"),
        ("releases", "nothing is released yet\n"),
        ("events", "all events are delivered\n"),
        ("events --send", "0 delivered, 0 failed\n"),
        ("backfills", "no backfill yet\n"),
        ("inbox", "0 done; nothing waits\n"),
        ("inbox retry 1", "none of these is parked\n"),
        ("inbox dismiss 4 2 4 --why asked", "0 parked objects are dismissed; not parked: 2, 4\n"),
        ("inbox poll --once", "0 new objects\n"),
        ("inbox poll --once --drain", "0 new objects, 0 received\n"),
        ("receipt heads", "no release has a tree yet: `engang nightly` makes one\n"),
        ("decisions export all.csv", "all.csv: 0 decisions\n"),
        ("clean", CLEAN),
    ],
)
def test_where_there_is_nothing_a_command_says_so(command: str, printed: str) -> None:
    assert run(command) == (0, printed, "")


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("decisions --json", []),
        ("releases --json", []),
        ("events --json", []),
        ("backfills --json", []),
        ("receipt heads --json", []),
        ("inbox list --json", {"done": 0, "open": [], "parked": [], "dead_letters": None}),
        ("inbox list --all --json", {"done": 0, "open": [], "parked": [], "dead_letters": None, "closed": []}),
        ("inbox retry --all --json", {"retried": []}),
        ("inbox dismiss 4 --why asked --json", {"dismissed": []}),
        ("inbox poll --once --drain --json", {"new": 0, "messages": 0, "left": 0, "received": 0}),
        ("decisions export all.jsonl --json", {"file": "all.jsonl", "decisions": 0}),
        (
            "clean --json",
            {"releases": [], "files": 0, "bytes": 0, "exports": [], "sites": [], "packages": [], "removed": False},
        ),
    ],
)
def test_where_there_is_nothing_json_has_its_form(command: str, printed: object) -> None:
    code, out, err = run(command)
    assert (code, json.loads(out), err) == (0, printed, "")


@pytest.mark.parametrize(
    "command",
    [
        "review incident", "review incident --json", "site", 'query "SELECT 1"', "explain x", "export", "verify",
        "verify --json", "rebuild", "burden", "burden --json", "burden minimal", "discover", "discover --json",
        "dossier demo-lonn", "receipt x", "receipt extends 1", "evaluate incident --sample 5",
        "evaluate incident --truth table.csv", "known --contract demo-lonn --unit 1120 --period 2025-01",
    ],
)  # fmt: skip
def test_what_reads_a_release_asks_for_one(command: str) -> None:
    assert run(command) == (2, "", f"engang: {UNRELEASED}\n")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "decide a b same --why seen",
            "no report 'a' was ever delivered: `engang query` lists the ids, each of 24 hex",
        ),
        ("decide a b maybe --why seen", "verdict: found 'maybe', expected same, different, unsure"),
        ("decisions list --kind incidents", "no kind 'incidents': found incident, person, power_plant"),
        ("decisions withdraw 7 --why wrong", "there is no decision 7: `engang decisions list` shows them"),
        ("decisions export all.txt", "all.txt: expected a name that ends in .csv or .jsonl"),
        ("decisions export absent/all.csv", "absent/all.csv cannot be written: No such file or directory"),
        ("decisions import absent.csv", "absent.csv cannot be read: No such file or directory"),
        ("rejects none", "no submission 'none': ask `engang query` for the submission_id of submissions"),
        ("withdraw none", "no submission 'none': ask `engang query`"),
        ("erase none --why asked --yes", "no submission 'none': ask `engang query`"),
        ("review incidents", f"no record kind 'incidents': did you mean 'incident'? {KINDS}"),
        ("blocks zzz", f"no record kind 'zzz': {KINDS}"),
        ("blocks incident", "kind incident has no standing report: `engang submit` some"),
        ("train zzz", f"no record kind 'zzz': {KINDS}"),
        ("kinds show persn", f"no record kind 'persn': did you mean 'person'? {KINDS}"),
        ("why-not a b", "no report or item 'a' of a record kind is known: `engang query` has the ids"),
        ("evaluate incident", "give either --truth FILE or --sample N"),
        ("evaluate incident --truth table.csv --sample 3", "give either --truth FILE or --sample N"),
        ("evaluate zzz --truth table.csv", f"no record kind 'zzz': {KINDS}"),
        ("models show abc", "no model 'abc': `engang models` lists them"),
        ("models show ''", "no model '': `engang models` lists them"),
        ("models pin person 6af5 --why best", "model 6af52ff9470c29e6 is of kind incident, not person"),
        ("models export abc model.json", "no model 'abc': `engang models` lists them"),
        ("models import absent.json", "absent.json cannot be read: No such file or directory"),
        ("models import plain", "plain cannot be read: it is no plain file"),
        ("models import table.csv", "table.csv: this is no match model (Expecting value: line 1"),
        ("models import latin.yml", "latin.yml is no match model: expected JSON in UTF-8 that `engang train` wrote"),
        ("status --at yesterday", "--at: found 'yesterday', expected a day as YYYY-MM-DD"),
        ("status --at 2025-02-29", "--at: found '2025-02-29', expected a day as YYYY-MM-DD"),
        ("contracts show demo-lon", "no contract 'demo-lon': did you mean 'demo-lonn'? `engang contracts` lists them"),
        ("contracts test zzz", "no contract 'zzz': `engang contracts` lists them"),
        ("contracts diff absent.yml demo-lonn", "absent.yml cannot be read: No such file or directory"),
        ("contracts diff demo-lonn latin.yml", "latin.yml cannot be read: it is no text in UTF-8"),
        ("contracts diff demo-lonn plain.yml", "plain.yml cannot be read: it is no plain file"),
        ("contracts new Skjema --from table.csv", "'Skjema' is no name for a contract: expected small letters, digits"),
        ("contracts new skjema --from absent.csv", "absent.csv: no such file or folder"),
        ("contracts new skjema --from empty.csv", "empty.csv: it is empty"),
        ("contracts new skjema --from plain", "plain: no file in it; hidden files are left out"),
        ("contracts new demo-lonn --from table.csv", "demo-lonn.yml exists: edit it, or choose another name"),
        ("overlap absent.yml", "absent.yml cannot be read: No such file or directory"),
        ("overlap plain", "plain cannot be read: it is no plain file"),
        ("overlap latin.yml", "latin.yml cannot be read: it is no text in UTF-8"),
        ("inbox retry", "name the parked objects: their numbers, or --all; `engang inbox list` shows them"),
        ("inbox retry 1 --all", "name the parked objects: their numbers, or --all"),
        ("inbox dismiss 4 --why ' '", "--why: expected 1 to 4000 characters that can be printed"),
        ("inbox redrive", "there is no queue: set ENGANG_QUEUE and ENGANG_DEAD_LETTERS to the URLs of both"),
        ("obligations import absent.csv --from matrix", "absent.csv: No such file or directory"),
        ("obligations import plain --from matrix", "plain cannot be read: it is no plain file"),
        (
            "obligations import table.csv --from form",
            "an import is from one of oppgaveregisteret, us-inventory, matrix",
        ),
        ("mart status", "no mart is set: give its URL without a password, or set ENGANG_MART=postgresql://..."),
        (
            "mart sync mysql://host/d",
            "the URL of the mart: found mysql://, expected postgresql://USER@HOST:PORT/DATABASE",
        ),
        ("receipt verify absent.json", "absent.json cannot be read: No such file or directory"),
        ("receipt verify table.csv", "table.csv is no receipt: expected the file that `engang receipt --out` writes"),
        ("receipt verify plain", "plain cannot be read: it is no plain file"),
        ("submit absent.csv -c demo-lonn", "absent.csv: no such file or folder"),
        ("submit plain -c demo-lonn", "plain: no file in it; hidden files are left out"),
        ("submit table.csv -c demo-lon", "no contract 'demo-lon': did you mean 'demo-lonn'?"),
        ("backfill", "name the contract to read again with --contract, or continue a backfill with --resume"),
        ("backfill --contract demo-lon", "no contract 'demo-lon': did you mean 'demo-lonn'?"),
        (
            "backfill --contract demo-lonn",
            "nothing is released yet: there is nothing to backfill. `engang nightly` pub",
        ),
        ("backfill --resume", "no backfill is unfinished: `engang backfills` lists them"),
        ("known --contract zzz --unit 1 --period 2025", "no contract 'zzz': `engang contracts` lists them"),
        ("prefill --contract zzz --unit 1 --period 2025 --out d.csv", "no contract 'zzz': `engang contracts` lists"),
        ("export --release 3", "there is no release 3: `engang releases` lists them"),
        ("export --release 0", "there is no release 0: `engang releases` lists them"),
        ("export --release -1", "there is no release -1: `engang releases` lists them"),
        ("review incident --limit 0", "--limit: found 0, expected 1 or more"),
        ("discover change demo-lonn", "nothing is released yet"),
        ("check absent.csv -c demo-lonn", "absent.csv: no such file or folder"),
        ("check table.csv -c zzz", "no contract 'zzz': `engang contracts` lists them"),
    ],
)
def test_wrong_use_is_answered_by_what_was_found_and_what_to_do(folder: Path, command: str, message: str) -> None:
    (folder / "plain.yml").mkdir()
    code, out, err = run(command)
    assert (code, out) == (2, "")
    assert err.startswith("engang: ")
    assert message in err
    assert err.count("\n") == 1, "one line"
    assert not [path for path in folder.rglob("*") if path.suffix in {".txt", ".partial"}], "nothing is written"


def test_a_file_of_nothing_is_rejected_and_nothing_is_stored_by_a_check(folder: Path) -> None:
    code, out, err = run("check empty.csv -c demo-lonn --json")
    (receipt,) = json.loads(out)
    assert (code, err, receipt["status"], receipt["problem"]) == (1, "", "rejected", receipt["problem"])
    assert receipt["problem"].startswith("empty-file: found 0 bytes, expected a")
    assert not (folder / "home" / "landing").exists()
    assert run("inbox")[1] == "0 done; nothing waits\n"


def test_a_kind_without_reports_is_not_trained() -> None:
    expected = "engang: incident cannot be trained: it has no standing report: `engang submit` some\n"
    assert run("train incident") == (1, "", expected)


def test_status_lists_what_is_due_and_needs_nobody() -> None:
    code, out, err = run("status --at 2025-02-20")
    assert (code, err) == (0, "")
    assert out.endswith("no action needed\n")
    whole = json.loads(run("status --at 2025-02-20 --json")[1])
    assert (whole["problems"], whole["release"]["release"], whole["nightly"]["last"]) == ([], None, None)
    assert {o["contract"]: o["due"] for o in whole["obligations"]}["demo-lonn"] == "2025-02-17"


def test_the_columns_that_a_contract_ignores_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[4] / "schemas" / "contracts" / "demo-lonn.yml").read_text(encoding="utf-8")
    contracts = folder / "contracts"
    contracts.mkdir()
    for name, ignore in (("listed", "[remark, note]"), ("rest", "rest")):
        lines = [line for line in text.splitlines() if not line.startswith("ignore:")]
        changed = "\n".join([*lines, f"ignore: {ignore}"]).replace("contract: demo-lonn", f"contract: {name}")
        (contracts / f"{name}.yml").write_text(changed, encoding="utf-8")
    monkeypatch.setenv("ENGANG_CONTRACTS", str(contracts))
    for name, ignored in (("listed", ["remark", "note"]), ("rest", [])):
        code, out, _ = run(f"contracts show {name}")
        assert code == 0
        assert [line.split()[0] for line in out.splitlines() if line.endswith(" ignored")] == ignored
