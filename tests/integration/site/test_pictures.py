"""The pictures of the top README: charts of the demo's site, each small; `make golden` writes them again."""

import os
from pathlib import Path

from flows.installation import open_installation
from flows.releases import find_release
from flows.site.blocks import Picture, SitePage
from flows.site.build import site_writers
from flows.site.pages.burden import burden_page
from flows.site.pages.start import start_page
from flows.site.render import SITE_FOLDER, render_drawing
from tests.support.paths import ROOT


def picture_of(page: SitePage, name: str) -> str:
    """Return a chart of a page as a file of its own."""
    blocks = [block for section in page.sections for block in section.blocks if isinstance(block, Picture)]
    return render_drawing(next(block.drawing for block in blocks if block.drawing.name == name))


def test_the_readme_shows_charts_of_the_demo(demo_run: tuple[Path, str]) -> None:
    installation = open_installation(demo_run[0] / ".engang")
    writer = next(w for w in site_writers(installation, find_release(installation)) if w.language == "en")
    installation.engine.dispose()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for page, name in ((start_page(writer), "waterfall"), (burden_page(writer), "ranking")):
        file, drawn = SITE_FOLDER / "pictures" / f"{name}.svg", picture_of(page, name)
        if os.environ.get("RENEW_GOLDEN"):
            file.write_text(drawn, encoding="utf-8")
        assert file.read_text(encoding="utf-8") == drawn, "`make golden` after an intended change"
        assert f"({file.relative_to(ROOT)})" in readme
        assert len(drawn) < 20_000
