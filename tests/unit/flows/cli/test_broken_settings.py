"""What a command answers where a setting names nothing that is there: where that is, and no secret."""

import json
from pathlib import Path

import pytest

from tests.support.cli_runner import engang

HIDDEN = "S3cret"
SAFE = "then run it again. Everything received or published before is safe"


@pytest.fixture(autouse=True)
def _files(folder: Path) -> None:
    (folder / "file").write_text("x", encoding="utf-8")
    (folder / "bad.db").write_bytes(b"no database" * 100)
    contracts = {"bad": b"contract: [", "latin": b"agency: \xe5", "other": b"contract: another"}
    for name, content in contracts.items():
        (folder / name).mkdir()
        (folder / name / "form.yml").write_bytes(content)
    (folder / "folders" / "form.yml").mkdir(parents=True)


@pytest.mark.parametrize(
    ("name", "value", "code", "message"),
    [
        ("HOME", "file", 1, "file: File exists; check what is at that path, "),
        ("HOME", "file/below", 1, "file/below: Not a directory; check what is at that path, "),
        ("LEDGER", "sqlite:///bad.db", 1, "the ledger sqlite:///bad.db cannot be opened: file is not a database"),
        ("LEDGER", "sqlite:///plain", 1, "the ledger sqlite:///plain cannot be opened: unable to open database file"),
        ("LEDGER", f"mysql://a:{HIDDEN}@b/c", 1, "no ledger in mysql: expected sqlite:///<file> or postgresql://..."),
        ("LEDGER", "sqlite://", 1, "no ledger in sqlite: expected sqlite:///<file> or postgresql://..."),
        ("LEDGER", "sqlite:///:memory:", 1, "no ledger in sqlite: expected"),
        ("LEDGER", "ledger", 1, "ENGANG_LEDGER is no database URL: expected sqlite:///<file> or postgresql://..."),
        ("LEDGER", f"postgresql://a:{HIDDEN}@b:c/d", 1, "ENGANG_LEDGER is no database URL: expected"),
        ("LEDGER", f"postgresql://a:{HIDDEN}@127.0.0.1:1/d", 1, "the ledger postgresql+psycopg://a:***@127.0.0.1:1/d"),
        ("LAKE", "a=b", 2, "a=b': no lake can be kept at this path: found '=' in it, expected no control character"),
        ("KINDS", "bad", 1, "form.yml: not YAML: while parsing a flow node"),
        ("KINDS", "latin", 1, "form.yml: not UTF-8: "),
        ("KINDS", "folders", 1, "form.yml: cannot be read: Is a directory"),
        ("VOCABULARY", "absent", 1, "absent: expected a folder of vocabulary files: check ENGANG_VOCABULARY"),
        ("VOCABULARY", "file", 1, "file: expected a folder of vocabulary files: check ENGANG_VOCABULARY"),
        ("VOCABULARY", "bad", 1, "form.yml: not YAML: "),
        ("VOCABULARY", "latin", 1, "form.yml: not UTF-8: "),
        ("VOCABULARY", "folders", 1, "form.yml: cannot be read: Is a directory"),
        ("MAX_FILE_BYTES", "5G", 2, "ENGANG_MAX_FILE_BYTES: found '5G', expected a whole number below 10^18"),
        ("LOG", "xml", 2, "ENGANG_LOG: found 'xml', expected json or text"),
        ("WEBHOOK", f"https://[::1/{HIDDEN}", 2, "ENGANG_WEBHOOK: found a host or port that there cannot be, expected"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    name: str, value: str, code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ENGANG_{name}", value)
    ran = engang("status")
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("engang: ")
    assert message in ran.err
    assert HIDDEN not in ran.err
    assert "a fault of Engang's" not in ran.err


@pytest.mark.parametrize("folder_name", ["absent", "file", "plain"])
@pytest.mark.parametrize(("name", "what"), [("CONTRACTS", "contract"), ("KINDS", "record kind")])
def test_a_folder_that_has_none_of_what_it_is_for_is_a_problem_of_the_status(
    folder_name: str, name: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ENGANG_{name}", folder_name)
    ran = engang("status", "--json")
    assert ran.code == 1
    assert f"ENGANG_{name}: {folder_name} holds no {what}: expected files NAME.yml" in json.loads(ran.out)["problems"]


@pytest.mark.parametrize(
    ("folder_name", "why"),
    [
        ("bad", "form.yml: not YAML: while parsing a flow node"),
        ("latin", "form.yml: not UTF-8: "),
        ("folders", "form.yml: cannot be read: Is a directory"),
        ("other", "form.yml: version: Field required"),
    ],
)
def test_a_contract_that_cannot_be_read_costs_itself_alone(
    folder: Path, folder_name: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = Path(__file__).parents[4] / "schemas" / "contracts" / "demo-lonn.yml"
    (folder / folder_name / "demo-lonn.yml").write_bytes(shipped.read_bytes())
    monkeypatch.setenv("ENGANG_CONTRACTS", folder_name)
    listed = engang("contracts", "--json")
    assert (listed.code, [row["contract"] for row in listed.json]) == (1, ["demo-lonn", "form"])
    assert why in listed.json[1]["problem"]
    assert f"contract form cannot be used: {why}" in engang("contracts").out
    asked = engang("check", "table.csv", "-c", "form")
    assert (asked.code, asked.out) == (1, "")
    assert asked.err.startswith(f"engang: contract 'form' cannot be used: {why}")
    assert engang("contracts", "show", "demo-lonn").code == 0


def test_a_contract_that_cannot_be_opened_costs_itself_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bad" / "form.yml").unlink()
    (folder / "bad" / "form.yml").symlink_to("form.yml")
    monkeypatch.setenv("ENGANG_CONTRACTS", "bad")
    assert engang("contracts", "--json").json == [
        {"contract": "form", "problem": "form.yml: cannot be read: Too many levels of symbolic links"}
    ]


@pytest.mark.parametrize(
    ("name", "command", "message"),
    [
        ("ARRIVALS", ("inbox", "poll", "--once"), "file: cannot be read; give this user the right to read it"),
        ("LANDING", ("submit", "table.csv", "-c", "demo-lonn"), "file: '.engang-probe/"),
    ],
)
def test_a_file_where_a_folder_is_expected_is_named(
    name: str, command: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ENGANG_{name}", "file")
    ran = engang(*command)
    assert ran.code == 1
    assert message in ran.err
