"""What PDFs are printed on and set in: paper by country, one typeface inside each file, and text styles of the pages' own colours."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4, LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
from reportlab.pdfbase.ttfonts import TTFont

from missions_project.lib.design import theme

FACE, BOLD, OBLIQUE = "Missions", "Missions-Bold", "Missions-Oblique"
SIDE, TOP, BOTTOM = 48.0, 48.0, 60.0
"""Margins in points; the foot stands in the lower one."""

LETTER_COUNTRIES = frozenset("BZ CA CL CO CR GT MX NI PA PH PR SV US VE".split())
"""Where offices print on Letter (Unicode CLDR, supplemental data, paperSize)."""
LETTER_NAMES = ("US/", "Canada/", "Mexico/", "Chile/")
"""Old names of time zones, which the list of countries does not hold."""


def paper_of(time_zone: str) -> tuple[float, float]:
    """Width and height in points of the paper that is used where this time zone is.

    >>> paper_of("America/Chicago") == paper_of("US/Central") == LETTER, paper_of("Europe/Madrid") == A4
    (True, True)
    """
    country = _countries().get(time_zone, "")
    is_letter = country in LETTER_COUNTRIES or time_zone.startswith(LETTER_NAMES)
    size: tuple[float, float] = LETTER if is_letter else A4
    return size


@cache
def _countries() -> Mapping[str, str]:
    """Each time zone's country, from the table that comes with the zones themselves."""
    lines = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8").splitlines()
    parts = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {part[2]: part[0] for part in parts}


@cache
def fonts_ready() -> None:
    """Make the typeface known, once a process: DejaVu, which matplotlib brings and all charts are lettered in.

    It goes into each file, as far as it is used: no reader's machine decides how an accent looks.
    """
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for name, file in ((FACE, "DejaVuSans"), (BOLD, "DejaVuSans-Bold"), (OBLIQUE, "DejaVuSans-Oblique")):
        registerFont(TTFont(name, str(folder / f"{file}.ttf")))
    registerFontFamily(FACE, normal=FACE, bold=BOLD, italic=OBLIQUE, boldItalic=BOLD)


@cache
def styles() -> Mapping[str, Any]:
    """Paragraph styles by name, in the light theme's colours: a sheet of paper has no dark one."""
    fonts_ready()
    ink, quiet = theme()["ink"], theme()["ink-2"]
    body = ParagraphStyle(
        "words", fontName=FACE, bulletFontName=FACE, fontSize=9, leading=13.5, textColor=ink, spaceAfter=6, allowWidows=0, allowOrphans=0
    )  # fmt: skip

    def style(name: str, **how: Any) -> ParagraphStyle:
        return ParagraphStyle(name, parent=body, **how)

    return {
        "words": body,
        "quiet": style("quiet", fontSize=7.5, leading=11, textColor=quiet),
        "over": style("over", fontName=BOLD, fontSize=10, textColor=quiet, spaceAfter=2),
        "title": style("title", fontName=BOLD, fontSize=20, leading=25, spaceAfter=8),
        "h1": style("h1", fontName=BOLD, fontSize=14, leading=18, spaceBefore=18, spaceAfter=6),
        "h2": style("h2", fontName=BOLD, fontSize=10.5, leading=14, spaceBefore=10, spaceAfter=4),
        "contents": style("contents", spaceAfter=2, rightIndent=30),
        "item": style("item", leftIndent=14, bulletIndent=3, spaceAfter=2),
        "short item": style("short item", fontSize=8, leading=11, leftIndent=12, bulletIndent=2, spaceAfter=1),
        "cell": style("cell", fontSize=7, leading=9.5, spaceAfter=0),
        "number": style("number", fontSize=7, leading=9.5, spaceAfter=0, alignment=TA_RIGHT),
        "head": style("head", fontName=BOLD, fontSize=7, leading=9.5, spaceAfter=0),
        "number head": style("number head", fontName=BOLD, fontSize=7, leading=9.5, spaceAfter=0, alignment=TA_RIGHT),
        "blank": style(
            "blank", textColor=theme()["warn"], backColor=theme()["warn-soft"], borderColor=theme()["warn"], borderWidth=0.75,
            borderPadding=(5, 6, 6, 6), leftIndent=7, rightIndent=7, spaceAfter=0,
        ),
        "draft": style("draft", fontName=BOLD, textColor=theme()["warn"]),
    }  # fmt: skip
