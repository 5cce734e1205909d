"""The start of a child process: its module runs with its own arguments, tuned."""

import json
import subprocess
import sys

from tests.support.paths import ROOT


def test_a_module_runs_with_its_arguments_and_a_tuned_start() -> None:
    command = [sys.executable, "-P", "-m", "infra.child_start", "tests.support.child_facts", "3", "4"]
    printed = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=True).stdout
    facts = json.loads(printed)
    assert facts["arguments"] == ["3", "4"]
    assert facts["program"] == str(ROOT / "tests/support/child_facts.py")
    assert facts["collects_after"] > 700  # Python's default collects hundreds of times during the imports alone
    assert facts["plugins"] == "__all__"
