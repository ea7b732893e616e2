"""How good one feed's data is, and the rows of it that wait for somebody."""

from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import get_conditional_response
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agencies.access import EXPORTS, MAPS_CODES, SEES_RISK, Access, agency_page
from ingestion import charts, services
from ingestion.models import FACT_KINDS, Feed
from ingestion.quality_page import quality_context
from ingestion.selectors import feed_waiting
from ingestion.selectors.kept import kept_columns, kept_rows, kept_table
from ingestion.tasks import import_task
from ingestion.words import rejection_words
from missions_project.lib.errors import MissionsError
from missions_project.lib.exports import NO_MODEL, About, csv_response

PAGE_ROWS = 50


def _feed(access: Access, slug: str) -> Feed:
    measured = Feed.objects.select_related("agency").filter(record_kind__in=FACT_KINDS)
    feed: Feed = get_object_or_404(measured, agency=access.agency, slug=slug)
    return feed


@require_GET
@agency_page(SEES_RISK)
def quality(request: HttpRequest, access: Access, feed_slug: str) -> HttpResponse:
    """Everything measured of one feed, and its codes that nobody has mapped. About fifteen queries, none a row."""
    feed = _feed(access, feed_slug)
    return render(
        request, "ingestion/quality.html", {"tab": "data", "access": access, **quality_context(feed)}
    )


@require_GET
@agency_page(SEES_RISK)
def quality_svg(request: HttpRequest, access: Access, feed_slug: str, chart: str) -> HttpResponseBase:
    """One chart of the page; the same data gives the same bytes."""
    kept = services.feed_quality(feed=_feed(access, feed_slug))
    etag = f'"{charts.VERSION}-{get_language()}-{chart}-{kept.version}-{kept.measured_at.timestamp():.0f}"'
    response = get_conditional_response(request, etag=etag)
    if response is None:
        response = HttpResponse(charts.CHARTS[chart](services.quality_of(kept)), content_type="image/svg+xml")
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response


@require_POST
@agency_page(MAPS_CODES)
def code_choose(request: HttpRequest, access: Access, feed_slug: str) -> HttpResponse:
    """Say what a code means, and have the rows that waited for it read again."""
    feed = _feed(access, feed_slug)
    chosen = {
        name: request.POST.get(name, "") for name in ("code", "choice", "description", "written_reason")
    }
    try:
        entry = services.offence_code_choose(feed=feed, actor=access.user, **chosen)
    except MissionsError as exc:
        messages.error(request, str(exc))
        return redirect("ingestion:quality", access.agency.slug, feed.slug)
    meaning = entry.crime_type.name if entry.crime_type else _("ignored: counted, never stored")
    run = services.unmapped_replay_queue(feed=feed, requested_by=access.user)
    if run is not None:
        import_task.delay_on_commit(run.pk)
    messages.success(
        request,
        _("Code “%(code)s” is %(meaning)s. The rows that waited for it are read again.")
        % {"code": entry.code, "meaning": meaning},
    )
    return redirect("ingestion:quality", access.agency.slug, feed.slug)


@require_POST
@agency_page(MAPS_CODES)
def replay(request: HttpRequest, access: Access, feed_slug: str) -> HttpResponse:
    """Have kept rows, of one code or all, read again with today's mapping."""
    feed = _feed(access, feed_slug)
    code = request.POST.get("code", "")
    try:
        run = services.quarantine_replay_queue(
            feed=feed, codes=[code] if code else None, requested_by=access.user
        )
    except MissionsError as exc:
        messages.error(request, str(exc))
    else:
        import_task.delay_on_commit(run.pk)
        messages.success(request, _("The rows are read again; the page shows what is left."))
    return redirect("ingestion:kept", access.agency.slug, feed.slug)


@require_GET
@agency_page(EXPORTS)
def kept(request: HttpRequest, access: Access, feed_slug: str) -> HttpResponse:
    """Waiting rows with the reason, fifty a page, of one code or all. Six queries."""
    feed, code = _feed(access, feed_slug), request.GET.get("code", "")
    page = Paginator(kept_rows(feed, code=code), PAGE_ROWS).get_page(request.GET.get("page"))
    columns = kept_columns(feed)
    for row in page:
        row.kind, row.cells = (
            rejection_words(row.code),
            [(name, row.values.get(name, "")) for name in columns],
        )
    waiting = [(rejection_words(name), number) for name, number in feed_waiting(feed).items()]
    context = {"tab": "data", "access": access, "feed": feed, "code": code, "page": page, "columns": columns}
    context |= {"waiting": waiting, "all": sum(number for _, number in waiting)}
    return render(request, "ingestion/kept.html", context | {"zone": ZoneInfo(access.agency.time_zone)})


@require_GET
@agency_page(EXPORTS)
def kept_csv(request: HttpRequest, access: Access, feed_slug: str) -> HttpResponseBase:
    """The same rows as a file, streamed."""
    feed, code = _feed(access, feed_slug), request.GET.get("code", "")
    header, rows = kept_table(feed, code=code)
    about = About(
        what=_("Rows of feed %(name)s that could not be imported") % {"name": feed.name},
        agency=access.agency.name,
        asked=_("Reason %(code)s; mapped columns only") % {"code": code or _("any")},
        zone=access.agency.time_zone,
        model=NO_MODEL,
        more=(
            _("Downloaded by %(user)s") % {"user": access.user},
            _("Times inside the rows are as the source wrote them"),
        ),
    )
    return csv_response(f"kept-{feed.slug}.csv", about=about, columns=header, rows=rows)
