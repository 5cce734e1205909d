"""Which record kind an id is of: light, for it is asked of every id, those of observations too."""

from flows.installation import Installation
from infra.lake import delta as lake
from infra.ledger import records as ledger_records
from schemas.kind import Kind


def kind_of(installation: Installation, id_: str) -> Kind | None:
    """Return the record kind of which an id names a report, or an item that is or was; None if it is of none."""
    root = installation.settings.lake
    kept = [kind for kind in installation.kinds.values() if lake.exists(root, f"{kind.kind}_records")]
    if not kept:
        return None
    from flows.matching.decisions import known_reports  # noqa: PLC0415  most ids are of an installation that has no records

    known = known_reports(installation, {id_})
    if known.height:
        return installation.kinds[known["kind"][0]]
    return next((kind for kind in kept if _founded(installation, kind, id_)), None)


def _founded(installation: Installation, kind: Kind, item_id: str) -> bool:
    """Tell whether a report was ever at home in an item: one may be founded under an id that is no report's own."""
    return ledger_records.homes_written(installation.engine, kind.kind, [item_id]).height > 0
