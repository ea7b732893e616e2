"""This room's steps of an agency's set-up, for the checklist on the admin's start page."""

from django.urls import reverse
from django.utils.translation import gettext as _

from agencies import checklist
from agencies.checklist import ChecklistItem
from agencies.models import Agency
from ingestion.models import ContextLayer, Feed, Incident, QuarantinedRow, RecordKind


def _list(model: str, agency: Agency) -> str:
    return f"{reverse(f'admin:ingestion_{model}_changelist')}?agency__id__exact={agency.pk}"


def _next_feed(agency: Agency, feeds: list[Feed]) -> str:
    """Where a feed is mapped: straight at the one that waits for it, else the list, else a new one."""
    waiting = [feed for feed in feeds if not feed.mapping]
    if len(waiting) == 1:
        return reverse("admin:ingestion_feed_upload", args=[waiting[0].pk])
    return _list("feed", agency) if feeds else reverse("admin:ingestion_feed_add")


def ingestion_items(agency: Agency) -> list[ChecklistItem]:
    """Feed, incidents, unmapped codes, context layers. Four short queries."""
    # Calendars and weather need no mapping: counted among the others, they would never be done.
    feeds = list(
        Feed.objects.filter(agency=agency).exclude(record_kind__in=(RecordKind.EVENTS, RecordKind.WEATHER))
    )
    mapped = [feed for feed in feeds if feed.mapping]
    incidents = Incident.objects.filter(agency=agency).count()
    unmapped = QuarantinedRow.objects.filter(agency=agency, resolved_at=None, code="unmapped_code").count()
    layers = ContextLayer.objects.filter(agency=agency).count()
    quarantine = reverse("admin:ingestion_quarantinedrow_changelist")
    return [
        ChecklistItem(
            _("A feed with a mapping"),
            bool(mapped),
            _("Says how the agency's files are read."),
            _next_feed(agency, feeds),
            _("%(count)s of %(count_2)s feeds mapped") % {"count": len(mapped), "count_2": len(feeds)}
            if feeds
            else "",
        ),
        ChecklistItem(
            _("Incidents"),
            incidents > 0,
            _("A year of them is the least from which a forecast learns; three are better."),
            _list("feed", agency),
            _("%(incidents)s stored") % {"incidents": f"{incidents:,}"} if incidents else "",
        ),
        ChecklistItem(
            _("No unmapped codes"),
            bool(mapped) and not unmapped,
            _("Rows with unmapped codes are kept aside and missing from the forecast."),
            f"{quarantine}?code=unmapped_code&state=open",
            _("%(unmapped)s rows wait") % {"unmapped": f"{unmapped:,}"} if unmapped else "",
        ),
        ChecklistItem(
            _("Context layers"),
            layers > 0,
            _(
                "Bars, stations, vacant parcels: they explain why a place is risky. The forecast works without."
            ),
            _list("contextlayer", agency),
            _("%(layers)s layers") % {"layers": layers} if layers else "",
        ),
    ]


checklist.register(ingestion_items, order=20)
