"""The sentence of `engang explain` follows from the branch of the law that decided, against a second account of it."""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.queries.observation_story import decision_text
from flows.queries.record_story import survival_text
from schemas.claims import CLAIM, frame_schema
from tests.support.mishap_frames import KIND, consolidate_deliveries, deliveries, of_items
from transforms.observations.consolidate import consolidate
from transforms.observations.reasons import deciding_branch
from transforms.records.reasons import survival_branch

lawful = settings(max_examples=80)
AT = datetime(2024, 1, 1)
PLAIN = {
    "obligation": "o", "sender": "s", "column": "c", "original": "", "reported_at": None, "version": None,
    "action": "append", "confidential": False, "concept": "k", "unit_id": "u", "period_start": date(2024, 1, 1),
    "period_end": date(2025, 1, 1), "breakdown": "{}", "unit_measure": "persons", "obs_status": "A",
    "unit_kind": "other", "unit_code": None, "unit_name": "U", "position": 0, "lead": True, "item_id": "i",
    "slot_id": None, "partition": "2024-01",
}  # fmt: skip


class Said(NamedTuple):
    """One claim, or some lines whose sum is one: value, decimals, precedence, reporter."""

    lines: tuple[int, ...]
    decimals: int | None
    precedence: int | None
    reporter: str

    @property
    def value(self) -> int:
        """The figure."""
        return sum(self.lines)

    @property
    def additive(self) -> bool:
        """Whether its lines are summed: a single one may be, too."""
        return len(self.lines) > 1 or self.value % 2 == 0

    @property
    def ends(self) -> tuple[Fraction, Fraction]:
        """The interval."""
        half = Fraction(0) if self.decimals is None else len(self.lines) * Fraction(10) ** -self.decimals / 2
        return self.value - half, self.value + half

    @property
    def accuracy(self) -> tuple[int | None, Fraction]:
        """The accuracy: that of a sum is that of its lines together."""
        return self.decimals, self.ends[1] - self.ends[0]


said = st.builds(
    Said,
    st.lists(st.integers(0, 12), min_size=1, max_size=3).map(tuple) | st.just((100,)),
    st.sampled_from((None, None, 0, -1)),
    st.sampled_from((None, 1, 1, 2)),
    st.sampled_from("ab"),
)


def agree(claims: Sequence[Said]) -> str:
    """Say how claims agree: complete, consistent or conflict."""
    if len({(c.value, c.accuracy) for c in claims}) == 1:
        return "complete"
    same = len({(c.value, c.accuracy) for c in claims}) == len({c.accuracy for c in claims})
    overlap = max(c.ends[0] for c in claims) <= min(c.ends[1] for c in claims)
    return "consistent" if same and overlap else "conflict"


def pattern(claims: Sequence[Said]) -> str:
    """Return a pattern of what may be stated about the claims of one item."""
    if len(claims) == 1:
        return "One claim, the sum of .* so its value" if len(claims[0].lines) > 1 else "One claim, so its value"
    found = agree(claims)
    if found != "conflict":
        return {"complete": "the same value and accuracy: complete", "consistent": "agree within .* most acc"}[found]
    ranks = [c.precedence for c in claims if c.precedence is not None]
    if not ranks:
        return "conflict and no contract declares precedence: withheld"
    first = [c for c in claims if c.precedence == min(ranks)]
    if len(first) == 1:
        return rf"conflict: the one that its contract ranks first \(precedence {min(ranks)}\) is published"
    among = f"the {len(first)} that are ranked first .precedence {min(ranks)}."
    return {
        "complete": f"conflict: {among} have the same value and accuracy, which is published",
        "consistent": f"conflict: {among} agree within their accuracy, and the most accurate of them is published",
        "conflict": f"conflict, also {among}: withheld",
    }[agree(first)]


def frame(claims: Sequence[Said]) -> pl.DataFrame:
    """Return claims of one item as the law reads them; each delivery is another contract's, so none corrects any."""
    rows = [
        PLAIN
        | {"submission_id": f"s{n}", "contract": f"c{n}", "reported_by": claim.reporter, "row": row, "value": line}
        | {"decimals": claim.decimals, "precedence": claim.precedence, "additive": claim.additive}
        | {"arrival": AT + timedelta(n), "stream": n}
        for n, claim in enumerate(claims)
        for row, line in enumerate(claim.lines, 2)
    ]
    types: dict[str, Any] = {**frame_schema(CLAIM), "arrival": pl.Datetime("us"), "stream": pl.UInt32}
    return pl.DataFrame(rows, schema=types)


def explained(claims: Sequence[Said]) -> tuple[str, dict[str, object]]:
    """Return the sentence on an item, and the item."""
    done = consolidate(frame(claims))
    (observation,) = done.observations.to_dicts()
    return decision_text(deciding_branch(observation, done.sources, done.conflicts)), observation


