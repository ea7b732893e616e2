"""Every file of a pack says whose it is, of which days, on which clock, by which models and when; old packs still open."""

from __future__ import annotations

import io
import json
from pathlib import Path

import docx
import pytest
from django.core.management import call_command
from pypdf import PdfReader

from patrols.selectors import models_behind
from tactics.models import TransparencyPack
from tactics.transparency.documents import DOCUMENTS, document_docx, document_html
from tactics.transparency.pdf import document_pdf, pack_pdf
from tactics.transparency.shapes import content_hash, made_shown
from tactics.transparency.site import pack_json, public_files, site_html, verify
from tests.tactics.histories import make_past
from tests.tactics.test_packs_as_pdf import a_pack


def pdf_text(made: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(made)).pages).split())


def docx_text(made: bytes) -> str:
    return " ".join(one.text for one in docx.Document(io.BytesIO(made)).paragraphs)


def every_form(pack: TransparencyPack) -> dict[str, str]:
    """What each of the pack's files says, by its name."""
    found = {"page": site_html(pack), "pdf": pdf_text(pack_pdf(pack))}
    for slug in DOCUMENTS:
        found[f"{slug}.html"] = document_html(pack, slug)
        found[f"{slug}.docx"] = docx_text(document_docx(pack, slug))
        found[f"{slug}.pdf"] = pdf_text(document_pdf(pack, slug))
    return found


def test_each_file_says_the_clock_the_models_and_when_the_pack_was_made() -> None:
    pack = a_pack(beats=3)
    for name, text in every_form(pack).items():
        assert "Policía de Río Verde" in text, name
        assert "Times are those of America/Chicago." in text, name
        assert "Model: Robbery v4 (made up)" in text, name
        # The PDF of the pack itself says the moment as it is stored.
        made = pack.content["made_at"] if name == "pdf" else made_shown(pack.content)
        assert f"Made {made}." in text, name
    properties = docx.Document(io.BytesIO(document_docx(pack, "use-policy"))).core_properties
    assert f"{properties.created:%Y-%m-%dT%H:%M}" == pack.content["made_at"][:16]


@pytest.mark.django_db
def test_a_made_pack_keeps_the_models_behind_its_periods_missions(tmp_path: Path) -> None:
    past = make_past(days=3, shifts=1)
    call_command("transparency_pack", "riverton", first=str(past.first), last=str(past.last), out=tmp_path)
    pack = TransparencyPack.objects.get()
    assert pack.content["format"] == 3
    assert pack.content["model"] == models_behind(past.agency, past.first, past.last)
    told = json.loads((tmp_path / "public/pack.json").read_text(encoding="utf-8"))["content"]
    assert told["agency"]["time_zone"] == "America/Chicago"
    assert told["model"] == pack.content["model"]
    assert told["made_at"]
    assert f"Model: {told['model']}" in (tmp_path / "public/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("form", "without"), [(1, ("model", "language")), (2, ("model",))])
def test_a_pack_of_an_earlier_form_opens_and_says_that_its_models_were_not_kept(
    form: int, without: tuple[str, ...]
) -> None:
    pack = a_pack(beats=3)
    content = {name: value for name, value in pack.content.items() if name not in without} | {"format": form}
    pack.content, pack.content_hash = content, content_hash(content)
    for name, text in every_form(pack).items():
        assert "Model: not kept with this pack" in text, name
    assert "index.html" in public_files(pack)
    assert verify(pack_json(pack))[0] == pack.content_hash
