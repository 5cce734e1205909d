"""What the blocking of a kind does with the standing reports, before a model is trained."""

from collections.abc import Callable

from flows.installation import Installation
from flows.matching.training import read_standing_reports
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.drafting.block_report import BlockReport, report_blocks


def blocks_of_kind(
    installation: Installation, kind: Kind, progress: Callable[[str], None] = lambda _: None
) -> BlockReport:
    """Return what the blocking rules of a kind bring together; `UsageError` if there is nothing to compare."""
    if not kind.blocking:
        raise UsageError(f"kind {kind.kind} has no blocking rule: declared identities and decisions join its reports")
    reports = read_standing_reports(installation, kind)
    if not reports.height:
        raise UsageError(f"kind {kind.kind} has no standing report: `engang submit` some")
    progress(f"blocking {reports.height} reports of {kind.kind}")
    return report_blocks(reports, kind)
