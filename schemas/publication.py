"""Who publishes the packages of an installation: what settings state of the dataset."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Publication:
    """What the metadata of all packages of an installation states; None for what nobody has stated.

    contact: a mail address or a URL. licence: an SPDX id. address: the URL below which the packages are served.
    """

    title: str = "Reports of public bodies, each item once"
    publisher: str | None = None
    publisher_id: str | None = None
    contact: str | None = None
    licence: str | None = None
    address: str | None = None
