"""Which branch of survivorship decided a field: the rule, or the first column of the order that breaks its ties."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.support.mishap_frames import KIND, deliveries
from transforms.records.reasons import survival_branch

EARLY, LATE = datetime(2005, 1, 1), datetime(2005, 1, 2)


@pytest.mark.parametrize(
    ("field", "reports", "branch"),
    [
        ("case", [{}, {}], "none"),
        ("case", [{"case": "a"}, {}], "same"),
        ("case", [{"case": "a"}, {"case": "a"}], "same"),
        ("causes", [{"causes": ["a", "b"]}, {"causes": ["b", "a"]}], "same"),
        ("story", [{"story": "a"}, {"story": "b"}], "versions"),
        ("case", [{"case": "a"}, {"case": "b"}, {"case": "b"}], "rule"),  # most
        ("hurt", [{"hurt": 1}, {"hurt": 2}], "rule"),  # greatest
        ("cost", [{"cost": Decimal(1)}, {"cost": Decimal(2)}], "rule"),  # least
        ("place", [{"place": "Oslo S"}, {"place": "Oslo"}], "rule"),  # longest
        ("place", [{"place": "Oslo", "precedence": 1}, {"place": "Moss", "precedence": 2}], "precedence"),
        ("place", [{"place": "Oslo", "precedence": 1}, {"place": "Moss"}], "precedence"),
        ("place", [{"place": "Oslo", "reported_at": EARLY}, {"place": "Moss", "reported_at": LATE}], "reported_at"),
        ("place", [{"place": "Oslo"}, {"place": "Moss"}], "report_id"),
        ("case", [{"case": "a"}, {"case": "b"}], "report_id"),
        ("day", [{"day": EARLY.date(), "reported_at": LATE}, {"day": LATE.date(), "reported_at": EARLY}], "rule"),
        ("day", [{"day": EARLY.date()}, {"day": LATE.date()}], "report_id"),  # the rule's own time is missing in both
        ("day", [{"day": EARLY.date(), "precedence": 1}, {"day": LATE.date()}], "precedence"),
        ("day", [{"day": EARLY.date(), "reported_at": LATE}, {"day": LATE.date()}], "rule"),
        # the one without the rule's own time is behind both others
        ("day", [{"day": EARLY.date()}, {"day": LATE.date(), "reported_at": LATE, "precedence": 1},
                 {"day": datetime(2005, 1, 3).date(), "reported_at": LATE, "precedence": 2}], "precedence"),
        ("at", [{"at": EARLY, "reported_at": EARLY}, {"at": LATE, "reported_at": LATE}], "rule"),
    ],
)  # fmt: skip
def test_the_branch_is_the_first_thing_in_which_winner_and_rival_differ(
    field: str, reports: list[dict[str, Any]], branch: str
) -> None:
    for order in (reports, reports[::-1]):
        frame = deliveries([{"report_id": f"r{reports.index(r)}-{n}", **r} for n, r in enumerate(order)])
        assert survival_branch(frame, field, KIND.fields[field]) == branch
