"""The pieces that a PDF is laid out from, each telling the file what it is: words, headings, lists, tables, pictures."""

from collections.abc import Collection, Sequence
from typing import Any
from xml.sax.saxutils import escape

from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import Flowable, Paragraph, Table, TableStyle

from missions_project.lib.design import theme
from missions_project.lib.pdf.figures import figure_drawn, figure_size
from missions_project.lib.pdf.paper import FACE, styles
from missions_project.lib.pdf.tags import Place

PAD = 4.0
"""Points left and right of a cell's words."""


def _clean(text: str) -> str:
    """The text as reportlab's markup: what looks like a tag is what somebody wrote."""
    return escape(" ".join(str(text).split()))


class Words(Paragraph):
    """A paragraph that knows its place, on whichever pages its parts come to stand."""

    place: Place = ()

    @classmethod
    def of(cls, text: str, style: str, place: Place, *, bullet: str | None = None) -> Any:
        made = cls(_clean(text), styles()[style], bulletText=bullet)
        made.place = place
        return made

    def split(self, width: float, height: float) -> list[Any]:
        parts: list[Any] = super().split(width, height)
        for part in parts:
            part.place = self.place
        return parts

    def draw(self) -> None:
        with self.canv.tagged(self.place):
            super().draw()


class Heading(Words):
    """A heading: a bookmark, and the number of its page for the contents."""

    key, text, level = "", "", 0
    pages: dict[str, int]

    def draw(self) -> None:
        canvas = self.canv
        canvas.bookmarkHorizontal(self.key, 0, self.height + 4)
        canvas.addOutlineEntry(self.text, self.key, self.level, closed=self.level == 0)
        self.pages[self.key] = canvas.getPageNumber()
        super().draw()

    def split(self, width: float, height: float) -> list[Any]:
        # In one piece, or it would be two bookmarks.
        return []


class ContentsLine(Words):
    """A heading's name and page; a click leads there."""

    key = ""
    pages: dict[str, int]

    def draw(self) -> None:
        canvas, style = self.canv, self.style
        with canvas.tagged(self.place):
            super().draw()
            canvas.setFont(style.fontName, style.fontSize)
            canvas.setFillColor(style.textColor)
            canvas.drawRightString(
                self.width, style.leading - style.fontSize, str(self.pages.get(self.key, ""))
            )
        canvas.linkRect("", self.key, (0, 0, self.width, self.height), relative=1, thickness=0)


class Picture(Flowable):
    """A chart across the page, with the words that stand for it. ``draws`` is off while pages are only counted."""

    def __init__(self, figure: Any, alt: str, place: Place, width: float, *, draws: bool) -> None:
        super().__init__()
        self.figure, self.alt, self.place, self.draws = figure, alt, place, draws
        wide, high = figure_size(figure)
        self.scale = min(width / wide, 1.0)
        self.width, self.height = wide * self.scale, high * self.scale
        self.spaceAfter = 4

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        if not self.draws:
            return
        with self.canv.tagged(self.place, alt=self.alt):
            self.canv.scale(self.scale, self.scale)
            figure_drawn(self.figure, self.canv)


class Grid(Table):
    """A table whose head comes again on each page, and whose cells say which row and column they belong to."""

    place: Place = ()
    begins_at = 0
    """The row that stands first below the head, counted over all pages."""

    def split(self, width: float, height: float) -> list[Any]:
        parts: list[Any] = super().split(width, height)
        at = self.begins_at
        for part in parts:
            if isinstance(part, Grid):
                part.place, part.begins_at = self.place, at
                at += part._nrows - 1
        return parts

    def draw(self) -> None:
        self._drawn = 0
        super().draw()

    def _drawBkgrnd(self) -> None:
        with self.canv.decoration():
            super()._drawBkgrnd()

    def _drawLines(self) -> None:
        with self.canv.decoration():
            super()._drawLines()

    def _drawCell(self, *args: Any) -> None:
        row, column = divmod(self._drawn, self._ncols)
        self._drawn += 1
        if row == 0 and self.begins_at:
            # The head again, on a further page: it was read once.
            with self.canv.decoration():
                super()._drawCell(*args)
            return
        number = 0 if row == 0 else self.begins_at + row
        scope = "Column" if row == 0 else "" if column else "Row"
        place = (*self.place, ("TR", number), ("TH" if scope else "TD", column))
        with self.canv.tagged(place, scope=scope):
            super()._drawCell(*args)


