"""A PDF put together piece by piece, then laid out: once to know its pages, once to write them."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from django.utils.translation import gettext as _
from reportlab.platypus import BaseDocTemplate, CondPageBreak, Frame, PageTemplate, Spacer

from missions_project.lib.design import theme
from missions_project.lib.pdf.figures import INCH
from missions_project.lib.pdf.paper import BOTTOM, FACE, SIDE, TOP, fonts_ready
from missions_project.lib.pdf.parts import ContentsLine, Heading, Picture, Words, cut, grid, listed
from missions_project.lib.pdf.tags import TaggedCanvas

HEADS = ("h1", "h2")


@dataclass(frozen=True)
class About:
    """What a file says of itself, in its properties and at the foot of each page. ``made_at``: when what it tells was made."""

    title: str
    author: str
    language: str
    foot: Sequence[str]
    made_at: dt.datetime
    paper: tuple[float, float]
    subject: str = ""


@dataclass(frozen=True)
class _Run:
    """One going over the pages. ``draws`` is off where they are only counted."""

    pages: dict[str, int]
    draws: bool


class Writing:
    """A document, piece by piece. ``made`` gives the file: the same pieces give the same bytes."""

    def __init__(self, about: About) -> None:
        fonts_ready()
        self.about = about
        self.width = about.paper[0] - 2 * SIDE
        self.height = about.paper[1] - TOP - BOTTOM
        self._pieces: list[Callable[[_Run], Sequence[Any]]] = []
        self._heads: list[tuple[str, str]] = []
        self._number = 0

    def words(self, text: str, style: str = "words") -> None:
        """A paragraph: ``words``, ``quiet``, ``over`` (above the title) or ``draft``."""
        place = (("P", self._next()),)
        self._pieces.append(lambda run: [Words.of(text, style, place)])

    def title(self, text: str) -> None:
        place = (("H1", self._next()),)
        self._pieces.append(lambda run: [Words.of(text, "title", place)])

    def heading(self, text: str, *, level: int = 0, room: float = 90.0) -> None:
        """A heading that is a bookmark too. It goes to the next page where fewer points than ``room`` are left below it."""
        number = self._next()
        place, key = ((f"H{level + 2}", number),), f"h{number}"
        if level == 0:
            self._heads.append((key, text))

        def pieces(run: _Run) -> Sequence[Any]:
            made = Heading.of(text, HEADS[level], place)
            made.key, made.text, made.level, made.pages = key, text, level, run.pages
            return [CondPageBreak(min(room, self.height)), made]

        self._pieces.append(pieces)

    def contents(self, title: str) -> None:
        """All headings of the first level with their pages, those to come as well."""
        head, place = (("H2", self._next()),), (("TOC", self._next()),)

        def pieces(run: _Run) -> Sequence[Any]:
            lines: list[Any] = [Words.of(title, "h2", head)]
            for at, (key, text) in enumerate(self._heads):
                line = ContentsLine.of(text, "contents", (*place, ("TOCI", at)))
                line.key, line.pages = key, run.pages
                lines.append(line)
            return [*lines, Spacer(1, 6)]

        self._pieces.append(pieces)

    def items(self, items: Sequence[str]) -> None:
        place = (("L", self._next()),)
        self._pieces.append(lambda run: listed(items, place, self.width))

    def blank(self, text: str) -> None:
        """What only people can write, marked so that nobody misses it."""
        place = (("P", self._next()),)
        self._pieces.append(lambda run: [Spacer(1, 6), Words.of(text, "blank", place), Spacer(1, 12)])

    def table(self, columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]]) -> None:
        """A table; each column is its title and whether it holds numbers."""
        place = (("Table", self._next()),)
        # Head and three rows at least, or the table begins on the next page.
        self._pieces.append(lambda run: [CondPageBreak(88), grid(columns, rows, self.width, place)])

    @property
    def inches(self) -> float:
        """How high a chart may be: a higher one would leave half a page empty before it."""
        return 0.6 * self.height / INCH

    def room_of(self, figure: Any) -> float:
        """Points that a chart with its heading takes."""
        return Picture(figure, "", (), self.width, draws=False).height + 72

    def picture(self, figure: Any, alt: str) -> None:
        """A chart, drawn by matplotlib, with the words that stand for it."""
        place = (("Figure", self._next()),)
        self._pieces.append(lambda run: [Picture(figure, alt, place, self.width, draws=run.draws)])

    def made(self) -> bytes:
        """The file. Twice laid out: only then the contents and "of 12" are known."""
        pages: dict[str, int] = {}
        counted = self._laid_out(_Run(pages, draws=False), 0)[1]
        return self._laid_out(_Run(pages, draws=True), counted)[0]

    def _laid_out(self, run: _Run, total: int) -> tuple[bytes, int]:
        out, about = BytesIO(), self.about
        document = BaseDocTemplate(
            out, pagesize=about.paper, title=about.title, author=about.author, subject=about.subject, creator="Missions",
            lang=about.language, invariant=1, pageCompression=1, initialFontName=FACE,
        )  # fmt: skip
        frame = Frame(
            SIDE,
            BOTTOM,
            self.width,
            self.height,
            leftPadding=0,
            rightPadding=0,
            topPadding=0,
            bottomPadding=0,
        )
        template = PageTemplate(
            "page",
            [frame],
            onPage=lambda canvas, _document: canvas.setDateFormatter(lambda *_now: _pdf_date(about.made_at)),
            onPageEnd=lambda canvas, _document: self._foot(canvas, total),
        )
        document.addPageTemplates([template])
        document.build([piece for pieces in self._pieces for piece in pieces(run)], canvasmaker=TaggedCanvas)
        return out.getvalue(), document.page

    def _foot(self, canvas: Any, total: int) -> None:
        with canvas.decoration():
            canvas.setStrokeColor(theme()["line"])
            canvas.setLineWidth(0.5)
            canvas.line(SIDE, BOTTOM - 16, SIDE + self.width, BOTTOM - 16)
            canvas.setFillColor(theme()["ink-2"])
            canvas.setFont(FACE, 6.5)
            for at, line in enumerate(self.about.foot):
                canvas.drawString(SIDE, BOTTOM - 26 - 9 * at, cut(line, FACE, 6.5, self.width - 72))
            number = _("Page %(page)s of %(pages)s") % {"page": canvas.getPageNumber(), "pages": total}
            canvas.drawRightString(SIDE + self.width, BOTTOM - 26, number)

    def _next(self) -> int:
        self._number += 1
        return self._number


def _pdf_date(at: dt.datetime) -> str:
    """A time as PDF writes it: that of the content, not of the laying out, so that the bytes stay.

    >>> _pdf_date(dt.datetime(2026, 4, 2, 10, 0, tzinfo=dt.UTC))
    "D:20260402100000+00'00'"
    """
    return f"{at.astimezone(dt.UTC):D:%Y%m%d%H%M%S}+00'00'"
