"""A pack as files: a public site that needs no server and no script, its PDF and JSON, and the documents that a council asks for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from missions_project.lib.errors import MissionsError
from tactics.models import TransparencyPack
from tactics.transparency.charts import charts_drawn
from tactics.transparency.documents import DOCUMENTS, document_docx, document_html
from tactics.transparency.pdf import document_pdf, pack_pdf
from tactics.transparency.shapes import (
    content_hash,
    made_shown,
    model_shown,
    period_shown,
    table_from,
    written_in,
)


def shown_sections(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sections as a template shows them: tables with their values in words, each with the charts drawn from it."""
    found = []
    for section in content.get("sections", []):
        tables = [
            (table_from(table), [chart for chart in section["charts"] if chart["table"] == table["slug"]])
            for table in section["tables"]
        ]
        found.append(section | {"shown": tables})
    return found


def pack_json(pack: TransparencyPack) -> str:
    """The pack's own file: its content and its hash. Who it belongs to can be checked by anybody with ``--verify``."""
    return json.dumps({"hash": pack.content_hash, "content": pack.content}, indent=1, ensure_ascii=False)


def verify(text: str) -> tuple[str, Mapping[str, Any]]:
    """Recompute a pack file's hash: (hash, content). Raises ``MissionsError`` where it is none, or does not fit its content."""
    try:
        stored = json.loads(text)
        claimed, content = str(stored["hash"]), stored["content"]
        found = content_hash(content)
    except (ValueError, KeyError, TypeError) as exc:
        raise MissionsError(
            _("This file is no transparency pack."), next_step=_("give the pack.json of a published pack.")
        ) from exc
    if found != claimed:
        raise MissionsError(
            _("This pack was changed: its hash says %(claimed)s, its content gives %(found)s.")
            % {"claimed": claimed, "found": found},
            next_step=_("ask the agency for the file as it was published."),
        )
    return found, content


def site_html(pack: TransparencyPack, *, chart_folder: str = "charts/", style: str = "style.css") -> str:
    """The pack as one page: no script, its style and charts beside it."""
    context = {
        "pack": pack,
        "content": pack.content,
        "language": pack.language,
        "sections": shown_sections(pack.content),
        "charts": chart_folder,
        "style": style,
    }
    with written_in(pack.content):
        context |= {
            "period": period_shown(pack.content),
            "made_at": made_shown(pack.content),
            "model": model_shown(pack.content),
        }
        return render_to_string("tactics/transparency/site.html", context)


def style_sheet() -> str:
    """The site's own style sheet, with the sizes of all pages before it: a folder on another server holds no other file."""
    names = ("missions_project/scale.css", "tactics/transparency.css")
    return "".join(Path(str(finders.find(name))).read_text(encoding="utf-8") for name in names)


def pack_write(pack: TransparencyPack, folder: Path) -> list[Path]:
    """Write ``public/`` (the site, to be put on any web server) and ``documents/`` (to be completed by people). Paths in order.

    Two folders, so that a document with blanks is not published by copying everything. Raises ``MissionsError`` for a pack
    without content.
    """
    if not pack.content:
        raise MissionsError(
            _("%(pack)s holds nothing: it was not made.") % {"pack": pack}, next_step=_("make it first.")
        )
    public, documents = folder / "public", folder / "documents"
    files = {public / name: body for name, body in public_files(pack).items()}
    for slug in DOCUMENTS:
        files[documents / f"{slug}.html"] = document_html(pack, slug).encode()
        files[documents / f"{slug}.docx"] = document_docx(pack, slug)
        files[documents / f"{slug}.pdf"] = document_pdf(pack, slug)
    for path, body in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return list(files)


def public_files(pack: TransparencyPack) -> dict[str, bytes]:
    """The public folder: every file's path in it, and what it holds."""
    return {
        "index.html": site_html(pack).encode(),
        "style.css": style_sheet().encode(),
        "pack.json": pack_json(pack).encode(),
        "pack.pdf": pack_pdf(pack),
        **{f"charts/{name}.svg": drawn for name, drawn in charts_drawn(pack.content).items()},
    }
