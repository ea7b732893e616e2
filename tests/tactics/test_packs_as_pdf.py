"""Packs and documents as PDF, read back: words, bookmarks, foot, properties, structure; the same pack, the same bytes."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from pypdf import PdfReader

from agencies.models import User
from missions_project.lib.runs import RunStatus
from tactics.models import TransparencyPack, TransparencyPolicy
from tactics.reports.shapes import Column, Table
from tactics.transparency.documents import DOCUMENTS, document_blocks
from tactics.transparency.pdf import document_pdf, pack_pdf
from tactics.transparency.services import pack_publish
from tactics.transparency.shapes import PackChart, Section, content_hash, plain
from tests.factories import make_agency, make_member
from tests.tactics.histories import PastWeeks, make_past

SignIn = Callable[[User | None], Client]
BEATS = 300
LETTER, A4 = (612, 792), (595, 842)


def a_pack(
    *, language: str = "en", time_zone: str = "America/Chicago", beats: int = BEATS, state: str = "published"
) -> TransparencyPack:
    """A pack of one section: a list, a chart, and a table of many beats."""
    table = Table(
        "where-1", "By beat", (
            Column("beat", "Beat"), Column("missions", "Missions", "int"), Column("share", "Part of minutes", "share"),
            Column("why", "Why"),
        ),
        [(f"Beat-{at:03d}", 1000 + at, at / 1000, "More than its part: ≥ 2 – as asked <b>by</b> residents & council" if at % 50 == 0 else "")
         for at in range(beats)],
        note="Half of the rows are made up.",
    )  # fmt: skip
    chart = PackChart(
        "where-1", "Minutes by beat", "Bars: the part of each beat.", "where-1", "beat", ("share",)
    )
    section = Section(
        "where", "Adónde fueron los patrullajes, y por qué", ["Sé que ningún año ñandú: ¿≥ 3 – o más?"], (table,), (chart,),
        (("Never used", ["race", "income", "education", "ethnicity", "rent", "owners"]),),
    )  # fmt: skip
    content = plain(
        {
            "format": 3, "model": "Robbery v4 (made up)", "language": language, "number": 4, "made_at": "2026-04-02T10:00:00+00:00", "threshold": 1.25,
            "agency": {"slug": "riverton", "name": "Policía de Río Verde", "time_zone": time_zone},
            "period": {"first": "2026-01-01", "last": "2026-03-31"},
            "previous": {"number": 3, "hash": "a" * 64},
            "sections": [section.as_json()],
        }
    )  # fmt: skip
    return TransparencyPack(
        number=4, language=language, content=content, content_hash=content_hash(content), state=state
    )


def read(made: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(made), strict=True)


def text_of(file: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in file.pages).split())


def bookmarks(outline: Any, level: int = 0) -> Iterator[tuple[int, str]]:
    for one in outline:
        if isinstance(one, list):
            yield from bookmarks(one, level + 1)
        else:
            yield level, one.title


def structure(file: PdfReader) -> Iterator[Mapping[str, Any]]:
    """Every element of the structure tree, in the order in which it is read aloud."""
    waiting = list(file.trailer["/Root"]["/StructTreeRoot"]["/K"])
    while waiting:
        element = waiting.pop(0).get_object()
        if element.get("/Type") == "/StructElem":
            yield element
            waiting[:0] = list(element["/K"])


@pytest.fixture(scope="module")
def made() -> bytes:
    return pack_pdf(a_pack())


def test_the_file_names_itself_its_agency_its_language_and_its_hash(made: bytes) -> None:
    file, pack = read(made), a_pack()
    assert file.metadata is not None
    assert file.metadata.title == "Policía de Río Verde: transparency pack 4"
    assert file.metadata.author == "Policía de Río Verde"
    assert file.metadata.subject == f"SHA-256 {pack.content_hash}"
    root = file.trailer["/Root"]
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert root["/PageMode"] == "/UseOutlines"


def test_each_pages_foot_says_whose_pack_it_is_of_when_its_hash_and_which_page(made: bytes) -> None:
    file, pack = read(made), a_pack()
    n = len(file.pages)
    assert n > 5
    for number, page in enumerate(file.pages, 1):
        text = " ".join(page.extract_text().split())
        assert "Policía de Río Verde · Transparency pack 4 · 1 Jan 2026 – 31 Mar 2026" in text
        assert f"SHA-256 {pack.content_hash}" in text
        assert f"Page {number} of {n}" in text
        assert "Draft" not in text


def test_accents_signs_and_markup_are_shown_as_they_were_written(made: bytes) -> None:
    text = text_of(read(made))
    for words in (
        "1. Adónde fueron los patrullajes, y por qué", "Sé que ningún año ñandú: ¿≥ 3 – o más?", "<b>by</b> residents & council",
        "pack.json", "a" * 64, "Half of the rows are made up.", "29.9 %", "1,299",
    ):  # fmt: skip
        assert words in text, words


def test_headings_are_bookmarks_and_the_contents_say_their_pages(made: bytes) -> None:
    file = read(made)
    found = list(bookmarks(file.outline))
    assert found == [
        (0, "1. Adónde fueron los patrullajes, y por qué"), (1, "Never used"), (1, "By beat"), (0, "Is this what was published?"),
    ]  # fmt: skip
    last = file.get_destination_page_number(file.outline[-1])
    assert last == len(file.pages) - 1
    first = " ".join(file.pages[0].extract_text().split())
    assert re.search(rf"Is this what was published\? {last + 1}\b", first)


def test_a_long_table_breaks_over_pages_with_its_head_on_each_and_every_row_once(made: bytes) -> None:
    pages = [" ".join(page.extract_text().split()) for page in read(made).pages]
    # The chart names some beats too: those are on the page of the chart.
    with_rows = [page for page in pages if re.search(r"Beat-\d{3} 1,\d{3} ", page)]
    assert len(with_rows) >= 5
    assert all("Beat Missions Part of minutes Why" in page for page in with_rows)
    rows = re.findall(r"(Beat-\d{3}) 1,\d{3} ", " ".join(pages))
    assert rows == [f"Beat-{at:03d}" for at in range(BEATS)]


def test_the_same_pack_gives_the_same_bytes_and_another_gives_others(made: bytes) -> None:
    assert pack_pdf(a_pack()) == made
    assert pack_pdf(a_pack(beats=299)) != made


def test_screen_readers_are_told_what_is_what_and_what_a_chart_shows(made: bytes) -> None:
    file = read(made)
    assert file.trailer["/Root"]["/MarkInfo"]["/Marked"]
    elements = list(structure(file))
    roles = [element["/S"] for element in elements]
    assert roles[:2] == ["/Document", "/P"]
    assert [role for role in roles if role in ("/H1", "/H2", "/H3")] == [
        "/H1",
        "/H2",
        "/H2",
        "/H3",
        "/H3",
        "/H2",
    ]
    # One head and three hundred rows, however many pages repeat the head.
    assert roles.count("/TR") == BEATS + 1
    assert roles.count("/TH") == 4 + BEATS
    assert roles.count("/LI") == 6
    (figure,) = [element for element in elements if element["/S"] == "/Figure"]
    assert figure["/Alt"] == "Bars: the part of each beat."


def test_everything_on_a_page_is_content_in_the_tree_or_marked_as_decoration(made: bytes) -> None:
    for page in read(made).pages:
        stream = page.get_contents().get_data().decode("latin-1")
        begun = len(re.findall(r"\bBDC\b|\bBMC\b", stream))
        assert begun == len(re.findall(r"\bEMC\b", stream)) > 0
        outside = re.sub(r"(?:BDC|BMC).*?\bEMC\b", "", stream, flags=re.S)
        # No words, no lines, no grounds outside.
        assert not re.findall(r"\b(?:Tj|TJ|S|f|B|f\*|B\*)\s", outside), outside[:400]


def test_every_typeface_is_inside_the_file(made: bytes) -> None:
    faces = {}
    for page in read(made).pages:
        faces |= {name: font.get_object() for name, font in page["/Resources"]["/Font"].items()}
    assert len(faces) >= 2
    for face in faces.values():
        assert "/FontFile2" in face["/FontDescriptor"], face["/BaseFont"]


@pytest.mark.parametrize(("time_zone", "paper"), [("America/Chicago", LETTER), ("US/Central", LETTER), ("America/Mexico_City", LETTER),
                                                  ("Europe/Madrid", A4), ("America/Argentina/Buenos_Aires", A4), ("UTC", A4)])  # fmt: skip
def test_the_paper_is_the_one_of_the_agencys_country(time_zone: str, paper: tuple[int, int]) -> None:
    box = read(pack_pdf(a_pack(time_zone=time_zone, beats=3))).pages[0].mediabox
    assert (round(box.width), round(box.height)) == paper


def test_a_draft_says_so_on_each_page() -> None:
    for page in read(pack_pdf(a_pack(beats=120, state="draft"))).pages:
        assert "Draft, not published." in page.extract_text()


def test_a_pack_in_spanish_is_spanish_to_the_foot() -> None:
    with translation.override("es"):
        expected = translation.gettext("How forecasts and patrols are used")
    if expected == "How forecasts and patrols are used":
        pytest.skip("The translations are older than the texts. Next step: make translations")
    file = read(pack_pdf(a_pack(language="es", beats=3)))
    assert file.trailer["/Root"]["/Lang"] == "es"
    assert expected in text_of(file)


@pytest.mark.parametrize("slug", DOCUMENTS)
def test_a_document_marks_every_blank_and_bookmarks_every_heading(slug: str) -> None:
    pack = a_pack()
    file = read(document_pdf(pack, slug))
    text = text_of(file)
    blocks = document_blocks(pack, slug)
    blanks = [" ".join(block.text.split()) for block in blocks if block.kind == "blank"]
    assert len(blanks) >= 3
    assert [blank for blank in blanks if blank not in text] == []
    heads = [block.text for block in blocks if block.kind == "heading"]
    assert [title for level, title in bookmarks(file.outline) if level == 0] == heads
    assert file.metadata is not None
    assert file.metadata.title == f"{DOCUMENTS[slug][0]}: Policía de Río Verde"
    assert document_pdf(pack, slug) == document_pdf(pack, slug)


@pytest.fixture
def past(db: None) -> PastWeeks:
    """Ten days of one shift, in a city without a census."""
    return make_past(days=10, shifts=1)


def test_the_files_of_a_pack_hold_its_pdf_and_the_documents(past: PastWeeks, tmp_path: Path) -> None:
    call_command("transparency_pack", "riverton", first=str(past.first), last=str(past.last), out=tmp_path)
    pack = TransparencyPack.objects.get()
    assert (tmp_path / "public/pack.pdf").read_bytes() == pack_pdf(pack)
    assert 'href="pack.pdf"' in (tmp_path / "public/index.html").read_text(encoding="utf-8")
    text = text_of(read((tmp_path / "public/pack.pdf").read_bytes()))
    for section in pack.content["sections"]:
        for words in (
            section["title"],
            *section["sentences"],
            *(table["title"] for table in section["tables"]),
        ):
            assert " ".join(words.split()) in text, words
    for slug in DOCUMENTS:
        assert (tmp_path / f"documents/{slug}.pdf").read_bytes().startswith(b"%PDF-1.")


@pytest.mark.django_db
def test_who_can_have_the_pdf_is_who_can_read_the_pack(sign_in: SignIn) -> None:
    agency = make_agency()
    policy = TransparencyPolicy.objects.create(agency=agency, disparity_threshold=10.0, is_public=True)
    admin = make_member(agency, "admin")
    pack = a_pack(beats=3, state="draft")
    pack.agency, pack.number, pack.status = agency, 1, RunStatus.SUCCEEDED
    pack.first, pack.last, pack.made_at = dt.date(2026, 1, 1), dt.date(2026, 3, 31), timezone.now()
    pack.save()
    inside, public = (reverse(f"tactics:{name}", args=["riverton", 1]) for name in ("pack_pdf", "public_pdf"))
    document = reverse("tactics:pack_document", args=["riverton", 1, "use-policy", "pdf"])
    client = sign_in(admin)
    draft = client.get(inside)
    assert (draft.status_code, draft["Content-Type"]) == (200, "application/pdf")
    assert "Draft, not published." in text_of(read(draft.content))
    assert client.get(document)["Content-Type"] == "application/pdf"
    folder = zipfile.ZipFile(
        io.BytesIO(client.get(reverse("tactics:pack_site", args=["riverton", 1])).content)
    )
    assert folder.read("transparency-pack-1/pack.pdf") == draft.content
    officer = sign_in(make_member(agency, "officer"))
    assert {officer.get(inside).status_code, officer.get(document).status_code} == {403}
    nobody = Client()
    assert nobody.get(public).status_code == 404
    pack_publish(pack=pack, actor=admin)
    answer = nobody.get(public)
    assert answer["Cache-Control"] == "public, max-age=300"
    assert "Draft" not in text_of(read(answer.content))
    assert nobody.get(inside).status_code == 302
    policy.is_public = False
    policy.save()
    assert nobody.get(public).status_code == 302
    page = reverse("admin:tactics_transparencypack_change", args=[pack.pk])
    assert inside in sign_in(admin).get(page).content.decode()
