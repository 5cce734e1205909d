"""`engang receipt`: what it shows, what its files prove to who has nothing but Python, and what they give away."""

import ast
import json
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from flows.intake.registration import receive
from flows.receipts import offline
from flows.receipts.receipt import ReceiptRequest, submission_receipt, tree_extension
from flows.release.build import night
from infra.ledger.submissions import read_submissions
from tests.support.cli_runner import engang
from tests.support.paths import CONTRACTS, ROOT
from tests.support.small_installation import open_small
from transforms.receipts.leaves import leaf_text

pytestmark = pytest.mark.usefixtures("unchecked")
OFFLINE = ROOT / "flows" / "receipts" / "offline.py"
HEADER = "kommune;dag;gruppe;antall;merknad\n"
OPEN = HEADER + "0301;01.01.2024;alle;709037;\n1120;01.01.2024;alle;20005;\n1121;01.01.2024;alle;7;\n9998;x;alle;1;\n"
OTHER = HEADER + "0301;01.01.2024;alle;709037;\n1120;01.01.2024;alle;20006;\n"
SECRET = HEADER + "0301;01.01.2024;alle;709038;x\n1121;01.01.2024;alle;7;\n"
CLOSED_VALUE = "424242"
CLOSED = HEADER + f"0301;01.01.2024;alle;{CLOSED_VALUE};\n"
MARKED = "    reported_by: {option: sender}\n    confidential: {column: merknad, map: {'': 'false', x: 'true'}}\n"


def contracts(folder: Path) -> Path:
    """Write three contracts that ask for the same: one shared with all, one with marked values, one with nobody."""
    text = (CONTRACTS / "folketall.yml").read_text()
    marked = text.replace("ignore: [merknad]\n", "").replace("    reported_by: {option: sender}\n", MARKED)
    folder.mkdir()
    (folder / "folketall.yml").write_text(text)
    (folder / "merket.yml").write_text(renamed(marked, "merket"))
    (folder / "lukket.yml").write_text(renamed(text, "lukket") + "may_share: none\n")
    return folder


def renamed(text: str, name: str) -> str:
    return text.replace("contract: folketall", f"contract: {name}").replace(
        "obligation: folketall", f"obligation: {name}"
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Make a home of two releases: the other contracts' deliveries are in the second."""
    folder = tmp_path_factory.mktemp("receipts")
    home = open_small(folder / "home", contracts(folder / "contracts"))
    for files in ([("a.csv", OPEN, "folketall", "en")], [
        ("b.csv", OTHER, "folketall", "to"), ("c.csv", SECRET, "merket", "tre"), ("d.csv", CLOSED, "lukket", "fire"),
    ]):  # fmt: skip
        sent = [make_delivery(home, n, text.encode(), c, sender=s, period=None) for n, text, c, s in files]
        assert {r.status for batch in receive(home, sent) for r in batch} == {"registered"}
        night(home)
    return home


@pytest.fixture(autouse=True)
def _here(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(home.settings.home))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(home.settings.contracts))


@pytest.fixture(scope="module")
def ids(home: Installation) -> dict[str, str]:
    """Give sender -> submission."""
    return dict(read_submissions(home.engine, columns=["sender", "submission_id"]).iter_rows())


def shown(home: Installation, submission: str, **how: Any) -> dict[str, Any]:
    return submission_receipt(home, ReceiptRequest(submission, **how))


def test_a_receipt_shows_who_agrees_and_who_contradicts_where_that_is_shared(home: Installation, ids: Any) -> None:
    rows = {row["row"]: row for row in shown(home, ids["en"])["rows"]}
    assert {number: row["bucket"] for number, row in rows.items()} == {
        2: "conflict", 3: "conflict", 4: "published", 5: "rejected",
    }  # fmt: skip
    (oslo,), (klepp,), (stavanger,) = (rows[number]["items"] for number in (2, 3, 4))
    to = {"contract": "folketall", "sender": "to", "reported_by": "to"}
    assert (oslo["agrees"], oslo["contradicts"], oslo["not_shown"]) == ([to], [], 2)
    assert (klepp["agrees"], klepp["contradicts"], klepp["not_shown"]) == ([], [to], 0)
    tre = {"contract": "merket", "sender": "tre", "reported_by": "tre"}
    assert (stavanger["agrees"], stavanger["concept"], stavanger["not_shown"]) == ([tre], "population", 0)
    assert rows[5]["items"] == []
    (before,) = shown(home, ids["en"], release=1, row=3)["rows"]
    assert (before["bucket"], before["items"][0]["contradicts"]) == ("published", [])


