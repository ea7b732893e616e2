"""The benchmark weighs a page with what it names; what weighs nothing would hold any limit."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from django.contrib.staticfiles import finders
from django.http import HttpResponse

from benchmarks.page_weight import NAMED, page_weight, squeezed

PAGE = (
    '<link rel="stylesheet" href="/static/missions_project/app.css"><script src="/static/missions_project/app.css" defer></script>'
    '<img src="chart.svg" alt="x"><img src="//tiles.example.org/1.png"><p data-boxes-url="/town/boxes.json?on=1&amp;at=2"></p>'
    '<a href="/town/far/">not fetched</a><p data-template-url="/town/{id}/"></p><p data-page="/town/page/"></p>'
)


class Town:
    """Answers with noise, which does not compress, and tells what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, address: str) -> HttpResponse:
        self.asked.append(address)
        kind = "text/html" if address.endswith("/page/") else "application/json"
        return HttpResponse(os.urandom(50_000), content_type=kind)


def test_styles_pictures_and_data_count_once_links_tiles_and_pages_do_not() -> None:
    town, known = Town(), dict[str, int]()
    weight, parts = page_weight(town, "/town/", PAGE, known)
    assert town.asked == ["/town/chart.svg", "/town/boxes.json?on=1&at=2", "/town/page/"]
    style = Path(str(finders.find("missions_project/app.css"))).read_bytes()
    assert parts["/static/missions_project/app.css"] == len(gzip.compress(style, 6))
    assert weight == sum(parts.values()) // 1000
    assert 100 < weight < 120
    assert page_weight(town, "/town/", PAGE, known)[0] == weight
    assert len(town.asked) == 3, "what was weighed is not asked for again"


def test_what_is_compressed_already_weighs_what_it_is() -> None:
    assert squeezed("image/png", b"a" * 1_000) == 1_000
    assert squeezed("application/json", b"a" * 1_000) < 100
    assert len(NAMED.findall(PAGE)) == 7
