"""How Sphinx makes the documentation's site from these pages: `make docs`.

The pages are plain Markdown that reads well where the code is read; what only the site needs (navigation, this file, a few rules of style) stays
here and in site/.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

NAVIGATION = {
    "Begin here": ("what-it-is", "tour", "screenshots/README", "real-city"),
    "Set it up": ("set-up", "admin", "configuration", "settings"),
    "Bring data in": ("feeds", "data-quality", "rejections"),
    "Forecast": ("forecasting", "accuracy", "live-record", "feedback", "backtest"),
    "Patrol": ("shift-board", "planning", "planning-schedules", "officers-guide", "dosage", "tactics"),
    "Report and study": ("reports", "impact"),
    "Policies": ("policies", "retention", "transparency"),
    "Methods": ("methods",),
    "Connect": ("api", "api-reference"),
    "Operate": ("operations", "commands", "performance", "scale"),
    "Security": (
        "security/threat-model",
        "security/walls",
        "security/single-sign-on",
        "security/saml",
        "security/audit-log",
        "security/cjis",
    ),
    "Change it": ("development", "../CONTRIBUTING", "../CHANGELOG"),
}
"""The site's navigation: captions, and pages of docs/ in their order. A page of a new room is found below and listed last in its section."""
FEEDS = (
    "csv excel json-lines parquet ndex-xml drop-folder push hunchlab pulling open-data socrata arcgis url database "
    "context-layers openstreetmap calendars weather census"
).split()
OPERATIONS = ("install", "backup", "monitoring", "faults", "upgrade")

project = "Missions"
author = "The Missions authors"
project_copyright = "the Missions authors. Apache-2.0"
extensions = ["myst_parser"]
root_doc = "docs/README"
# The source folder is the checkout, so that links to CONTRIBUTING.md and CHANGELOG.md lead to pages of the site too.
include_patterns = ["docs/**.md", "CONTRIBUTING.md", "CHANGELOG.md"]
exclude_patterns = [".*", "var", "site", "staticfiles"]

# A link to a heading must find it: the same anchors that code hosts give.
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = "Missions"
html_static_path = ["site"]
html_css_files = ["site.css"]
html_favicon = "../static/missions_project/icon.svg"
html_copy_source = False
html_show_sourcelink = False
html_theme_options: dict[str, Any] = {"top_of_page_buttons": []}


def toctree(pages: tuple[str, ...] | list[str], caption: str = "") -> str:
    named = [f":caption: {caption}"] if caption else []
    return "\n".join(["", "```{toctree}", ":hidden:", *named, "", *pages, "```", ""])


def navigation() -> str:
    """The root page's part that only the site has. A page that no section names stands under Further pages rather than nowhere."""
    named = {page for pages in NAVIGATION.values() for page in pages}
    found = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"README"}
    sections = {
        caption: [page for page in pages if page in found or "/" in page]
        for caption, pages in NAVIGATION.items()
    }
    if further := sorted(found - named):
        sections["Further pages"] = further
    return "".join(toctree(pages, caption) for caption, pages in sections.items())


def page_read(app: Any, name: str, source: list[str]) -> None:
    if name == root_doc:
        source[0] += navigation()
    elif name == "docs/feeds":
        source[0] += toctree([f"feeds/{kind}" for kind in FEEDS])
    elif name == "docs/operations":
        source[0] += toctree([f"operations/{chapter}" for chapter in OPERATIONS])


def front_door(app: Any, problem: Exception | None) -> None:
    """The site's first address leads to its first page, also from a folder without a web server."""
    if problem is None and app.builder.name == "html":
        (Path(app.outdir) / "index.html").write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Missions</title>'
            '<meta http-equiv="refresh" content="0; url=docs/README.html"><a href="docs/README.html">Documentation</a></html>\n',
            encoding="utf-8",
        )


def setup(app: Any) -> None:
    # Pygments knows no CSV: without this each CSV example would be a warning, and a warning fails the build.
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", page_read)
    app.connect("build-finished", front_door)
