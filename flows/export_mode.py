"""Whether a night also writes its release as plain Parquet."""

from typing import Literal, TypeAlias

ExportMode: TypeAlias = Literal["auto", "always", "never"]
"""auto: for a release of up to a million items (`flows.release.export.AUTO_ITEMS`)."""
