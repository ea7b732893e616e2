"""The documentation's site: it builds strictly, every link and anchor in it leads somewhere, and it asks no other server for anything."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from tests.project.sources import ROOT
from tools import docs
from tools.tour import FOLDER, MOST_BYTES, PICTURES

pytestmark = pytest.mark.checks
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "srcset", "video": "src"}


class Page(HTMLParser):
    """What a page links to, what it loads, and the addresses within it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.anchors.add(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in LOADED and LOADED[tag] in given:
            self.loads.append(given[LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = docs.site_build(folder)
    assert built.returncode == 0, built.stderr or built.stdout
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_page_of_the_docs_is_a_page_of_the_site(site: Path) -> None:
    missing = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "docs").rglob("*.md")
        if not (site / path.relative_to(ROOT)).with_suffix(".html").exists()
    ]
    assert not missing


def test_every_link_and_anchor_leads_somewhere(pages: dict[Path, Page]) -> None:
    assert len(pages) > 40
    broken = []
    for path, page in pages.items():
        for link in page.links:
            there = urlsplit(urljoin(path.as_uri(), link))
            if there.scheme != "file":
                continue
            target = Path(unquote(there.path))
            if not target.exists():
                broken.append(f"{path.name} → {link}")
            elif there.fragment and target in pages and unquote(there.fragment) not in pages[target].anchors:
                broken.append(f"{path.name} → {link} (no such heading)")
    assert not broken, "\n".join(sorted(set(broken)))


def test_nothing_is_loaded_from_another_server(site: Path, pages: dict[Path, Page]) -> None:
    loads = {load for page in pages.values() for load in page.loads}
    assert len(loads) > 20
    assert not [load for load in loads if urlsplit(load).netloc]
    for sheet in site.rglob("*.css"):
        far = re.findall(r"(?:url\(|@import)\s*[\"']?(https?:)?//[^)\"']+", sheet.read_text(encoding="utf-8"))
        assert not far, sheet


def test_a_link_to_a_heading_that_is_not_there_fails_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build's own promise, on a copy: otherwise a green build would say nothing."""
    copy = tmp_path / "copy"
    (copy / "docs" / "site").mkdir(parents=True)
    (copy / "static" / "missions_project").mkdir(parents=True)
    (copy / "static/missions_project/icon.svg").write_text("<svg/>")
    (copy / "docs/site/site.css").write_text("")
    (copy / "docs/conf.py").write_text((ROOT / "docs" / "conf.py").read_text())
    (copy / "docs/README.md").write_text("# Front\n\n[there](what-it-is.md#nowhere)\n")
    (copy / "docs/what-it-is.md").write_text("# What it is\n")
    monkeypatch.setattr(docs, "ROOT", copy)
    built = docs.site_build(tmp_path / "out")
    assert built.returncode != 0
    assert "nowhere" in built.stderr


def test_the_pictures_are_those_of_the_script_and_light_enough() -> None:
    there = {path.name: path.stat().st_size for path in FOLDER.glob("*.webp")}
    assert set(there) == {f"{picture.name}.webp" for picture in PICTURES}
    assert sum(there.values()) <= MOST_BYTES
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.search(r"Made on \d{4}-\d\d-\d\d", listed)
    assert all(f"({name})" in listed for name in there)
