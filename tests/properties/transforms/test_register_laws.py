from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RegisterError
from transforms.register.build import build_register
from transforms.register.lookup import Register, resolve_units

CODES = ("01", "02", "03", "04", "05", "06")
FIRST, YEARS = 1900, 8
DAYS = [date(year, *day) for year in range(FIRST - 1, FIRST + YEARS + 2) for day in ((1, 1), (7, 1), (12, 31))]
FIELDS = ("code", "name", "valid_from", "valid_to")
SCHEMA = {"code": pl.String, "name": pl.String, "valid_from": pl.Date, "valid_to": pl.Date}


@dataclass(eq=False)
class Link:
    """A validity of the model: `unit` is the id that the register should give it."""

    code: str
    name: str
    valid_from: date
    unit: str
    valid_to: date | None = None

    def row(self) -> tuple[str, str, date, date | None]:
        """Return the link as a list tells it."""
        return self.code, self.name, self.valid_from, self.valid_to


@dataclass
class History:
    """What has happened so far: every link there was, and the changes between them."""

    links: list[Link] = field(default_factory=list)
    changes: list[tuple[Link, Link]] = field(default_factory=list)

    def begin(self, code: str, day: date, unit: str | None = None) -> Link:
        """Begin a link: of the unit given, else of a new one."""
        link = Link(code, f"{code} of {day}", day, unit or f"municipality:{code}@{day}")
        self.links.append(link)
        return link

    def change(self, olds: list[Link], codes: list[str], day: date) -> None:
        """End some links and begin others, each of which takes from all that end."""
        one_to_one = len(olds) == len(codes) == 1
        news = [self.begin(code, day, olds[0].unit if one_to_one else None) for code in codes]
        for old in olds:
            old.valid_to = day
            self.changes += [(old, new) for new in news]

    def register(self) -> Register:
        """Build the register from the rows."""
        sides = ("old", "new")
        rows = [(*old.row(), *new.row()) for old, new in self.changes]
        schema = {f"{side}_{name}": SCHEMA[name] for side in sides for name in FIELDS}
        kind = pl.lit("municipality").alias("kind")
        units = pl.DataFrame([link.row() for link in self.links], schema=SCHEMA, orient="row").with_columns(kind)
        return build_register(units, pl.DataFrame(rows, schema=schema, orient="row").with_columns(kind))


@st.composite
def histories(draw: Callable[..., object]) -> History:
    history = History()
    for code in draw(st.lists(st.sampled_from(CODES), min_size=1, max_size=4, unique=True)):
        history.begin(code, date(FIRST, 1, 1))
    for year in range(FIRST + 1, FIRST + 1 + draw(st.integers(0, YEARS))):
        day = date(year, 1, 1)
        changing = [link for link in history.links if link.valid_to is None and draw(st.booleans())]
        # What a changing unit leaves may be taken by another one on the same day: codes are swapped and reused.
        current = {link.code for link in history.links if link.valid_to is None and link not in changing}
        free = draw(st.permutations([code for code in CODES if code not in current]))
        while changing and free:
            olds = [changing.pop() for _ in range(draw(st.integers(1, min(3, len(changing)))))]
            # A unit that changes needs a code, so no change takes more than leaves one for each that waits.
            room = max(1, min(3, len(free) - len(changing)))
            codes = [free.pop() for _ in range(draw(st.integers(1, room)))]
            history.change(olds, codes, day)
    return history


def at_every_day(register: Register) -> pl.DataFrame:
    keys = pl.DataFrame({"code": CODES}).join(pl.DataFrame({"date": DAYS}), how="cross")
    asked = keys.select(pl.lit("municipality").alias("kind"), pl.lit("code").alias("by"), key="code", date="date")
    return resolve_units(register, asked)


@settings(max_examples=60)
@given(histories())
def test_every_code_on_every_day_is_the_one_unit_of_the_history_or_says_why(history: History) -> None:
    found = at_every_day(history.register())
    expected = [
        next((n.unit for n in history.links if n.code == code and n.valid_from <= day < (n.valid_to or date.max)), None)
        for code in CODES
        for day in DAYS
    ]
    assert found["unit_id"].to_list() == expected
    assert (found["unit_id"].is_null() == found["reason"].is_not_null()).all()
    assert found.filter(pl.col("reason") == "ambiguous-unit").height == 0 or any(
        sum(old is link for old, _ in history.changes) > 1 for link in history.links
    )


@settings(max_examples=40)
@given(st.lists(st.sampled_from(CODES), min_size=2, max_size=40))
def test_chain_of_one_to_one_changes_is_one_unit(codes: list[str]) -> None:
    history = History()
    history.begin(codes[0], date(FIRST, 1, 1))
    for years, code in enumerate(codes[1:], start=1):
        history.change([history.links[-1]], [code], date(FIRST + years, 1, 1))
    register = history.register()
    assert register.units["unit_id"].unique().to_list() == [f"municipality:{codes[0]}@{FIRST}-01-01"]
    assert register.units.height == len(codes)
    assert register.edges["relation"].unique().to_list() == ["same"]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(CODES[:2]), st.integers(0, 6), st.none() | st.integers(0, 6)), min_size=1, max_size=4
    )
)
def test_any_list_is_refused_or_gives_one_unit_for_a_code_and_day(spans: list[tuple[str, int, int | None]]) -> None:
    def day(years: int) -> date:
        return date(FIRST, 1, 1) + timedelta(days=366 * years)

    rows = [("municipality", code, code, day(a), None if b is None else day(b)) for code, a, b in spans]
    units = pl.DataFrame(rows, schema={"kind": pl.String, **SCHEMA}, orient="row")
    changes = pl.DataFrame(
        schema={"kind": pl.String, **{f"{side}_{name}": SCHEMA[name] for side in ("old", "new") for name in FIELDS}}
    )
    try:
        register = build_register(units, changes)
    except RegisterError:
        return
    found = at_every_day(register)
    assert found.height == len(CODES) * len(DAYS)
    assert (found["unit_id"].is_null() == found["reason"].is_not_null()).all()
    assert found.filter(pl.col("reason") == "ambiguous-unit").is_empty()
