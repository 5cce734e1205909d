"""A package described as a research object: `ro-crate-metadata.json` (RO-Crate 1.1)."""

from typing import Any, Final

from schemas.package_content import LICENCE_ADDRESSES, MEDIA_TYPES, PackageContent, PackageFile
from transforms.package.citation import NO_PUBLISHER

CRATE_PROFILE: Final = "https://w3id.org/ro/crate/1.1"
UNLICENSED: Final = "No licence is stated: ask the publisher"
_NO_LICENCE: Final = "#licence"
_NO_PUBLISHER: Final = "#publisher"


def research_crate(content: PackageContent) -> dict[str, Any]:
    """Return the crate: the release as a data set, its publisher and licence, and every file."""
    publication = content.publication
    publisher = publication.publisher_id or _NO_PUBLISHER
    licence = LICENCE_ADDRESSES.get(publication.licence or "", _NO_LICENCE)
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{publication.title}: release {content.release}",
        "description": "Each item once, with every report behind it: tables as Parquet, CSV, DuckDB and a workbook.",
        "datePublished": f"{content.published_at.isoformat(timespec='seconds')}Z",
        "version": content.version,
        "identifier": content.digest,
        "license": {"@id": licence},
        "publisher": {"@id": publisher},
        "hasPart": [{"@id": file.path} for file in content.files],
    }
    descriptor = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": {"@id": CRATE_PROFILE},
        "about": {"@id": "./"},
    }
    name = publication.licence or UNLICENSED
    others = [
        {"@id": publisher, "@type": "Organization", "name": publication.publisher or NO_PUBLISHER, "url": publisher},
        {"@id": licence, "@type": "CreativeWork", "name": name, "description": name},
    ]
    graph = [descriptor, root, *others, *(_file(content, file) for file in content.files)]
    return {"@context": f"{CRATE_PROFILE}/context", "@graph": graph}


def _file(content: PackageContent, file: PackageFile) -> dict[str, Any]:
    means = {table.name: table.means for table in content.tables}
    return {
        "@id": file.path,
        "@type": "File",
        "name": file.path,
        "description": means.get(file.table or "", "All tables of the release"),
        "contentSize": str(file.bytes),
        "encodingFormat": MEDIA_TYPES.get(file.form, "text/plain"),
        "sha256": file.sha256,
    }
