"""This room's part of the dashboard: how each feed is doing, and the last import."""

from datetime import datetime

from django.db.models import Max
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies import dashboards
from agencies.admin_clock import local
from agencies.admin_run_rows import COLUMNS, run_row
from agencies.dashboards import Cell, Panel
from agencies.models import Agency
from ingestion.models import ImportRun
from ingestion.selectors import FeedHealth, feeds_with_health
from missions_project.lib.runs import RunStatus

TONES = {"good": "good", "warn": "warn", "bad": "bad"}


def feed_panels(agency: Agency) -> list[Panel]:
    """Feeds with health, last success, freshness and what was kept aside or refused; imports. Eleven queries at most."""
    health = feeds_with_health(agency, now=timezone.now())
    good = dict(
        ImportRun.objects.filter(agency=agency, status=RunStatus.SUCCEEDED)
        .order_by()
        .values_list("feed")
        .annotate(at=Max("finished_at"))
    )
    return [
        Panel(
            _("Feeds"),
            (
                _("Feed"),
                _("Health"),
                _("Last success"),
                _("Newest row"),
                _("Stored"),
                _("Kept aside"),
                _("Refused, last run"),
            ),
            [_feed_row(agency, row, good.get(row.feed.pk)) for row in health],
            _("No feed yet: add one, and show it a file."),
            reverse("admin:ingestion_feed_changelist"),
        ),
        Panel(_("Imports"), COLUMNS, [run_row(agency, ImportRun, _("Import"))], _("No import yet."), ""),
    ]


def _feed_row(agency: Agency, row: FeedHealth, good_at: datetime | None) -> list[Cell]:
    quarantine = (
        f"{reverse('admin:ingestion_quarantinedrow_changelist')}?feed__id__exact={row.feed.pk}&state=open"
    )
    refused = (row.last_run.counts or {}).get("refused", 0) if row.last_run else 0
    return [
        Cell(str(row.feed), reverse("admin:ingestion_feed_change", args=[row.feed.pk])),
        Cell(row.words, tone=TONES.get(row.tone, "")),
        Cell(local(good_at, agency) if good_at else _("never"), tone="" if good_at else "warn"),
        Cell(local(row.newest_at, agency)),
        Cell(f"{row.stored:,}", number=True),
        Cell(
            f"{row.waiting:,}", quarantine if row.waiting else "", "warn" if row.waiting else "", number=True
        ),
        Cell(f"{refused:,}", number=True),
    ]


dashboards.register(feed_panels, order=20)
