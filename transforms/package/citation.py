"""How a package is cited: `CITATION.cff` in the Citation File Format 1.2.0, and the same as one line of text."""

import re
from typing import Any, Final

import yaml

from schemas.package_content import PackageContent

NO_PUBLISHER: Final = "An unnamed public body"
"""The author while the setting ENGANG_PUBLISHER names none."""


def citation_text(content: PackageContent) -> str:
    """Return the content of `CITATION.cff`."""
    publication = content.publication
    author: dict[str, Any] = {"name": publication.publisher or NO_PUBLISHER}
    if publication.publisher_id and publication.publisher_id.startswith("https://"):
        author["website"] = publication.publisher_id
    described: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": "If you use these data, please cite this release.",
        "type": "dataset",
        "title": publication.title,
        "authors": [author],
        "version": content.version,
        "date-released": content.published_at.date(),
        "identifiers": [{"type": "other", "value": content.digest, "description": "Digest of the release"}],
    }
    if publication.licence and re.fullmatch(r"[A-Za-z0-9.+-]+", publication.licence):
        described["license"] = publication.licence
    if publication.address:
        described["url"] = f"{publication.address}/{content.release}/"
    return yaml.safe_dump(described, sort_keys=False, allow_unicode=True)


def citation_line(content: PackageContent) -> str:
    """Return the citation as one line of text."""
    publication = content.publication
    name, year = publication.publisher or NO_PUBLISHER, content.published_at.year
    line = f"{name} ({year}). {publication.title}, release {content.release}. Digest {content.digest}."
    return f"{line} {publication.address}/{content.release}/" if publication.address else line
