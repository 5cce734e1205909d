"""Review on a terminal and over a pipe, and what explain and why-not print: what a person sees, and what is kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.installation import Installation, open_installation
from flows.matching.decisions import decide
from flows.matching.review_queue import answer, review, still_open
from infra.ledger import decisions as ledger_decisions
from schemas.errors import UsageError
from tests.support import wreck_installation
from tests.support.cli_runner import Run, engang
from tests.support.wreck_installation import report

pytestmark = pytest.mark.usefixtures("unchecked")
STORY = "\x1b[31mthe engine\u202e left the rails near the old mill and " + "ran on " * 30
ROWS = (
    {"number": 1, "railroad": "UP", "place": "Vik", "day": "2024-03-01", "speed": 40, "story": STORY},
    {"number": 2, "railroad": "BNSF", "place": "Vik", "day": "2024-03-02", "speed": 60, "story": "nothing"},
    {"number": 3, "railroad": "NS", "place": "Voss", "day": "2024-03-01", "speed": 40, "causes": "rail|switch"},
    *({"number": n, "railroad": f"A{n}", "place": "Ål", "day": f"2023-01-0{n}"} for n in (1, 2)),
    *({"number": n, "railroad": f"B{n}", "place": "Bø", "day": "2022-01-01", "speed": 7} for n in (1, 2, 3)),
)
ONE, TWO, THREE = report(1, "UP"), report(2, "BNSF"), report(3, "NS")
AAL = [report(n, f"A{n}") for n in (1, 2)]
B = [report(n, f"B{n}") for n in (1, 2, 3)]
ENDS = sorted((ONE, TWO))
SHIP = report(1, "UP", contract="ships")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a release: two pairs are uncertain (3.00 and -1.00 bits), three reports are one wreck."""
    root = tmp_path_factory.mktemp("wrecks")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in wreck_installation.folders(root, "ship").items():
            patch.setenv(name, value)
        patch.delenv("ENGANG_LEDGER", raising=False)
        patch.setenv("COLUMNS", "110")
        installation = wreck_installation.open_wrecks()
        wreck_installation.deliver(installation, ROWS[0], contract="ships")
        wreck_installation.released(installation, *ROWS)
        yield root


@pytest.fixture
def home(environment: Path) -> Iterator[Installation]:
    """Open the installation, with no decision before and after."""
    assert environment.is_dir()
    installation = open_installation()
    yield installation
    for made in ledger_decisions.read_decisions(installation.engine, active=True)["id"]:
        ledger_decisions.write_withdrawal(installation.engine, made, who="test", why="undone")


@pytest.fixture
def run(home: Installation) -> Run:
    """Give what runs the command in the installation."""
    assert home.settings.home.is_dir()
    return engang


def made(home: Installation) -> list[tuple[str, str, str, str, str]]:
    standing = ledger_decisions.read_decisions(home.engine, "wreck", active=True)
    return standing.select("a", "b", "verdict", "who", "why").rows()


# What there is to review


def test_what_holds_items_together_is_shown_instead(run: Run, tmp_path: Path) -> None:
    found = run("review", "wreck", "--items", "--chart", tmp_path / "items.svg", "--json").json
    assert found["items"][0].keys() >= {"item_id", "reports", "weakest", "bridges", "unlinked"}
    assert max(item["reports"] for item in found["items"]) == 3
    assert (tmp_path / "items.svg").stat().st_size
    assert "the largest of 3" in run("review", "wreck", "--items").out


def test_the_least_sure_comes_first_and_what_is_one_item_is_not_asked(home: Installation) -> None:
    found = review(home, home.kinds["wreck"])
    assert [(set(q.pair.ends), q.pair.weight) for q in found.questions] == [
        ({*AAL}, 3.0), ({ONE, TWO}, -1.0),
    ]  # fmt: skip
    assert (found.open, found.automatic) == (2, 4.0)
    assert len(review(home, home.kinds["wreck"], 1).questions) == 1
    first = found.questions[0].as_dict()
    assert (first["kept"], first["reports"], first["pairs"], first["item_a"]) == (True, 2, 1, min(AAL))