def grid(
    columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]], width: float, place: Place
) -> Any:
    """A table across the page. A column is its title and whether it holds numbers, which stand at the right."""
    head, number_head, cell = styles()["head"], styles()["number head"], styles()["cell"]
    titles = [Paragraph(_clean(title), number_head if is_number else head) for title, is_number in columns]
    # A figure and its sign stay on one line.
    gaps = ["\N{NO-BREAK SPACE}" if is_number else " " for _, is_number in columns]
    cells = [[gap.join(text.split()) for gap, text in zip(gaps, row, strict=True)] for row in rows]
    widths = _widths([title for title, _ in columns], cells, width)
    kinds = [styles()["number"] if is_number else cell for _, is_number in columns]
    lines: list[list[Any]] = [titles]
    for row in cells:
        lines.append([Paragraph(escape(text), kind) for text, kind in zip(row, kinds, strict=True)])
    rule, ground = theme()["line"], theme()["paper-2"]
    made = Grid(lines, colWidths=widths, repeatRows=1, hAlign="LEFT")
    made.place = place
    made.setStyle(
        TableStyle(
            [
                ("FONTNAME", (0, 0), (-1, -1), FACE),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
                ("BACKGROUND", (0, 0), (-1, 0), ground),
                ("LINEBELOW", (0, 0), (-1, -1), 0.5, rule),
                ("LEFTPADDING", (0, 0), (-1, -1), PAD),
                ("RIGHTPADDING", (0, 0), (-1, -1), PAD),
                ("TOPPADDING", (0, 0), (-1, -1), 2.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3.5),
            ]
        )
    )
    made.spaceAfter = 6
    return made


def _widths(titles: Sequence[str], rows: Sequence[Sequence[str]], width: float) -> list[float]:
    """Widths from what the columns hold: their longest words, then their longest lines, then their titles on one line."""
    cell, head = styles()["cell"], styles()["head"]
    least, lines, wanted = [], [], []
    for at, title in enumerate(titles):
        texts = {row[at] for row in rows}
        # A no-break space is no place to break at, whatever split() thinks.
        of_words = _longest(cell, {word for text in texts for word in text.split(" ")})
        # A hair more, or rounding breaks the longest word.
        pad = 2 * PAD + 0.5
        least.append(max(of_words, _longest(head, title.split())) + pad)
        lines.append(max(least[-1], _longest(cell, texts) + pad))
        wanted.append(max(lines[-1], _longest(head, [title]) + pad))
    return shared_width(least, lines, width) if sum(lines) > width else shared_width(lines, wanted, width)


def _longest(style: Any, texts: Collection[str]) -> float:
    return max((float(stringWidth(text, style.fontName, style.fontSize)) for text in texts), default=0.0)


def shared_width(least: Sequence[float], wanted: Sequence[float], width: float) -> list[float]:
    """Share a width among columns, so that none is below its least while another is above.

    >>> shared_width([10, 10], [10, 30], 80)
    [20.0, 60.0]
    >>> shared_width([10, 10], [10, 90], 60)
    [10.0, 50.0]
    >>> shared_width([40, 60], [50, 90], 50)
    [20.0, 30.0]
    """
    if sum(wanted) <= width:
        return [width * one / sum(wanted) for one in wanted]
    if sum(least) >= width:
        return [width * one / sum(least) for one in least]
    more = (width - sum(least)) / (sum(wanted) - sum(least))
    return [low + more * (high - low) for low, high in zip(least, wanted, strict=True)]


def listed(items: Sequence[str], place: Place, width: float) -> list[Any]:
    """A list: one line each, or in columns where all are short."""
    longest = max((len(item) for item in items), default=0)
    if len(items) < 6 or longest > 44:
        return [Words.of(item, "item", _item(place, at), bullet="•") for at, item in enumerate(items)]
    n = 3 if longest <= 26 else 2
    cells: list[Any] = [
        Words.of(item, "short item", _item(place, at), bullet="•") for at, item in enumerate(items)
    ]
    cells += [""] * (-len(cells) % n)
    made = Table(
        [cells[at : at + n] for at in range(0, len(cells), n)], colWidths=[width / n] * n, hAlign="LEFT"
    )
    none = [(f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")]
    made.setStyle(
        TableStyle([("FONTNAME", (0, 0), (-1, -1), FACE), ("VALIGN", (0, 0), (-1, -1), "TOP"), *none])
    )
    made.spaceAfter = 6
    return [made]


def _item(place: Place, at: int) -> Place:
    return (*place, ("LI", at), ("LBody", 0))


def cut(text: str, face: str, size: float, width: float) -> str:
    """The text, with … in place of what does not fit into one line."""
    if stringWidth(text, face, size) <= width:
        return text
    while text and stringWidth(f"{text}…", face, size) > width:
        text = text[:-1]
    return f"{text.rstrip()}…"
