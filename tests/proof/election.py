"""The election's deliveries of 2021 as they lie, and what they say by plain reading: no part of the product is used."""

import json
import tarfile
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from tests.support.paths import DATA

FILES = DATA / "valg" / "deliveries-2021.tar.xz"
LEVELS = {"land": "nation", "fylke": "electoral_district", "kommune": "municipality"}


class Count(NamedTuple):
    """One delivery: its name, its bytes, and the count of one unit at one moment."""

    name: str
    data: bytes
    unit: tuple[str, str]
    generated: str
    votes: dict[str, int]


def counts() -> list[Count]:
    """Return every delivery, in order of name."""
    with tarfile.open(FILES) as archive:
        members = sorted((m for m in archive.getmembers() if m.isfile()), key=lambda m: m.name)
        return [_read(m.name, file.read()) for m in members if (file := archive.extractfile(m)) is not None]


def _read(name: str, data: bytes) -> Count:
    document = json.loads(data)
    votes = {p["id"]["partikode"]: p["stemmer"]["resultat"]["antall"]["total"] for p in document["partier"]}
    unit = LEVELS[document["id"]["nivaa"]], document["id"]["nr"]
    return Count("__".join(name.split("/")[-2:]), data, unit, document["tidspunkt"]["rapportGenerert"], votes)


def party_sums(known: Iterable[Count]) -> dict[tuple[str, str], int]:
    """Return votes by level and party: of each unit its newest count says how many, and nothing else does."""
    newest: dict[tuple[str, str], Count] = {}
    for count in known:
        current = newest.get(count.unit)
        if current is None or count.generated > current.generated:
            newest[count.unit] = count
        else:
            assert count.generated != current.generated or count.votes == current.votes, "two counts of one moment"
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for count in newest.values():
        for party, votes in count.votes.items():
            sums[count.unit[0], party] += votes
    return dict(sums)