def test_an_answer_is_a_decision_and_settles_the_question(home: Installation) -> None:
    found = review(home, home.kinds["wreck"])
    question = found.questions[1]
    assert still_open(found, question)
    answer(found, question, "unsure", who="Kari")
    assert not still_open(found, question)
    digest = wreck_installation.model().digest
    why = f"reviewed in release 1 at -1.0 bits by model {digest}"
    assert made(home) == [(*ENDS, "unsure", "Kari", why)]
    assert [set(q.pair.ends) for q in review(home, home.kinds["wreck"]).questions] == [{*AAL}]


def test_what_is_settled_by_others_is_no_question(home: Installation) -> None:
    found = review(home, home.kinds["wreck"])
    for a, b, verdict in ((AAL[0], ONE, "same"), (AAL[1], ONE, "different")):
        decide(home, (a, b), verdict, why="so", who="Kari")
    assert not still_open(found, found.questions[0])
    assert still_open(found, found.questions[1])


def test_wrong_use(home: Installation, run: Run) -> None:
    with pytest.raises(UsageError, match="--limit: found 0"):
        review(home, home.kinds["wreck"], 0)
    unknown = run("review", "wrek")
    assert (unknown.code, unknown.err) == (
        2,
        "engang: no record kind 'wrek': did you mean 'wreck'? known: ship, wreck\n",
    )
    assert run("review").code == 2


# On a terminal


def test_both_reports_stand_side_by_side_with_differences_marked(run: Run) -> None:
    result = run("review", "wreck", "--list")
    assert result.code == 0
    assert "pair 1 of 2, 2 open: 3.00 bits, 4.00 make one item; 2 reports in both items" in result.out
    second = result.out.split("pair 2 of 2")[1].split("\n")
    head = [who for who in second[1].split("  ") if " " in who.strip()]
    assert {who.strip() for who in head} == {f"UP {ONE}", f"BNSF {TWO}"}
    rows = {line[3:].split()[0]: line for line in second[2:] if line[3:].strip() and line[3] != " "}
    assert [(name, rows[name][0], rows[name].split()[-1]) for name in ("place", "day", "speed", "story")] == [
        ("place", "=", "+8.00"), ("day", "~", "+3.00"), ("speed", "≠", "-3.00"), ("story", "≠", "-1.00"),
    ]  # fmt: skip
    assert max(map(len, result.out.splitlines())) <= 110
    assert "the engine" in result.out
    assert not {"\x1b", "\u202e"} & set(result.out)
    assert "s[k]ip" not in result.out


def test_answers_come_over_a_pipe_with_a_reason(home: Installation, run: Run) -> None:
    result = run("review", "wreck", "--who", "Kari", answers="perhaps\ns both name the mill\nD\n")
    assert result.code == 0
    assert "found 'perhaps', expected one of s, d, u, k, q" in result.out
    assert result.out.endswith("2 decided of 2; `engang nightly` applies them\n")
    a, b = sorted(AAL)
    assert made(home)[0] == (a, b, "same", "Kari", "both name the mill")
    assert made(home)[1][:4] == (*ENDS, "different", "Kari")
    assert run("review", "wreck").out == "nothing to review: no pair of kind wreck is uncertain and undecided\n"
    assert run("review", "wreck", "--json").json["questions"] == []


@pytest.mark.parametrize("answers", ["", "q\n", "k\n", "k\nk\n", "\n"])
def test_to_skip_to_quit_and_the_end_of_input_keep_nothing(home: Installation, run: Run, answers: str) -> None:
    result = run("review", "wreck", answers=answers)
    assert (result.code, made(home)) == (0, [])
    assert result.out.endswith("0 decided of 2\n")