def test_a_marked_value_is_compared_for_its_own_sender_alone(home: Installation, ids: Any) -> None:
    oslo, other = (row["items"][0] for row in shown(home, ids["tre"])["rows"])
    assert [(speaker["sender"], oslo["not_shown"]) for speaker in oslo["contradicts"]] == [("en", 1), ("to", 1)]
    assert ([speaker["sender"] for speaker in other["agrees"]], other["not_shown"]) == (["en"], 0)


def test_nothing_that_is_withheld_can_be_read_off_a_receipt(ids: Any, tmp_path: Path) -> None:
    engang("receipt", ids["en"], "--out", tmp_path / "r.json", "--since", "1")
    text = (tmp_path / "r.json").read_text()
    assert not {"709038", CLOSED_VALUE, "lukket", "fire", ids["fire"], ids["tre"]} & set(re.findall(r"\w+", text))
    assert not re.search("709037|20005|20006", text), "no value at all"
    receipt = json.loads(text)
    nodes = {node for leaf in receipt["leaves"] for node in leaf["path"]} | set(receipt["earlier"]["path"])
    assert nodes, "some of them are leaves of others"
    bucket_lists = [[], *([(2, "".join(letters))] for n in (1, 2) for letters in product("PDASWCRI", repeat=n))]
    for sender, rows in product(("to", "tre", "fire"), bucket_lists):
        counts = {}
        for letter in rows[0][1] if rows else "":
            name = offline.BUCKET_BY_LETTER[letter]
            counts[name] = counts.get(name, 0) + 1
        for nonce in ("", "00" * 32, json.loads(receipt["leaves"][0]["leaf"])["nonce"]):
            guess = leaf_text(
                ids[sender], 2, nonce=nonce, previous=None, whole=True, rest=None, rows=rows, buckets=counts
            )
            assert sha256(b"\x00" + guess.encode()).hexdigest() not in nodes, "a leaf cannot be guessed"


def test_the_guess_above_would_find_a_leaf_without_a_nonce(home: Installation, ids: Any) -> None:
    (leaf,) = shown(home, ids["to"])["leaves"]
    nonce = json.loads(leaf["leaf"])["nonce"]
    buckets = {"conflict": 2}
    guess = leaf_text(
        ids["to"], 2, nonce=nonce, previous=None, whole=True, rest=None, rows=[(2, "CC")], buckets=buckets
    )
    assert guess == leaf["leaf"]


