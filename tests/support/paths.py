"""Where things lie: the repository, the contracts of the tests, and real data next to the repository."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CONTRACTS: Final = ROOT / "tests" / "support" / "contracts"
DATA: Final = ROOT.parent / "shared" / "data"
"""Real deliveries, which need not be there: tests that read them are marked `real` and skipped without them."""
