"""Pages as HTML: every text is escaped by the template engine, and nothing is fetched from anywhere."""

import functools
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from flows.check_page.texts import LANGUAGES, Language
from flows.dossier_page.drawings import HATCHED, Drawing
from flows.dossier_page.page import PAGE_FOLDER, STYLE_FILE
from flows.site.blocks import SitePage
from flows.site.commands import page_command
from flows.site.explorer import SCRIPTS
from flows.site.writer import SiteWriter, site_texts

SITE_FOLDER: Final = Path(__file__).parent
SHAPE_RULES: Final = (".own", ".hatch", ".heat")
"""How the lines of the style begin that fill shapes."""
MENU: Final = (
    "index", "burden", "obligations", "agencies", "units", "concepts", "overlap", "found", "conflicts", "records",
    "changes", "coverage", "explorer", "methods", "dictionary", "use", "operations",
)  # fmt: skip
"""The pages that each page links to, by the name of their file."""


def render_page(writer: SiteWriter, page: SitePage) -> str:
    """Return a page as HTML."""
    release = writer.content.release
    return _template("page.html").render(
        page=page,
        t=writer.texts,
        language=writer.language,
        languages=language_links(),
        links=[(writer.texts["menu"][name], f"{name}.html") for name in MENU],
        up="../" * page.path.count("/"),
        hatched=HATCHED,
        release=writer.number(release["release"]),
        digest=release["digest"],
        command=page_command(page.path, page.subject, release["release"]),
    )


def render_entry(release: int) -> str:
    """Return the page on which a reader chooses a language."""
    return _template("entry.html").render(languages=language_links(), release=release)


def render_drawing(drawing: Drawing) -> str:
    """Return a chart as an SVG file of its own."""
    style = STYLE_FILE.read_text(encoding="utf-8")
    rules = [line for line in style.splitlines() if line.startswith(SHAPE_RULES)]
    return _template("drawing.svg").render(d=drawing, hatched=HATCHED, style="\n".join(rules))


def language_links() -> list[dict[str, Any]]:
    """Return code and name of each language, and what the entry page calls it."""
    return [{"code": code, **_names(code)} for code in LANGUAGES]


def _names(language: Language) -> dict[str, str]:
    texts = site_texts(language)
    return {"name": texts["name"], "entry": texts["entry"]}


def shared_files() -> dict[str, str]:
    """Return the files that pages share, by name: the style and the scripts."""
    static = SITE_FOLDER / "static"
    style = "\n".join(file.read_text(encoding="utf-8") for file in (STYLE_FILE, static / "site.css"))
    scripts = {name: (static / name).read_text(encoding="utf-8") for name in ("filter.js", *SCRIPTS)}
    return {"style.css": style, **scripts}


@functools.cache
def _template(name: str) -> Template:
    return Environment(
        loader=FileSystemLoader((SITE_FOLDER / "templates", PAGE_FOLDER / "templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(name)
