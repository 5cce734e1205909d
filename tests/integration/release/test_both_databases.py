"""The whole way, from bytes to a verified release, on SQLite and on PostgreSQL: one digest."""

from pathlib import Path

import pytest

from flows.demo.figures import demo_month
from flows.installation import Installation, open_installation
from flows.intake.deliveries import make_delivery
from flows.intake.registration import receive, withdraw
from flows.pipeline import nightly
from flows.queries.sql import query
from flows.release.verify import verify

pytestmark = pytest.mark.usefixtures("unchecked")
DIGESTS: dict[str, str] = {}


@pytest.fixture
def installation(tmp_path: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setenv("ENGANG_LEDGER", ledger_url)
    for name in ("ENGANG_CODELISTS", "ENGANG_CONTRACTS"):
        monkeypatch.delenv(name, raising=False)
    return open_installation(tmp_path / "home")


def test_a_month_is_received_published_verified_and_taken_back(installation: Installation) -> None:
    month = demo_month(1)
    deliveries = [
        make_delivery(installation, d.filename, d.data, d.contract, sender=d.sender, period=d.period)
        for d in month.deliveries
    ]
    receipts = [receipt for batch in receive(installation, deliveries) for receipt in batch]
    assert len(receipts) == len(deliveries)
    first = nightly(installation)
    assert first.published
    assert verify(installation).same
    counted = query(installation, "SELECT count(*) AS n, count(DISTINCT item_id) AS d FROM observations")
    assert counted.rows() == [(first.counts["items"], first.counts["items"])]

    registered = next(r for r in receipts if r.status == "registered")
    assert withdraw(installation, registered.submission_id)
    second = nightly(installation)
    assert second.digest != first.digest
    assert [r.status for b in receive(installation, deliveries) for r in b].count("restored") == 1
    assert nightly(installation).digest == first.digest
    assert not nightly(installation).published

    DIGESTS[installation.engine.dialect.name] = str(first.digest)
    assert len(set(DIGESTS.values())) == 1
