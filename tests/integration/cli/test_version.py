"""`engang --version` prints the version that is installed."""

from importlib.metadata import version

from tests.support.cli_runner import engang


def test_the_version_is_printed() -> None:
    result = engang("--version")
    assert (result.code, result.out) == (0, f"engang {version('engang')}\n")
