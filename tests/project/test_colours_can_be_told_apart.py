"""Colour scales are even and colour-blind safe, themes keep their contrast, and each colour has one source."""

from __future__ import annotations

import itertools
import re

import pytest
from django.conf import settings

from agencies.engine.palette import OKABE_ITO, sequential
from agencies.engine.palette import __dict__ as palette
from forecasting.overlay import class_colours
from missions_project.lib.design import theme
from patrols.dosage_chart import COLOURS as DOSE_SOURCES
from tactics.curves_chart import COLOURS as CURVES
from tactics.experiment_chart import COLOURS as DESIGNS
from tactics.reports.shifts_chart import COLOURS as VISIT_SOURCES
from tests.colours import EYES, contrast, difference, lab

STATIC = settings.BASE_DIR / "static"
HEX = re.compile(r"#[0-9a-fA-F]{6}\b|#[0-9a-fA-F]{3}\b")
ROOMS = ("agencies", "ingestion", "forecasting", "patrols", "tactics")
TELL_APART = 8.0
"""CIEDE2000 between neighbours of a scale that a reader must match with a legend; 10 is seen at a glance."""


def tokens(css: str) -> dict[str, str]:
    """The custom properties of one block that hold a colour, without their prefix, as six digits."""
    found = re.findall(r"--(?:m-)?([\w-]+):\s*(#[0-9a-fA-F]{3,6})\b", css)
    return {name: (c if len(c) == 7 else "#" + "".join(2 * d for d in c[1:])).lower() for name, c in found}


def theme_blocks(path: str) -> list[dict[str, str]]:
    """The blocks of a style sheet that set the inks and papers, in their order."""
    text = (STATIC / path).read_text()
    found = [tokens(block) for block in re.findall(r"\{([^{}]*)\}", text)]
    return [block for block in found if {"ink", "paper"} <= set(block)]


def strip_scale(css: str) -> list[list[str]]:
    """The shades of minutes a day on the plan's page: by day, by night."""
    shades = re.findall(r"\.strip__day--[1-4] \{ background: (#\w+); \}", css)
    return [shades[:4], shades[4:]]


def amounts() -> list[tuple[str, list[str]]]:
    day, night = strip_scale((STATIC / "patrols/plan.css").read_text())
    return [
        ("risk map, 8 classes", class_colours(8)),
        ("risk map, 4 classes", class_colours(4)),
        ("heat map", sequential(8)),
        ("minutes a day, light", day[::-1]),
        ("minutes a day, dark", night),
    ]


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize(("name", "scale"), amounts(), ids=[name for name, _ in amounts()])
def test_a_scale_of_amounts_rises_in_even_steps_for_every_eye(name: str, scale: list[str], eye: str) -> None:
    light = [lab(colour, eye)[0] for colour in scale]
    steps = [b - a for a, b in itertools.pairwise(light)]
    assert min(steps) > 0, f"{name}: lightness turns back"
    # Lightness is what survives every eye and a print in grey: its steps are the scale's evenness.
    assert max(steps) / min(steps) < 1.5, (name, eye, steps)
    seen = [difference(a, b, eye) for a, b in itertools.pairwise(scale)]
    assert min(seen) >= 7.5, (name, eye, seen)
    assert max(seen) / min(seen) < 2.0, (name, eye, seen)


@pytest.mark.parametrize("eye", EYES)
def test_the_types_palette_stays_apart_for_every_eye(eye: str) -> None:
    colours = [colour for colour, _ in OKABE_ITO]
    apart = {(a, b): difference(a, b, eye) for a, b in itertools.combinations(colours, 2)}
    assert min(apart.values()) >= 10, min(apart.items(), key=lambda pair: pair[1])


CHARTS = {
    "dose": DOSE_SOURCES.values(),
    "visits": VISIT_SOURCES.values(),
    "curves": CURVES,
    "designs": DESIGNS,
}


