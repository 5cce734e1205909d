"""Whether what is stored is still there and whole: the files of the current release, and the landing zone.

Each night compares sizes with what the Delta logs and the ledger state, and reads a few random files of the landing
zone and partitions of the lake whole; the result is a run of its own. `engang status` compares sizes again, where that
takes no time.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from flows.events import STORAGE_DAMAGED, publish_event
from flows.installation import Installation
from infra import telemetry
from infra.ledger import monitoring as ledger_monitoring
from infra.ledger import runs as ledger_runs
from infra.ledger.releases import current_release
from schemas.errors import StoreError

if TYPE_CHECKING:
    from infra.storage.store import DamagedFile

STORAGE_CHECK: Final = "storage-check"
"""The kind of the runs that hold what a night's check found."""
SAMPLED_FILES: Final = 10
SAMPLED_BYTES: Final = 64 * 2**20
"""How many random files of the landing zone, and partitions of the lake, a night reads whole; the largest such file."""
PARTITION_BYTES: Final = 16 * 2**20
"""How large such a partition may be: its frame takes many times as much memory."""


def check_storage(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> list[str]:
    """Check lake and landing zone, record what is wrong, and return it: a sentence for each of them."""
    from infra.lake import delta as lake

    with lake.opened_once():
        problems = [*lake_problems(installation), *landing_problems(installation)]
        problems += [*_sampled_lake_problems(installation), *_sample_problems(installation)]
    for problem in problems:
        progress(problem)
    ledger_runs.record_check(installation.engine, STORAGE_CHECK, "\n".join(problems) or None)
    if problems:
        telemetry.log("storage").info("stored files are damaged", extra={"count": len(problems)})
        publish_event(installation, STORAGE_DAMAGED, "storage", {"problems": problems}, key="\n".join(problems))
    return problems


def storage_problems(installation: Installation, *, with_landing: bool) -> list[str]:
    """Return what the last night's check found, and what is wrong now in the lake and, on request, the landing zone."""
    last = ledger_monitoring.read_last_runs(installation.engine, STORAGE_CHECK, 1)["message"].to_list()
    problems = last[0].split("\n") if last and last[0] else []
    now = lake_problems(installation)
    if with_landing:
        now += landing_problems(installation)
    return [*problems, *(problem for problem in now if problem not in problems)]


def lake_problems(installation: Installation) -> list[str]:
    """Return a sentence if files of the current release, or of the claims behind it, are missing or truncated."""
    last = current_release(installation.engine)
    if last is None:
        return []
    from infra.lake import delta as lake  # status imports no Delta where there is no release

    root, damaged = installation.settings.lake, []
    registered = ["claims", *(f"{kind}_records" for kind in installation.kinds)]
    try:
        for name, version in [*last["tables"].items(), *((name, None) for name in registered)]:
            damaged += lake.damaged_files(root, name, version)
    except (StoreError, OSError) as error:
        return [f"the lake cannot be checked: {error}"]
    return [_sentence("lake", damaged)] if damaged else []


def landing_problems(installation: Installation) -> list[str]:
    """Return a sentence if files of registered submissions are missing from the landing zone, or of another size."""
    from infra.storage import landing

    store, damaged = landing.open_store(installation.settings.landing), []
    try:
        for contract, sender in ledger_monitoring.contracts_and_senders(installation.engine):
            files = ledger_monitoring.delivered_files(installation.engine, contract, sender)
            damaged += landing.delivery_damage(store, contract, sender, files)
    except StoreError as error:
        return [f"the landing zone cannot be checked: {error}"]
    return [_sentence("landing zone", damaged)] if damaged else []


def _sampled_lake_problems(installation: Installation) -> list[str]:
    """Return a sentence for each of a few random partitions of the lake that cannot be read."""
    last = current_release(installation.engine)
    if last is None:
        return []
    from infra.lake.sampling import sample_problems

    registered = [("claims", None), *((f"{kind}_records", None) for kind in installation.kinds)]
    tables = [*last["tables"].items(), *registered]
    try:
        return sample_problems(installation.settings.lake, tables, SAMPLED_FILES, PARTITION_BYTES)
    except (StoreError, OSError):
        return []  # `lake_problems` names it


def _sample_problems(installation: Installation) -> list[str]:
    """Return a sentence for each of a few random files of the landing zone whose content has changed."""
    from infra.storage import landing

    store, problems = landing.open_store(installation.settings.landing), []
    for contract, sender, sha256 in ledger_monitoring.sample_files(installation.engine, SAMPLED_FILES, SAMPLED_BYTES):
        try:
            landing.get(store, contract, sender, sha256)
        except StoreError as error:
            problems.append(str(error))
    return problems


def _sentence(where: str, damaged: "list[DamagedFile]") -> str:
    first = "" if len(damaged) == 1 else f"{len(damaged)} files are missing or damaged, the first "
    return f"{where}: {first}{damaged[0]}; restore from the backup of the {where}"
