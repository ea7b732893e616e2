"""What open pages follow: a mark that changes with the alerts, and the alerts of the last day."""

import hashlib
from datetime import datetime, timedelta

from django.db.models import Count, Max, Sum

from agencies.models import Agency
from ingestion.models import GunfireAlert, ImportRun, PushTally, RecordKind
from missions_project.lib.runs import RunStatus

ALERT_HOURS = 24
MAX_ALERTS = 500


def alerts_version(agency_id: int, *, now: datetime) -> str:
    """Return a short mark that changes whenever the agency's gunfire alerts do. Two queries, of sums and not of alerts."""
    pushed = PushTally.objects.filter(
        agency_id=agency_id,
        day__feed__record_kind=RecordKind.GUNFIRE,
        day__on__gte=now.date() - timedelta(days=1),
    ).aggregate(inserted=Sum("inserted"), updated=Sum("updated"))
    imported = ImportRun.objects.filter(
        agency_id=agency_id, feed__record_kind=RecordKind.GUNFIRE, status=RunStatus.SUCCEEDED, push_day=None
    ).aggregate(n=Count("pk"), last=Max("finished_at"))
    text = repr([agency_id, *sorted(pushed.items()), *sorted(imported.items())])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def recent_alerts(agency: Agency, *, now: datetime) -> list[GunfireAlert]:
    """Return the last day's alerts that are gunfire as far as anybody knows, newest first, at most 500. One query."""
    rows = GunfireAlert.objects.filter(
        agency=agency, is_gunfire=True, occurred_from__gte=now - timedelta(hours=ALERT_HOURS)
    )
    return list(rows.order_by("-occurred_from", "-pk")[:MAX_ALERTS])
