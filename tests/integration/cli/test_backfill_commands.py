"""The commands `backfill` and `backfills`: asked about before anything is published, gone on with, listed, given up."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from flows.installation import Installation
from infra.checks import engine as checks
from infra.ledger import releases as ledger_releases
from infra.settings import DEMO_CODELISTS
from schemas.errors import StoreError, UsageError
from tests.support.backfill_installation import FILES, changed, nightly, opened, submit
from tests.support.killable_process import balanced


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Give an installation with one release, the environment's own."""
    monkeypatch.setattr(checks, "preload", lambda: None)
    monkeypatch.setattr(checks.TableCheck, "findings", lambda _: [])
    monkeypatch.setattr(checks, "check_release", balanced)
    made = opened(tmp_path / "home")
    for name in ("ENGANG_LEDGER", "ENGANG_KINDS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ENGANG_HOME", str(made.settings.home))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(made.settings.contracts))
    monkeypatch.setenv("ENGANG_CODELISTS", str(DEMO_CODELISTS))
    submit(made, FILES)
    nightly(made)
    return made


def run(*args: str, answer: str | None = None, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(args), input=answer, catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def number(home: Installation) -> int:
    last = ledger_releases.current_release(home.engine)
    assert last is not None
    return last["release"]


def test_it_asks_before_it_publishes_and_is_resumed(home: Installation) -> None:
    rules = str(changed(home))
    output = run("backfill", "-c", "folketall", "--rules", rules, answer="n\n", code=1)
    assert "backfill 1 would change release 1 as follows:" in output
    assert "5 submissions read again" in output
    assert "19 (single)" in output
    assert "nothing was published; publish it later: engang backfill --id 1" in output
    assert number(home) == 1
    assert "ready" in run("backfills")
    output = run("backfill", "--resume", answer="y\n")
    assert "release 2 published by backfill 1" in output
    assert "it changed exactly what its dry run found" in output
    assert number(home) == 2
    assert (home.settings.exports / "2").is_dir()
    assert "nothing to read again" in run("backfill", "-c", "folketall", "--rules", rules)
    (listed,) = json.loads(run("backfills", "list", "--json"))
    assert (listed["status"], listed["release"], listed["read"]) == ("published", 2, 5)


def test_json_and_no_question(home: Installation) -> None:
    rules = str(changed(home))
    tried = run("backfill", "-c", "folketall", "--rules", rules, "--dry-run", "--json")
    document = json.loads(tried[tried.index("{") : tried.rindex("}") + 1])
    assert (document["release"], document["changes"]) == (
        None,
        [{"table": "observations", "change": "changed", "items": 5}],
    )
    done = run("backfill", "--id", "1", "--yes", "--json")
    real = json.loads(done[done.index("{") : done.rindex("}") + 1])
    assert (real["release"], real["as_tried"], real["digest"]) == (2, True, document["digest"])


def test_one_that_is_given_up_and_what_cannot_be_asked(home: Installation) -> None:
    rules = str(changed(home))
    assert "no backfill yet" in run("backfills")
    run("backfill", "-c", "folketall", "--rules", rules, "--from", "2024-01-01", "--dry-run")
    assert "backfill 1 is discarded" in run("backfills", "discard", "1")
    with pytest.raises(UsageError, match="no backfill is unfinished"):
        run("backfill", "--resume")
    with pytest.raises(UsageError, match="name the contract to read again"):
        run("backfill")
    with pytest.raises(StoreError, match="backfill 7 is unknown"):
        run("backfills", "discard", "7")
    assert number(home) == 1
