"""Every text on a screen has one of five sizes, declared once; paper has sizes of its own, in points."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

from tactics.transparency.site import style_sheet

STATIC = settings.BASE_DIR / "static"
SCALE = "missions_project/scale.css"
SIZES = {"1": "12px", "2": "14px", "3": "16px", "4": "20px", "5": "28px"}
PAPER = {"patrols/print.css"}
"""Sheets of a page that is paper also on the screen: points are allowed in all of it."""
DECLARED = re.compile(r"--text-(\d)\s*:\s*([^;}]+)")
ASKED = re.compile(r"(?<![\w-])(font(?:-size)?)\s*:\s*([^;}]+)")
ON_SCALE = re.compile(r"inherit|(?:\d00 )?var\(--text-[1-5]\)(?:/[\d.]+(?:px)?)?(?: [^\d]+)?")
IN_POINTS = re.compile(r"inherit|[\d.]+pt(?:/[\d.]+)?(?: [^\d]+)?")
SHEETS = sorted(str(path.relative_to(STATIC)) for path in STATIC.rglob("*.css"))


def sizes(css: str) -> Iterator[tuple[bool, str]]:
    """Every size that a style sheet asks for, and whether it is for paper only."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    paper: list[bool] = []
    for head, text, closes in re.findall(r"([^{}]*)\{|([^{}]*)(\})", css):
        if closes:
            yield from ((any(paper), value.strip()) for _, value in ASKED.findall(text))
            paper.pop()
        else:
            paper.append(bool(re.search(r"@media\s+print", head)))


def test_sizes_for_paper_are_told_from_those_for_screens() -> None:
    css = "a { font-size: 11px; } @media print { b { font: 9pt/1.2 serif; } } @media (width: 1px) { i { font: inherit } }"
    assert list(sizes(css)) == [(False, "11px"), (True, "9pt/1.2 serif"), (False, "inherit")]


def test_the_scale_is_declared_once_and_holds_the_five_sizes() -> None:
    assert dict(DECLARED.findall((STATIC / SCALE).read_text())) == SIZES
    again = [sheet for sheet in SHEETS if sheet != SCALE and DECLARED.search((STATIC / sheet).read_text())]
    assert not again


@pytest.mark.parametrize("sheet", SHEETS)
def test_no_sheet_asks_for_a_size_that_is_not_on_the_scale(sheet: str) -> None:
    for is_paper, value in sizes((STATIC / sheet).read_text()):
        allowed = ON_SCALE.fullmatch(value) or ((is_paper or sheet in PAPER) and IN_POINTS.fullmatch(value))
        assert allowed, f"{sheet}: {value} is none of var(--text-1) … var(--text-5)"


def test_every_page_that_wears_our_sheets_loads_the_scale() -> None:
    """A size that nobody declared is no error in a browser: the text would silently be as large as what is around it."""
    templates = settings.BASE_DIR / "templates"
    whole = [path for path in templates.rglob("*.html") if "<html" in path.read_text()]
    whole.append(templates / "admin/base_site.html")
    wearing = [path for path in whole if re.search(r"\{% static '[\w/]+\.css' %\}", path.read_text())]
    assert len(wearing) >= 3
    for path in wearing:
        assert f"{{% static '{SCALE}' %}}" in path.read_text(), path.name
    assert style_sheet().startswith(Path(str(finders.find(SCALE))).read_text())


def test_no_chart_writes_smaller_than_nine_points() -> None:
    """A chart 7.2 inches wide is shown 720 px wide: nine points are twelve and a half pixels."""
    small = {
        f"{path.relative_to(settings.BASE_DIR)}: {found}"
        for room in ("agencies", "ingestion", "forecasting", "patrols", "tactics")
        for path in (settings.BASE_DIR / room).rglob("*.py")
        for found in re.findall(r"(?:fontsize=|labelsize=|set_fontsize\()[0-8]\b", path.read_text())
    }
    assert not small


def test_e_mails_keep_to_the_same_sizes() -> None:
    text = (settings.BASE_DIR / "templates/email/base.html").read_text()
    asked = set(re.findall(r"font(?:-size)?:([\d.]+px)", text))
    assert asked
    assert asked <= set(SIZES.values())