def run_offline(file: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a copy of the offline check in a process that cannot import anything of Engang."""
    copy = shutil.copy(OFFLINE, tmp_path / "check.py")
    return subprocess.run([sys.executable, "-I", copy, file], capture_output=True, text=True, cwd=tmp_path, check=False)


def test_the_offline_check_needs_nothing_of_engang(ids: Any, tmp_path: Path) -> None:
    tree = ast.parse(OFFLINE.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) == {"cryptography"}
    file = tmp_path / "r.json"
    assert engang("receipt", ids["en"], "--since", "1", "--out", file).code == 0
    done = run_offline(file, tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["rows"]["3"], found["submission"], found["head"]["release"]) == ("conflict", ids["en"], 2)
    file.write_text(file.read_text().replace("CC", "PC"))
    assert "NOT PROVED: leaf" in run_offline(file, tmp_path).stderr


def test_a_receipt_of_which_any_byte_was_changed_proves_nothing(home: Installation, ids: Any) -> None:
    receipt = shown(home, ids["en"], since=1)
    proof = {name: receipt[name] for name in ("head", "leaves", "earlier")}
    text, proved = json.dumps(proof), offline.check_receipt(proof)
    for at, character in enumerate(text):
        changed = f"{text[:at]}{chr(ord(character) ^ 1)}{text[at + 1 :]}"
        try:
            read = json.loads(changed)
            found = offline.check_receipt(read)
        except Exception:  # noqa: BLE001, S112  # whatever it is, it is no proof
            continue
        assert read.get("earlier", proof["earlier"]) == proof["earlier"], "what proves is what was written"
        assert found == proved


def test_leaves_cannot_be_left_out_or_exchanged(home: Installation, ids: Any) -> None:
    receipt, other = shown(home, ids["en"]), shown(home, ids["to"])
    assert len(receipt["leaves"]) == 2
    with pytest.raises(ValueError, match="does not follow"):
        offline.check_receipt({**receipt, "leaves": receipt["leaves"][1:]})
    with pytest.raises(ValueError, match="does not follow"):
        offline.check_receipt({**receipt, "leaves": [*receipt["leaves"], *other["leaves"]]})
    with pytest.raises(ValueError, match="is not in the tree"):
        offline.check_receipt({**receipt, "leaves": [{**receipt["leaves"][0], "leaf": other["leaves"][0]["leaf"]}]})


def test_the_command_lists_some_rows_and_counts_all(ids: Any) -> None:
    text = engang("receipt", ids["en"])
    assert (text.code, text.err) == (0, "")
    assert "release 2: of 4 rows 2 conflict, 1 published, 1 rejected" in text.out
    assert re.search(r"^ +3  conflict +[0-9a-f]{24}  population +to \(folketall\)$", text.out, re.MULTILINE)
    assert "listed" not in text.out
    assert engang("receipt", "show", ids["en"]).out == text.out
    only = engang("receipt", ids["en"], "--row", "3", "--json").json
    assert [row["row"] for row in only["rows"]] == [3]
    assert engang("receipt", ids["fire"], "--row", "9").code == 2
    assert engang("receipt", "0" * 20).code == 2
    assert "no submission" in engang("receipt", "nothing").err


def test_a_long_receipt_is_bounded(home: Installation, tmp_path: Path) -> None:
    rows = "".join(f"0301;01.01.2024;g{n};{n};\n" for n in range(50))
    moved = open_small(Path(shutil.copytree(home.settings.home, tmp_path / "home")), Path(str(home.settings.contracts)))
    list(
        receive(
            moved, [make_delivery(moved, "l.csv", (HEADER + rows).encode(), "folketall", sender="fem", period=None)]
        )
    )
    submission = read_submissions(moved.engine, sender="fem")["submission_id"].item()
    with pytest.raises(Exception, match="waits for `engang nightly`"):
        shown(moved, submission)
    night(moved)
    assert len(shown(moved, submission)["rows"]) == 20
    assert len(shown(moved, submission, every=True)["rows"]) == 50
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGANG_HOME", str(moved.settings.home))
        assert "20 of 50 rows are listed: --all lists all, --row N one" in engang("receipt", submission).out


def test_verify_needs_no_installation_and_says_what_is_wrong(ids: Any, tmp_path: Path, monkeypatch: Any) -> None:
    file = tmp_path / "r.json"
    assert engang("receipt", ids["en"], "--out", file).code == 0
    monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "nowhere"))
    good = engang("receipt", "verify", file)
    assert (good.code, good.out.startswith("proved: release 2 has a tree of 5 leaves, root ")) == (0, True)
    assert not (tmp_path / "nowhere").exists()
    receipt = json.loads(file.read_text())
    receipt["head"]["signature"] = "00" * 64
    file.write_text(json.dumps(receipt))
    bad = engang("receipt", "verify", file)
    assert (bad.code, bad.out) == (1, "not proved: the signature is not good\n")
    assert engang("receipt", "verify", file, "--json").json == {"proved": False, "problem": "the signature is not good"}
    for text in ("{}", "[]", '{"head": 1}', '{"head": {"public_key": 3, "signature": "", "head": ""}}'):
        file.write_text(text)
        assert engang("receipt", "verify", file).code == 1
    file.write_text("no JSON")
    assert engang("receipt", "verify", file).code == 2


def test_heads_and_extensions_are_published(home: Installation, tmp_path: Path) -> None:
    heads = engang("receipt", "heads", "--json").json
    assert [(head["release"], head["size"]) for head in heads] == [(1, 1), (2, 5)]
    assert len({head["public_key"] for head in heads}) == 1
    assert heads[0]["public_key"] in engang("receipt", "heads").out
    file = tmp_path / "e.json"
    assert engang("receipt", "extends", "1", "--out", file).code == 0
    assert engang("receipt", "verify", file, "--json").json["head"]["root"] == heads[1]["root"]
    assert engang("receipt", "extends", "1", "--json").json == json.loads(file.read_text())
    assert engang("receipt", "extends", "2", "--release", "1").code == 2
    proof = tree_extension(home, 1, None)
    with pytest.raises(ValueError, match="extend"):
        offline.check_receipt({**proof, "earlier": {**proof["earlier"], "head": proof["head"]}})


def test_an_export_has_the_head_and_its_key(tmp_path: Path) -> None:
    assert engang("export", "--to", tmp_path / "out").code == 0
    head = json.loads((tmp_path / "out" / "release.json").read_text())["tree_head"]
    assert offline.read_head(head)["release"] == 2
    assert set(head) == {"head", "signature", "public_key"}
