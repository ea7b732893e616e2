"""The pages of transparency packs: for members, with drafts; and those that anybody may read where the agency says so."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agencies.access import EVERYONE, SEES_RISK, Access, agency_page
from agencies.exported import for_anybody
from agencies.lookups import date_from_text
from agencies.models import Agency, Role
from missions_project.lib import walls
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from tactics.models import TransparencyPack
from tactics.tasks import transparency_pack_task
from tactics.transparency import selectors, services, site
from tactics.transparency.charts import chart_of, chart_svg
from tactics.transparency.documents import DOCUMENTS, document_docx, document_html
from tactics.transparency.pdf import KIND as PDF
from tactics.transparency.pdf import document_pdf, pack_pdf
from tactics.transparency.shapes import written_in

SEES_PACKS = SEES_RISK
MAKES_PACKS = frozenset({Role.SUPERVISOR, Role.ANALYST, Role.ADMIN})
PUBLISHES_PACKS = frozenset({Role.ADMIN})
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
DAY_S = 24 * 3600
ENDINGS: dict[str, tuple[str, Callable[[TransparencyPack, str], str | bytes]]] = {
    "html": ("text/html; charset=utf-8", document_html),
    "docx": (DOCX, document_docx),
    "pdf": (PDF, document_pdf),
}
"""The forms that a document comes in, with their media types."""


def public_page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A view ``(request, agency, …)`` of published packs: for anybody where the agency says so, else for its members."""

    @agency_page(EVERYONE)
    def for_members(request: HttpRequest, access: Access, **kwargs: Any) -> HttpResponseBase:
        answer = view(request, access.agency, **kwargs)
        answer.headers.setdefault("Cache-Control", "private, max-age=60")
        return answer

    @wraps(view)
    def wrapped(request: HttpRequest, agency_slug: str, **kwargs: Any) -> HttpResponseBase:
        # Anybody may ask whether an agency publishes; what it publishes is then read within that agency.
        with walls.within(walls.EVERYTHING):
            agency = (
                Agency.objects.filter(slug=agency_slug, transparencypolicy__is_public=True)
                .defer("boundary")
                .first()
            )
        if agency is None:
            return for_members(request, agency_slug=agency_slug, **kwargs)
        walls.now_within(walls.of_agency(agency.pk))
        answer = view(request, agency, **kwargs)
        answer.headers.setdefault("Cache-Control", "public, max-age=300")
        return for_anybody(answer)

    return require_GET(wrapped)


def _published(agency: Agency, number: int) -> TransparencyPack:
    pack = selectors.published_pack(agency, number)
    if pack is None:
        raise Http404("There is no such published pack.")
    return pack


@public_page
def public_list(request: HttpRequest, agency: Agency) -> HttpResponse:
    """The published packs, newest first. Two queries where it is public."""
    context = {"agency": agency, "packs": selectors.published_packs(agency)}
    return render(request, "tactics/transparency/public.html", context)


@public_page
def public_pack(request: HttpRequest, agency: Agency, number: int) -> HttpResponse:
    """One published pack, the same page as in its folder. Two queries where it is public."""
    pack = _published(agency, number)
    return HttpResponse(site.site_html(pack, style="../style.css"))


@public_page
def public_chart(request: HttpRequest, agency: Agency, number: int, chart: str) -> HttpResponse:
    """One of its charts, drawn once a day at most."""
    return _chart(_published(agency, number), chart)


@public_page
def public_json(request: HttpRequest, agency: Agency, number: int) -> HttpResponse:
    """All its figures with their hash."""
    return _json(_published(agency, number), agency)


@public_page
def public_pdf(request: HttpRequest, agency: Agency, number: int) -> HttpResponse:
    """The pack as one file to print and to keep, laid out once a day at most."""
    return _pdf(_published(agency, number), agency)


@public_page
def public_style(request: HttpRequest, agency: Agency) -> HttpResponse:
    """The style sheet of these pages, the one that stands in the folder."""
    return HttpResponse(site.style_sheet(), content_type="text/css; charset=utf-8")


def _chart(pack: TransparencyPack, slug: str) -> HttpResponse:
    key = f"pack-chart:{hashlib.sha256(f'{pack.content_hash}:{slug}'.encode()).hexdigest()[:40]}"
    drawn: bytes | None = cache.get(key)
    if drawn is None:
        found = chart_of(pack.content, slug)
        if found is None:
            raise Http404("This pack has no such chart.")
        with written_in(pack.content):
            drawn = chart_svg(*found)
        cache.set(key, drawn, DAY_S)
    return HttpResponse(drawn, content_type="image/svg+xml")


def _json(pack: TransparencyPack, agency: Agency) -> HttpResponse:
    name = f"{agency.slug}-transparency-pack-{pack.number}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(site.pack_json(pack), content_type="application/json", headers=headers)


def _pdf(pack: TransparencyPack, agency: Agency) -> HttpResponse:
    # A draft says so on each page.
    key = f"pack-pdf:{pack.content_hash[:40]}:{pack.state}"
    made: bytes | None = cache.get(key)
    if made is None:
        made = pack_pdf(pack)
        cache.set(key, made, DAY_S)
    name = f"{agency.slug}-transparency-pack-{pack.number}.pdf"
    return HttpResponse(made, content_type=PDF, headers={"Content-Disposition": f'inline; filename="{name}"'})


