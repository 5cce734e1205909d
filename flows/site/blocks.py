"""What a page of the site is made of. Every text is plain: the templates escape it."""

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from flows.dossier_page.drawings import Drawing


@dataclass(frozen=True)
class PageLink:
    """A link to a page of the site. to: its path within the folder of the language."""

    kind: ClassVar[str] = "link"
    text: str
    to: str


@dataclass(frozen=True)
class FigureCell:
    """A number, as the language writes it, at the right of its cell."""

    kind: ClassVar[str] = "figure"
    text: str


@dataclass(frozen=True)
class ForeignText:
    """A text in another language than the page's, or a name in code."""

    kind: ClassVar[str] = "foreign"
    text: str
    lang: str


@dataclass(frozen=True)
class CodeText:
    """A name or a path, set as code."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Lines:
    """Several cells below each other."""

    kind: ClassVar[str] = "lines"
    parts: "tuple[Cell, ...]"


Cell: TypeAlias = str | PageLink | FigureCell | ForeignText | CodeText | Lines


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of texts and links."""

    kind: ClassVar[str] = "paragraph"
    parts: tuple[Cell, ...]


@dataclass(frozen=True)
class KeyFigures:
    """The figures that a page is about: (name, figure)."""

    kind: ClassVar[str] = "key_figures"
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PageTable:
    """A table with a caption. heads: (name, whether it holds figures); note: what is left out, if anything is."""

    kind: ClassVar[str] = "table"
    caption: str
    heads: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str | None = None


@dataclass(frozen=True)
class BulletList:
    """A list of texts and links."""

    kind: ClassVar[str] = "bullets"
    rows: tuple[Cell, ...]


@dataclass(frozen=True)
class CodeBlock:
    """Lines of code that a reader can copy. name: what they are, for those who do not see them."""

    kind: ClassVar[str] = "code_block"
    name: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A chart; the table beneath it has the same figures. legend: (class of its shapes, what they are)."""

    kind: ClassVar[str] = "picture"
    drawing: Drawing
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Explorer:
    """Where the script of the explorer puts its tables. without: what is there without it; tables, texts: for it."""

    kind: ClassVar[str] = "explorer"
    without: str
    tables: list[dict[str, Any]]
    texts: dict[str, str]


Block: TypeAlias = Paragraph | KeyFigures | PageTable | BulletList | CodeBlock | Picture | Explorer


@dataclass(frozen=True)
class PageSection:
    """A part of a page with a heading of its own."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class SitePage:
    """A page. path: where it is within the folder of each language; above: the page that lists it, if one does.

    body: what comes before the sections, as HTML that a template has made.
    subject: the name in the data of what the page is about, if it is about one thing.
    scripts: files next to the folders of languages that it needs besides the filter; they may read the site's own data.
    """

    path: str
    title: str
    lead: str
    sections: tuple[PageSection, ...]
    above: PageLink | None = None
    subject: str | None = None
    scripts: tuple[str, ...] = ()
    body: str | None = None