@lawful
@given(st.lists(said, min_size=1, max_size=5))
def test_the_reason_given_is_the_branch_that_decided(claims: list[Said]) -> None:
    sentence, observation = explained(claims)
    assert re.search(pattern(claims), sentence), sentence
    assert ("withheld" in sentence) == (observation["value"] is None)
    if len(claims) > 1:
        reporters = len({c.reporter for c in claims})
        by = f"{reporters} reporter{'' if reporters == 1 else 's'} "
        assert sentence.startswith(f"{len(claims)} claims by {by}"), sentence


def test_a_tie_in_precedence_is_no_lack_of_precedence() -> None:
    tied = [Said((1,), None, 1, "a"), Said((9,), None, 1, "b"), Said((5,), None, None, "a")]
    assert explained(tied)[0] == (
        "3 claims by 2 reporters conflict, also the 2 that are ranked first (precedence 1): withheld."
    )
    assert explained([*tied[:1], *tied[2:]])[0] == (
        "2 claims by 1 reporter conflict: the one that its contract ranks first (precedence 1) is published."
    )


# Records

REPORT = st.fixed_dictionaries(
    {},
    optional={
        "place": st.sampled_from(["Oslo", "Bergen", "Vik", "Ås"]),
        "day": st.sampled_from([date(2005, 1, 1), date(2005, 1, 2)]),
        "at": st.sampled_from([AT, AT + timedelta(hours=1)]),
        "speed": st.sampled_from([1, 2, 9]),
        "hurt": st.integers(0, 2),
        "cost": st.integers(0, 2),
        "causes": st.sampled_from([["a"], ["a", "b"], ["b", "a"]]),
        "story": st.sampled_from(["one", "two"]),
        "precedence": st.integers(1, 2),
        "reported_at": st.sampled_from([AT, AT + timedelta(1)]),
    },
)
LAST = 10**9
"""After everything that has a value."""


def measure(rule: str, report: dict[str, Any], values: list[Any], value: Any) -> Any:
    """Return by what a rule ranks a value of a report, the least first."""
    at = report.get("reported_at")
    if rule in {"first", "last"}:
        return LAST if at is None else (at - AT).days * (1 if rule == "first" else -1)
    if rule == "longest":
        return -len(value)
    return -values.count(value) if rule == "most" else value * (1 if rule == "least" else -1)


def survival(reports: list[dict[str, Any]], name: str) -> str:
    """Say by which key the published value went before the next one that differs."""
    given_values = [
        (r, "".join(sorted(v)) if isinstance(v, list) else v) for r in reports if (v := r.get(name)) is not None
    ]
    values = [value for _, value in given_values]
    if len(set(values)) < 2:
        return "same" if values else "none"
    spec = KIND.fields[name]
    if spec.role == "text":
        return "versions"
    keys = [
        (
            measure(spec.survives, r, values, v), r.get("precedence", LAST),
            (r["reported_at"] - AT).days if "reported_at" in r else LAST, r["report_id"], v,
        )
        for r, v in given_values
    ]  # fmt: skip
    winner = min(keys)
    rival = min(key for key in keys if key[-1] != winner[-1])
    place = next(n for n, (mine, other) in enumerate(zip(winner, rival, strict=True)) if mine != other)
    return ("rule", "precedence", "reported_at", "report_id")[place]


@lawful
@given(st.lists(REPORT, min_size=1, max_size=5))
def test_the_reason_given_for_a_field_is_what_decided(given_reports: list[dict[str, Any]]) -> None:
    reports = [{"report_id": f"r{n}", **each} for n, each in enumerate(given_reports)]
    frame = deliveries(reports)
    (item,) = consolidate_deliveries(
        frame, of_items(frame, **{r["report_id"]: "x" for r in reports}), KIND
    ).items.to_dicts()
    for name in ("place", "day", "at", "speed", "hurt", "cost", "causes", "story"):
        spec, branch = KIND.fields[name], survival_branch(frame, name, KIND.fields[name])
        assert branch == survival(reports, name), name
        assert (branch == "none") == (item[name] is None)
        if branch in {"rule", "precedence", "reported_at", "report_id"}:
            assert ("equal" in survival_text(spec, branch)) <= (branch != "rule")


def test_two_reports_that_differ_are_no_majority() -> None:
    two = deliveries([{"speed": 1}, {"speed": 2}])
    speed = KIND.fields["speed"]
    assert survival_text(speed, survival_branch(two, "speed", speed)) == (
        "of the values that equally many reports say the one whose report has the least id"
    )
    three = deliveries([{"speed": 1}, {"speed": 2}, {"speed": 2}])
    assert survival_text(speed, survival_branch(three, "speed", speed)) == "what most reports say"
