"""What every unit test finds: logging as it is where no command has set it up."""

import logging

import pytest

from infra.telemetry import SERVICE_NAME


@pytest.fixture(autouse=True)
def _plain_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is logged reach pytest: a test before it, in this process, may have set up logging for a command."""
    root = logging.getLogger(SERVICE_NAME)
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "propagate", True)
    root.setLevel(logging.NOTSET)
