"""What the proofs share with other tests lies beside them: small contracts and homes, the second account of the law."""

import sys
from pathlib import Path

for folder in ("integration", "properties"):
    sys.path.append(str(Path(__file__).parents[1] / folder))
