"""Runs on the dashboard: of one kind of action, the last one and the last that went well."""

from datetime import timedelta
from typing import Any

from django.db.models import Count, Max, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from agencies.admin_clock import local
from agencies.dashboards import Cell
from agencies.models import Agency
from missions_project.lib.lazy import gettext_lazy as _
from missions_project.lib.runs import RunStatus
from missions_project.lib.sentences import said_again

COLUMNS = (
    _("What"),
    _("Last"),
    _("State"),
    _("Took"),
    _("Last that went well"),
    _("Failed, 30 days"),
    _("Last error"),
)
WINDOW = timedelta(days=30)
TONES = {"succeeded": "good", "failed": "bad", "running": "", "queued": ""}
ERROR_CHARACTERS = 160


def run_row(agency: Agency, model: Any, label: str) -> list[Cell]:
    """One row for one kind of run: when, how it ended, how long it took, what went wrong. Two queries."""
    meta = model._meta
    runs = model._default_manager.filter(agency=agency)
    last = (
        runs.order_by("-queued_at", "-pk")
        .only("status", "queued_at", "started_at", "finished_at", "error")
        .first()
    )
    page = f"admin:{meta.app_label}_{meta.model_name}"
    list_url = reverse(f"{page}_changelist")
    if last is None:
        return [Cell(label, list_url), Cell(gettext("never"), tone="warn"), *[Cell("–") for _ in COLUMNS[2:]]]
    told = runs.aggregate(
        good=Max("finished_at", filter=Q(status=RunStatus.SUCCEEDED)),
        failed=Count("pk", filter=Q(status=RunStatus.FAILED, queued_at__gte=timezone.now() - WINDOW)),
    )
    return [
        Cell(label, list_url),
        Cell(local(last.queued_at, agency), reverse(f"{page}_change", args=[last.pk])),
        Cell(last.get_status_display(), tone=TONES.get(last.status, "")),
        Cell(last.lasted, number=True),
        Cell(local(told["good"], agency), tone="" if told["good"] else "warn"),
        Cell(
            f"{told['failed']:,}",
            f"{list_url}?status__exact=failed" if told["failed"] else "",
            tone="bad" if told["failed"] else "",
            number=True,
        ),
        Cell(said_again(last.error.strip())[:ERROR_CHARACTERS] or "–"),
    ]
