"""The operator's pages are true: every command of their bash blocks runs, in order, as it says it ends."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Final

import psycopg
import pytest

from flows import pipeline as steps
from flows.installation import open_installation
from flows.intake.deliveries import make_delivery
from tests.support.cli_runner import engang
from tests.support.paths import ROOT

DEPLOY: Final = ROOT / "infra" / "deploy"
SQL: Final = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCK: Final = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ALARM: Final = re.compile(r"^    ([a-z-]+) = \{$", re.MULTILINE)


def ran(command: str) -> tuple[int, str]:
    """Run `engang ...` in this process, anything else in a shell; return its exit code and what it said."""
    if not command.startswith("engang "):
        done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr
    result = engang(*shlex.split(command)[1:])
    return result.code, result.out + result.err


def outputs_of(page: str, folder: Path, patch: pytest.MonkeyPatch) -> dict[str, str]:
    """Run the page's commands in a folder in which the demo was run; return what each said."""
    for name in re.findall(r"^\| `(ENGANG_\w+)` \|", (ROOT / "infra" / "README.md").read_text(), re.MULTILINE):
        patch.delenv(name, raising=False)
    outputs = {}
    with chdir(folder):
        shutil.copytree(ROOT / "schemas" / "contracts", "contracts")
        for line in "".join(BLOCK.findall((DEPLOY / page).read_text())).splitlines():
            command, _, remark = line.partition("  # ")
            if command.startswith("export "):
                patch.setenv(*command.removeprefix("export ").split("=", 1))
                continue
            promised = re.search(r"exit code (\d)", remark)
            code, outputs[command] = ran(command)
            assert code == (int(promised[1]) if promised else 0), f"{command}: {outputs[command]}"
    return outputs


@pytest.fixture
def demo_copy(demo_run: tuple[Path, str], tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo_run[0], tmp_path / "demo"))


def test_every_command_of_the_operators_page_runs(demo_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = outputs_of("README.md", demo_copy, monkeypatch)
    assert (
        "1 new objects, 1 received" in outputs["engang inbox poll --once --drain"]
        or "parked" in outputs["engang inbox list"]
    )
    assert "late" in outputs["engang status --at 2025-03-20"]
    assert "lonn.tsv" in outputs["engang inbox list"]
    dismissed = 'engang inbox dismiss 12 --why "delivered again under its right name"'
    assert "1 parked objects are dismissed" in outputs[dismissed]
    assert "lonn.tsv: dismissed by" in outputs["engang inbox list --all"]
    assert "ENGANG_QUEUE" in outputs["engang inbox redrive"]
    assert re.search(r"same +true", outputs["engang verify"])


def test_every_command_of_the_backfill_page_runs(demo_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = outputs_of("BACKFILL.md", demo_copy, monkeypatch)
    tried = outputs["engang backfill --contract demo-lonn --rules drafts/demo-lonn.yml --dry-run"]
    assert "staff_hours" in tried
    assert "it changed exactly what its dry run found" in outputs["engang backfill --id 2 --yes"]
    assert re.search(r"same +true", outputs["engang verify"])


def test_a_reader_of_the_ledger_needs_to_read_only(
    tmp_path: Path, new_postgresql: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_postgresql()
    database = url.partition("?")[0].rpartition("/")[2]
    (grants,) = SQL.findall((DEPLOY / "README.md").read_text())
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE ROLE engang LOGIN")
        admin.execute(f"ALTER DATABASE {database} OWNER TO engang".encode())
        monkeypatch.setenv("ENGANG_LEDGER", url.replace("postgres@", "engang@"))
        monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "home"))
        installation = open_installation()
        text = installation.contract("eiti-skatt").examples[0].given
        assert isinstance(text, str)
        list(
            steps.receive(
                installation,
                [make_delivery(installation, "a.csv", text.encode(), "eiti-skatt", sender=None, period="2009")],
            )
        )
        steps.nightly(installation)
        with psycopg.connect(url.replace("postgres@", "engang@"), autocommit=True) as owner:
            create, *grant = grants.strip().splitlines()
            admin.execute(create.encode())
            for line in grant:
                owner.execute(line.encode())
    monkeypatch.setenv("ENGANG_LEDGER", url.replace("postgres@", "reader@"))
    code, output = ran('engang query "SELECT count(*) AS items FROM observations" --format csv')
    assert (code, int(output.split()[-1]) > 0) == (0, True), output
    assert ran("engang releases")[0] == 0
    with (
        psycopg.connect(url.replace("postgres@", "reader@")) as reader,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        reader.execute("DELETE FROM releases")


def test_the_page_knows_every_alarm_and_every_command_it_names_exists() -> None:
    page = (DEPLOY / "README.md").read_text()
    alarms = ALARM.findall((DEPLOY / "terraform" / "alarms.tf").read_text())
    assert alarms
    assert [name for name in alarms if f"| `{name}` |" not in page] == []
    deployed = (DEPLOY / "compose.yaml").read_text()
    for command in ("prefect work-pool create engang --type process", "prefect --no-prompt deploy --all"):
        assert command in page
        assert command in deployed, "tests/flows/test_work_pool.py runs it so"