def test_json_asks_nothing_and_says_all(home: Installation, run: Run) -> None:
    result = run("review", "wreck", "--limit", 1, "--json", answers="s\n").json
    assert (result["kind"], result["release"], result["automatic"], result["open"], made(home)) == (
        "wreck",
        1,
        4.0,
        2,
        [],
    )
    (question,) = result["questions"]
    assert {question["a"], question["b"]} == {*AAL}
    assert {f["field"]: (f["mark"], f["bits"]) for f in question["fields"]} == {
        "case": ("none", None), "place": ("same", 8.0), "day": ("alike", 3.0), "speed": ("none", 0.0),
        "causes": ("none", None), "story": ("none", 0.0),
    }  # fmt: skip


def test_a_reason_that_cannot_be_kept_ends_the_command_and_what_was_kept_stays(home: Installation, run: Run) -> None:
    result = run("review", "wreck", answers="u\ns x\x1b[31m\n")
    assert (result.code, len(made(home))) == (2, 1)
    assert result.err.startswith("engang: --why: expected")


# Explain and why-not, printed


def test_explain_prints_values_side_by_side_and_the_waterfall(run: Run) -> None:
    result = run("explain", B[0])
    assert result.code == 0
    lines = result.out.splitlines()
    item = min(B)
    assert f"wreck {item}: 3 reports by 3 reporters, complete" in lines
    assert sum(line.endswith("17.00 bits, 4.00 make one item; compared by day") for line in lines) == 0
    assert (
        sum("9.00 bits, 4.00 make one item; compared by day; first 4 of place + month of day" in x for x in lines) == 3
    )
    assert [line.split()[-2:] for line in lines if line.startswith("speed ")] == [["+3.00", "+9.00"]] * 3
    assert max(map(len, lines)) <= 120


def test_explain_as_json_and_as_a_chart(run: Run, tmp_path: Path) -> None:
    chart = tmp_path / "why.svg"
    result = run("explain", B[0], "--json", "--chart", chart)
    assert result.json["item_id"] == min(B)
    assert {pair["weight"] for pair in result.json["pairs"]} == {9.0}
    assert result.json["pairs"][0]["fields"][1]["frequency_bits"] == 0.0
    drawn = chart.read_text()
    assert drawn.startswith("<svg")
    assert drawn.count(">place: the same<") == 3
    assert result.err == f"{chart}\n"
    alone = run("explain", THREE, "--chart", chart)
    assert (alone.code, alone.err) == (2, "engang: nothing to draw: no two reports of this item were weighed\n")
    wrong = run("explain", B[0], "--chart", tmp_path / "why.gif")
    assert wrong.code == 2
    assert "expected a name that ends in .svg or .png" in wrong.err


def test_a_narrow_terminal_wraps(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    for command in (("explain", ONE), ("why-not", ONE, TWO), ("review", "wreck", "--list")):
        result = run(*command)
        assert result.code == 0
        assert "Vik" in result.out


def test_why_not_prints_the_rules_and_the_waterfall(run: Run) -> None:
    result = run("why-not", ONE, TWO)
    assert result.code == 0
    assert result.out.startswith("too little: the two weigh -1.00 bits, 4.00 make one item; `engang review wreck` asks")
    marks = [(line[0], line[3:].split("  ")[0]) for line in result.out.splitlines() if line[:1] in {"=", "≠"}]
    assert marks == [("≠", "day"), ("=", "first 4 of place + month of day"), ("≠", "case")]
    assert not {"\x1b", "\u202e"} & set(result.out)
    as_json = run("why-not", ONE, TWO, "--json").json
    assert (as_json["verdict"], as_json["review"], as_json["pair"]["weight"]) == ("too little", -2.0, -1.0)


def test_reports_of_two_kinds_are_never_one(run: Run) -> None:
    result = run("why-not", SHIP, ONE)
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{SHIP} is of kind ship, {ONE} of kind wreck: only reports of one kind can be one item\n"
    assert run("review", "ship").err == (
        "engang: nothing to review: kind ship had no model in release 1: no pair was scored\n"
    )
