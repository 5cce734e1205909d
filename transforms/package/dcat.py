"""A package as a record of a data catalogue: `dcat.jsonld`, by DCAT-AP-NO 3 (what it calls mandatory is all there)."""

from typing import Any, Final

from schemas.package_content import MEDIA_TYPES, PackageContent, PackageFile
from schemas.publication import Publication

AUTHORITY: Final = "http://publications.europa.eu/resource/authority"
GOVERNMENT: Final = f"{AUTHORITY}/data-theme/GOVE"
PUBLIC_ACCESS: Final = f"{AUTHORITY}/access-right/PUBLIC"
_MEDIA: Final = "https://www.iana.org/assignments/media-types"
_LICENCES: Final = {
    "CC-BY-4.0": f"{AUTHORITY}/licence/CC_BY_4_0",
    "CC0-1.0": f"{AUTHORITY}/licence/CC0",
    "NLOD-2.0": f"{AUTHORITY}/licence/NLOD_2_0",
}
_PREFIXES: Final = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "spdx": "http://spdx.org/rdf/terms#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_MEANS: Final = {
    "nb": "Hver opplysning én gang, med alle rapportene bak den",
    "en": "Each reported item once, with every report behind it",
}


def is_catalogued(publication: Publication) -> bool:
    """Return whether the settings state all that a record must have: publisher, its URI, contact, address."""
    stated = (publication.publisher, publication.publisher_id, publication.contact, publication.address)
    return all(stated)


def catalogue_record(content: PackageContent) -> dict[str, Any]:
    """Return the record: a catalogue with the release as one data set, each of its files a distribution."""
    publication = content.publication
    catalogue = {
        "@id": f"{publication.address}/",
        "@type": "dcat:Catalog",
        "dct:title": _text("en", publication.title),
        "dct:description": _texts(_MEANS),
        "dct:publisher": {"@id": publication.publisher_id},
        "dcat:contactPoint": _contact(publication),
        "dcat:dataset": {"@id": _address(content)},
    }
    agent = {
        "@id": publication.publisher_id,
        "@type": "foaf:Agent",
        "foaf:name": publication.publisher,
    }
    files = [_distribution(content, file) for file in content.files]
    return {"@context": _PREFIXES, "@graph": [catalogue, agent, _data_set(content), *files]}


def _data_set(content: PackageContent) -> dict[str, Any]:
    publication = content.publication
    return {
        "@id": _address(content),
        "@type": "dcat:Dataset",
        "dct:title": _text("en", f"{publication.title}: release {content.release}"),
        "dct:description": _texts(_MEANS),
        "dct:identifier": content.digest,
        "dct:publisher": {"@id": publication.publisher_id},
        "dcat:contactPoint": _contact(publication),
        "dcat:theme": {"@id": GOVERNMENT},
        "dct:accessRights": {"@id": PUBLIC_ACCESS},
        "dct:issued": {
            "@type": "xsd:dateTime", "@value": f"{content.published_at.isoformat(timespec='seconds')}Z",
        },
        "dcat:version": content.version,
        "dcat:distribution": [{"@id": _address(content, file.path)} for file in content.files],
    }  # fmt: skip


def _distribution(content: PackageContent, file: PackageFile) -> dict[str, Any]:
    address = _address(content, file.path)
    described: dict[str, Any] = {
        "@id": address,
        "@type": "dcat:Distribution",
        "dct:title": _text("en", file.path),
        "dcat:accessURL": {"@id": _address(content)},
        "dcat:downloadURL": {"@id": address},
        "dcat:mediaType": {"@id": f"{_MEDIA}/{MEDIA_TYPES.get(file.form, 'text/plain')}"},
        "dcat:byteSize": {"@type": "xsd:nonNegativeInteger", "@value": str(file.bytes)},
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
            "spdx:checksumValue": {"@type": "xsd:hexBinary", "@value": file.sha256},
        },
    }
    licence = _LICENCES.get(content.publication.licence or "")
    return {**described, **({"dct:license": {"@id": licence}} if licence else {})}


def _contact(publication: Publication) -> dict[str, Any]:
    """Return whom to ask: a mail address, or a page."""
    contact = publication.contact or ""
    kind, address = ("vcard:hasURL", contact) if "://" in contact else ("vcard:hasEmail", f"mailto:{contact}")
    return {"@type": "vcard:Organization", "vcard:fn": publication.publisher, kind: {"@id": address}}


def _address(content: PackageContent, path: str = "") -> str:
    return f"{content.publication.address}/{content.release}/{path}"


def _text(language: str, text: str) -> dict[str, str]:
    return {"@language": language, "@value": text}


def _texts(texts: dict[str, str]) -> list[dict[str, str]]:
    return [_text(language, text) for language, text in texts.items()]
