"""A PDF's structure beside its looks: what is a heading, a list, a table's head, a picture with its words, and in which order it is read.

Without it a screen reader guesses from positions. Structure elements and marked content: ISO 32000-1, 14.7 and 14.8.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFObjectReference, PDFString
from reportlab.pdfgen.canvas import Canvas

Place = tuple[tuple[str, int], ...]
"""Where a piece stands in the tree: its own kind and number after those that hold it, ``(("Table", 4), ("TR", 0), ("TH", 2))``."""


@dataclass
class _Element:
    number: int
    role: str
    parent: "_Element | None"
    alt: str = ""
    scope: str = ""
    inside: list["_Element"] = field(default_factory=list)
    parts: list[tuple[int, int]] = field(default_factory=list)
    """Pages, from 0, with the number of the marked content there."""

    @property
    def name(self) -> str:
        return f"StructElem{self.number}"


class TaggedCanvas(Canvas):
    """A canvas that keeps, beside what is drawn, what it is."""

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self._root = _Element(0, "Document", None)
        self._elements: dict[Place, _Element] = {(): self._root}
        self._marked: list[list[_Element]] = [[]]
        self._is_open = False
        # A reader's window names the document, not its file, and shows the bookmarks.
        self.setViewerPreference("DisplayDocTitle", "true")
        self.showOutline()

    @contextmanager
    def tagged(self, place: Place, *, alt: str = "", scope: str = "") -> Iterator[None]:
        """What is drawn meanwhile belongs to this place of the tree; within another one to that."""
        if self._is_open:
            yield
            return
        element = self._element(place)
        element.alt, element.scope = alt or element.alt, scope or element.scope
        here = self._marked[-1]
        element.parts.append((len(self._marked) - 1, len(here)))
        with self._between(f"/{element.role} <</MCID {len(here)}>> BDC"):
            here.append(element)
            yield

    @contextmanager
    def decoration(self) -> Iterator[None]:
        """What is drawn meanwhile is no content: rules, grounds, the foot of the page. Nothing of it is read aloud."""
        if self._is_open:
            yield
            return
        with self._between("/Artifact BMC"):
            yield

    @contextmanager
    def _between(self, begin: str) -> Iterator[None]:
        self._code.append(begin)
        self._is_open = True
        try:
            yield
        finally:
            self._is_open = False
            self._code.append("EMC")

    def _element(self, place: Place) -> _Element:
        found = self._elements.get(place)
        if found is None:
            parent = self._element(place[:-1])
            found = self._elements[place] = _Element(len(self._elements), place[-1][0], parent)
            parent.inside.append(found)
        return found

    def showPage(self) -> None:
        name = self._doc.thisPageName()
        super().showPage()
        page = self._doc.idToObject[name]
        page.__NoDefault__ = [*page.__NoDefault__, "StructParents", "Tabs"]
        page.StructParents, page.Tabs = len(self._marked) - 1, PDFName("S")
        self._marked.append([])

    def save(self) -> None:
        self._write_tree()
        super().save()

    def _write_tree(self) -> None:
        document = self._doc
        root = PDFObjectReference("StructTreeRoot")
        for element in self._elements.values():
            document.Reference(self._written(element, root), element.name)
        numbers: list[Any] = []
        for at, marked in enumerate(self._marked[:-1]):
            numbers += [at, PDFArray([PDFObjectReference(element.name) for element in marked])]
        document.Reference(
            PDFDictionary(
                {
                    "Type": PDFName("StructTreeRoot"),
                    "K": PDFArray([PDFObjectReference(self._root.name)]),
                    "ParentTree": PDFDictionary({"Nums": PDFArray(numbers)}),
                    "ParentTreeNextKey": len(self._marked) - 1,
                }
            ),
            "StructTreeRoot",
        )
        catalog = document.Catalog
        catalog.StructTreeRoot, catalog.MarkInfo = root, PDFDictionary({"Marked": "true"})

    def _written(self, element: _Element, root: Any) -> Any:
        kids: list[Any] = [PDFObjectReference(one.name) for one in element.inside]
        for page, number in element.parts:
            where = PDFObjectReference(f"Page{page + 1}")
            kids.append(PDFDictionary({"Type": PDFName("MCR"), "Pg": where, "MCID": number}))
        told: dict[str, Any] = {
            "Type": PDFName("StructElem"),
            "S": PDFName(element.role),
            "P": PDFObjectReference(element.parent.name) if element.parent else root,
            "K": PDFArray(kids),
        }
        if element.alt:
            told["Alt"] = PDFString(element.alt)
        if element.scope:
            told["A"] = PDFDictionary({"O": PDFName("Table"), "Scope": PDFName(element.scope)})
        return PDFDictionary(told)