@pytest.mark.parametrize("eye", ["full colour", "deuteranopia", "protanopia"])
@pytest.mark.parametrize("chart", CHARTS)
def test_what_one_chart_tells_by_colour_can_be_told_apart(chart: str, eye: str) -> None:
    for a, b in itertools.combinations(CHARTS[chart], 2):
        assert difference(a, b, eye) >= TELL_APART, (chart, eye, a, b)


def test_words_keep_their_contrast_on_every_paper_of_both_themes() -> None:
    light, dark = theme_blocks("missions_project/app.css")
    for wears in (light, dark):
        for paper in ("paper", "paper-2", "paper-3"):
            assert contrast(wears["ink"], wears[paper]) >= 7, paper
            assert contrast(wears["ink-2"], wears[paper]) >= 4.5, paper
            # The third ink draws borders and marks, never words.
            assert contrast(wears["ink-3"], wears[paper]) >= 3, paper
            for tone in ("accent", "good", "warn", "bad"):
                assert contrast(wears[tone], wears[paper]) >= 4.5, (tone, paper)
        for tone in ("good", "warn", "bad", "accent"):
            assert contrast(wears[tone], wears[f"{tone}-soft"]) >= 4.5, tone
            assert contrast(wears["ink"], wears[f"{tone}-soft"]) >= 7, tone
        assert contrast(wears["accent-ink"], wears["accent"]) >= 4.5


@pytest.mark.parametrize("path", ["agencies/admin.css", "tactics/officer.css", "tactics/transparency.css"])
def test_pages_with_a_sheet_of_their_own_wear_the_same_colours(path: str) -> None:
    light, dark = theme_blocks("missions_project/app.css")
    blocks = theme_blocks(path)
    assert len(blocks) >= 2
    for block in blocks:
        if block["ink"] == "#000000":
            continue  # on paper: black, and the greys that print names
        wears = light if block["paper"] == light["paper"] else dark
        for name, colour in block.items():
            assert wears[name] == colour, f"{path}: --{name}"


def test_mails_and_pdfs_take_their_colours_from_the_pages() -> None:
    light, dark = theme_blocks("missions_project/app.css")
    assert dict(theme()) == light
    assert dict(theme(dark=True)) == light | dark


def test_charts_and_pictures_take_their_colours_from_one_place() -> None:
    known = {value.upper() for value in palette.values() if isinstance(value, str) and HEX.fullmatch(value)}
    # What is written as a whole page (a file to send) carries the pages' own colours.
    known |= {
        colour.upper() for block in theme_blocks("missions_project/app.css") for colour in block.values()
    }
    for room in ROOMS:
        for path in (settings.BASE_DIR / room).rglob("*.py"):
            if path.name == "palette.py" or "migrations" in path.parts or "bench" in path.parts:
                continue
            strays = {
                one for one in HEX.findall(path.read_text()) if len(one) == 7 and one.upper() not in known
            }
            assert not strays, (
                f"{path.relative_to(settings.BASE_DIR)}: {strays} is not in agencies/engine/palette.py"
            )


def test_colours_of_a_page_are_properties() -> None:
    """Besides themes (what ``:root`` declares), a sheet may name black, white, print greys and the scales under test here."""
    allowed = {"#fff", "#000", "#ddd", "#e6e6e6", "#ffffff", "#000000"} | {c.lower() for c, _ in OKABE_ITO}
    scales = {
        shade.lower() for scale in strip_scale((STATIC / "patrols/plan.css").read_text()) for shade in scale
    }
    for path in STATIC.rglob("*.css"):
        if path.name in {"app.css", "officer.css"} or path.name == "admin.css":
            continue
        used = re.sub(r"/\*.*?\*/|:root\s*{[^}]*}", "", path.read_text(), flags=re.S)
        strays = {one.lower() for one in HEX.findall(used)}
        assert not strays - allowed - scales, f"{path.relative_to(STATIC)}: {strays - allowed - scales}"
