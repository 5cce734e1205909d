"""The tests: `support` holds every helper of theirs."""

from tests.support import swiftness

swiftness.share_processors()  # before anything imports Polars
