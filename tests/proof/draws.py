"""What senders do in the storm: small deliveries drawn by a seeded generator; see `small_deliveries`."""

import random

from tests.support.observation_deliveries import Row, Sent, Wrapping

FIGURES = ("0", "4", "5", "6", "10", "14", "15", "24,5", "-3") * 2 + ("5", "many", "", "1e400")
UNIT_NAMES = ("Nord AS", "NORD AS", "Nord  As", "Sør AS", "Sum")


def _row(chance: random.Random, contract: str) -> Row:
    unit = chance.choice(UNIT_NAMES if contract == "firma" else ("0301",) * 12 + ("1120", "Sum", "9999"))
    return Row(
        unit,
        chance.choice(("2024-01",) * 7 + ("2024-02",)),
        chance.choice("abc"),
        chance.choice(FIGURES),
        chance.choice(("", "0", "1", "5", "24,5")),
        chance.choice(("", "0", "-1", "1")),
        chance.choice(("", "1", "1", "2", "3")),
        chance.choice(("", "", "", "ny", "erstatt", "trekk")),
        chance.randrange(16) == 0,
    )


def wrapping(chance: random.Random) -> Wrapping:
    """Draw how a delivery is written."""
    return Wrapping(chance.randrange(10), *(chance.random() < 0.5 for _ in range(4)))


def sending(chance: random.Random) -> Sent:
    """Draw one delivery of a few rows about the same few items; most say one version and one action throughout."""
    contract = chance.choice(("melding", "melding", "rettelse", "samlet", "firma"))
    rows = [_row(chance, contract) for _ in range(chance.randint(1, 4))]
    if chance.randrange(4):
        rows = [row._replace(version=rows[0].version, action=rows[0].action) for row in rows]
    return Sent(contract, chance.choice(("anna", "berit")), tuple(rows), wrapping(chance))
