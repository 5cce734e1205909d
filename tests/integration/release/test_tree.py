"""The tree of releases: it states the bucket of each row, only grows, is the same when a night is repeated."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from flows.intake.registration import receive, withdraw
from flows.receipts.offline import check_receipt
from flows.receipts.proofs import prove
from flows.release.build import night
from flows.release.erase import erase
from flows.release.tree.check import check_tree
from flows.release.verify import verify
from flows.releases import find_release
from infra.lake import delta
from infra.ledger import releases as ledger_releases
from infra.ledger import tables as t
from infra.ledger.open import open_ledger
from schemas.errors import UsageError
from tests.support.small_installation import HEADER, open_small
from transforms import rules_version

pytestmark = pytest.mark.usefixtures("unchecked")
FIRST = HEADER + "0301;01.01.2024;alle;709037;\nSum;01.01.2024;alle;1;\n1120;01.01.2024;alle;20005;\n9998;x;alle;1;\n"
SAME = HEADER + "1120;01.01.2024;alle;20006;\n0301;01.01.2024;alle;709037;\n"
LATER = HEADER + "0301;01.01.2024;alle;709038;\n"


def deliver(home: Installation, text: str, sender: str) -> str:
    (batch,) = receive(home, [make_delivery(home, "f.csv", text.encode(), "folketall", sender=sender, period=None)])
    return str(batch[0].submission_id)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Make a home with two releases: one of a submission, one of another that contradicts one of its rows."""
    home = open_small(tmp_path_factory.mktemp("tree") / "home")
    first = deliver(home, FIRST, "en")
    assert night(home).release == 1
    second = deliver(home, SAME, "to")
    assert night(home).release == 2
    home.engine.dispose()
    return home.settings.home, first, second


@pytest.fixture
def home(template: tuple[Path, str, str], tmp_path: Path) -> Installation:
    return open_small(Path(shutil.copytree(template[0], tmp_path / "home")))


def head_of(home: Installation, number: int | None = None) -> dict[str, Any]:
    found = find_release(home, number).get("tree_head")
    assert found is not None
    return found


def proved(home: Installation, submission: str, number: int | None = None) -> dict[str, Any]:
    """Return what the offline check finds proved of a submission."""
    return check_receipt(prove(home, find_release(home, number), submission))


def test_each_row_has_the_bucket_in_which_the_release_counts_it(home: Installation, template: Any) -> None:
    _, first, second = template
    found = proved(home, first)
    assert found["rows"] == {2: "published", 4: "conflict", 5: "rejected"}
    assert found["buckets"] == {"conflict": 1, "ignored": 1, "published": 1, "rejected": 1}
    assert proved(home, first, 1)["rows"] == {2: "published", 4: "published", 5: "rejected"}
    assert proved(home, second)["rows"] == {2: "conflict", 3: "duplicate"}
    counts = ledger_releases.read_row_counts(home.engine, 2)
    for submission in (first, second):
        letters = Counter(proved(home, submission)["rows"].values())
        counted = counts.filter(pl.col("submission_id") == submission, pl.col("bucket") != "ignored")
        assert letters == dict(counted.select("bucket", "rows").iter_rows())


def test_a_release_appends_what_changed_and_nothing_else(home: Installation, template: Any) -> None:
    assert [head_of(home, number)["size"] for number in (1, 2)] == [1, 3]
    deliver(home, HEADER + "1121;01.01.2024;alle;5;\n", "tre")
    assert night(home).release == 3
    assert head_of(home)["size"] == 4, "what the night does not reach has no leaf"
    withdraw(home, template[1])
    assert night(home).release == 4
    gone = proved(home, template[1])
    assert (gone["rest"], gone["rows"]) == ("withdrawn", {5: "rejected"})
    assert proved(home, template[2])["rows"] == {2: "published", 3: "published"}
    deliver(home, FIRST, "en")  # what is delivered again counts again
    assert night(home).release == 5
    assert proved(home, template[1])["rows"][2] == "published"
    assert proved(home, template[1], 2)["rows"][4] == "conflict", "an older release is proved as it was"
    assert verify(home).same


def test_a_later_tree_extends_every_earlier_one(home: Installation) -> None:
    deliver(home, LATER, "en")
    night(home)
    for second in (1, 2, 3):
        for first in range(1, second + 1):
            check_receipt(prove(home, find_release(home, second), None, find_release(home, first)))
    with pytest.raises(UsageError, match="is the later one"):
        prove(home, find_release(home, 1), None, find_release(home, 2))