def _pack(access: Access, number: int) -> TransparencyPack:
    pack = selectors.pack_of(access.agency, number)
    if pack is None:
        raise Http404("There is no such pack.")
    return pack


@require_GET
@agency_page(SEES_PACKS)
def packs(request: HttpRequest, access: Access) -> HttpResponse:
    """All packs, drafts too, and the form for the next one. Four queries of its own."""
    today = timezone.localdate(timezone=ZoneInfo(access.agency.time_zone))
    rows = selectors.packs_of(access.agency)
    context = {
        "tab": "reports", "packs": rows, "period": selectors.next_period(access.agency, today),
        "may_make": access.has(MAKES_PACKS), "is_public": selectors.is_public(access.agency),
        "n_open": selectors.open_findings(access.agency).count(),
        "making": [row for row in rows if not row.is_finished],
        "languages": settings.LANGUAGES, "language": rows[0].language if rows else "en",
    }  # fmt: skip
    return render(request, "tactics/transparency/packs.html", context)


@require_POST
@agency_page(MAKES_PACKS)
def pack_new(request: HttpRequest, access: Access) -> HttpResponse:
    """Have a pack made in the background."""
    try:
        pack = services.pack_queue(
            agency=access.agency, requested_by=access.user,
            first=date_from_text(request.POST.get("first", "")), last=date_from_text(request.POST.get("last", "")),
            language=request.POST.get("language", "en"),
        )  # fmt: skip
        transparency_pack_task.delay_on_commit(pack.pk)
        messages.success(request, _("%(pack)s is being made.") % {"pack": pack})
    except MissionsError as exc:
        messages.error(request, str(exc))
    return redirect("tactics:packs", access.agency.slug)


@require_GET
@agency_page(SEES_PACKS)
def pack(request: HttpRequest, access: Access, number: int) -> HttpResponse:
    """One pack as the public would read it, with its findings as they stand now and what can be done with it. Five queries."""
    row = _pack(access, number)
    context = {
        "tab": "reports", "pack": row, "sections": site.shown_sections(row.content),
        "charts": reverse("tactics:pack_chart", args=[access.agency.slug, number, "x"]).removesuffix("x.svg"),
        "findings": selectors.findings_of(row), "documents": [(slug, title) for slug, (title, _blocks) in DOCUMENTS.items()],
        "earlier": selectors.open_findings(access.agency).exclude(pack=row).count(),
        "may_publish": access.has(PUBLISHES_PACKS),
        "is_open": row.state == TransparencyPack.State.DRAFT and row.status == RunStatus.SUCCEEDED,
    }  # fmt: skip
    return render(request, "tactics/transparency/pack.html", context)


@require_GET
@agency_page(SEES_PACKS)
def pack_chart(request: HttpRequest, access: Access, number: int, chart: str) -> HttpResponse:
    """One chart of a pack, draft or published."""
    return _chart(_pack(access, number), chart)


@require_GET
@agency_page(SEES_PACKS)
def pack_document(
    request: HttpRequest, access: Access, number: int, document: str, ending: str
) -> HttpResponse:
    """A document filled in from the pack, to be completed by people."""
    row = _pack(access, number)
    if document not in DOCUMENTS or ending not in ENDINGS or not row.content:
        raise Http404("This pack has no such document.")
    kind, make = ENDINGS[ending]
    name = f"{access.agency.slug}-{document}-{number}.{ending}"
    return HttpResponse(
        make(row, document),
        content_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_GET
@agency_page(SEES_PACKS)
def pack_file(request: HttpRequest, access: Access, number: int) -> HttpResponse:
    """The pack as PDF, draft or published."""
    row = _pack(access, number)
    if not row.content:
        raise Http404("This pack holds nothing yet.")
    return _pdf(row, access.agency)


@require_GET
@agency_page(SEES_PACKS)
def pack_site(request: HttpRequest, access: Access, number: int) -> HttpResponse:
    """The public folder as one ZIP file, to be put on any web server or opened from a disk."""
    row = _pack(access, number)
    if not row.content:
        raise Http404("This pack holds nothing yet.")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as folder:
        for name, body in site.public_files(row).items():
            folder.writestr(f"transparency-pack-{number}/{name}", body)
    name = f"{access.agency.slug}-transparency-pack-{number}.zip"
    return HttpResponse(
        out.getvalue(),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_POST
@agency_page(PUBLISHES_PACKS)
def pack_decide(request: HttpRequest, access: Access, number: int) -> HttpResponse:
    """Publish a draft, or set it aside."""
    row = _pack(access, number)
    try:
        if request.POST.get("decision") == "publish":
            services.pack_publish(pack=row, actor=access.user)
            messages.success(request, _("%(row)s is published.") % {"row": row})
        else:
            services.pack_discard(pack=row, actor=access.user)
            messages.success(request, _("%(row)s is set aside.") % {"row": row})
    except MissionsError as exc:
        messages.error(request, str(exc))
    return redirect("tactics:pack", access.agency.slug, number)