def test_a_night_that_is_repeated_makes_the_same_tree(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(home, LATER, "en")
    copy = Path(shutil.copytree(home.settings.home, home.settings.home.parent / "copy"))
    with monkeypatch.context() as patch:
        patch.setattr(ledger_releases, "bulk_insert", lambda *_: 1 / 0)  # all is written but the last transaction
        with pytest.raises(ZeroDivisionError):
            night(home)
    assert (find_release(home)["release"], check_tree(home.engine, []).faults) == (2, [])
    assert (night(home).release, night(open_small(copy)).release) == (3, 3)
    assert head_of(home) == head_of(open_small(copy)), "signature and all"


def test_the_order_in_which_deliveries_are_read_does_not_matter(tmp_path: Path) -> None:
    heads = []
    for name, order in (("a", (0, 1)), ("b", (1, 0))):
        home = open_small(tmp_path / name)
        home = replace(home, settings=replace(home.settings, signing_key="ab" * 32))
        for at in order:
            deliver(home, (FIRST, SAME)[at], ("en", "to")[at])
        night(home)
        heads.append(head_of(home))
    assert heads[0] == heads[1]


def write(home: Installation, statement: Any) -> None:
    with home.engine.begin() as connection:
        connection.execute(statement)


def test_verify_finds_what_was_changed_in_the_tree(home: Installation, template: Any) -> None:
    ids = list(template[1:])
    sound = check_tree(home.engine, ids)
    assert (sound.heads, sound.faults) == (2, [])
    leaf = t.tree_leaves.c
    content = home.engine.connect().execute(sa.select(leaf.content).where(leaf.leaf == 1)).scalar_one()
    write(home, sa.update(t.tree_leaves).where(leaf.leaf == 0).values(content=content))
    assert check_tree(home.engine, ids).faults == ["leaf 0 is not what its hash is of"]
    write(home, sa.update(t.tree_leaves).where(leaf.leaf == 0).values(hash="00" * 32))
    faults = check_tree(home.engine, []).faults
    assert [fault.split(":")[0] for fault in faults] == ["release 1", "release 2"], "each later tree has it too"
    head = head_of(home)
    head["signature"] = "00" * 64
    write(home, sa.update(t.releases).where(t.releases.c.release == 2).values(tree_head=json.dumps(head)))
    assert check_tree(home.engine, []).faults[-1] == "release 2: the head of its tree has no good signature"
    verdict = verify(home)
    assert (verdict.same, len(verdict.tree_faults)) == (False, 4)


def test_verify_finds_a_leaf_that_states_what_a_rebuild_does_not_give(home: Installation, monkeypatch: Any) -> None:
    deliver(home, LATER, "en")
    with monkeypatch.context() as patch:
        patch.setattr("flows.release.tree.growth.stretches", lambda *_: [])
        night(home)
    verdict = verify(home)
    assert (verdict.ledger, verdict.tree_faults) == (verdict.rebuilt, ())
    assert (verdict.fates_ledger == verdict.fates_rebuilt, verdict.same) == (False, False)


def test_an_erased_submission_leaves_hashes_that_still_prove_the_others(home: Installation, template: Any) -> None:
    before = prove(home, find_release(home), template[2])
    old = find_release(home)
    erase(home, template[1], why="asked", who="me")
    kept = pl.read_database(sa.select(t.tree_leaves), home.engine.connect())
    stated = kept.filter(pl.col("content").is_not_null())["submission_id"].unique().to_list()
    assert stated == [template[2]]
    assert kept["hash"].null_count() == 0
    with pytest.raises(UsageError, match="was erased"):
        prove(home, find_release(home), template[1])
    check_receipt(prove(home, find_release(home), template[2], old))
    assert check_receipt(before)["rows"][2] == "conflict"
    assert verify(home).same


def test_an_older_home_gets_its_tree_in_its_first_night(home: Installation, template: Any) -> None:
    withdraw(home, template[2])
    night(home)
    write(home, sa.delete(t.tree_leaves))
    write(home, sa.update(t.releases).values(tree_head=None, rules_digest="2"))
    with pytest.raises(UsageError, match="has no tree"):
        prove(home, find_release(home), template[1])
    assert verify(home).same, "a release without a tree is sound"
    assert night(home).release == 4
    assert proved(home, template[1])["rows"] == {2: "published", 4: "published", 5: "rejected"}
    assert proved(home, template[2])["rest"] == "withdrawn", "what counts no more is in it too"
    assert verify(home).same
    assert not night(home).published


def test_a_ledger_of_the_release_before_is_migrated(home: Installation) -> None:
    with home.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE tree_leaves")
        for column in ("tree_head", "removed_at", "rebuilt_at"):
            connection.exec_driver_sql(f"ALTER TABLE releases DROP COLUMN {column}")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0007'")
        connection.exec_driver_sql("UPDATE releases SET rules_digest = '2'")
    home.engine.dispose()
    migrated = replace(home, engine=open_ledger(home.settings.ledger_url))
    assert ledger_releases.current_release(migrated.engine)["tree_head"] is None  # type: ignore[index,typeddict-item]
    assert night(migrated).release == 3
    assert delta.exists(migrated.settings.lake, "observations")
    assert check_tree(migrated.engine, []).heads == 1


def test_the_rules_are_those_that_have_a_tree() -> None:
    assert int(rules_version.RULES_DIGEST) >= 3, "by it an older home learns that its releases have none"
