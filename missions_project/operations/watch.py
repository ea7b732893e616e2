"""What the operator must know about the agencies' work: late forecasts and plans, silent feeds, drift. Read for alerts, the
operator's page, the metrics and the doctor alike, so that they never disagree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from agencies.models import Agency
from forecasting.models import ModelVersion
from forecasting.selectors import alarms_of
from ingestion.models import Feed
from ingestion.selectors.silence import silences_everywhere
from missions_project.lib.sentences import said_again
from patrols.models import ShiftPlanning

LATE_AFTER = timedelta(minutes=30)
"""A forecast and its plan take a minute or two; after half an hour something is wrong, and two hours before a shift there is time."""
LOOK_BACK = timedelta(hours=24)


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong now."""

    kind: str
    """``forecast_late``, ``plan_late``, ``feed_silent`` or ``drift``."""
    key: str
    agency: str
    what: str
    next_step: str
    since: datetime | None = None
    page: str = ""
    """Where on this installation it is seen: a path."""


def troubles(*, now: datetime) -> list[Trouble]:
    """Everything that is wrong now, by agency. Nine queries at most, however many agencies there are."""
    agencies = {agency.pk: agency for agency in Agency.objects.defer("boundary")}
    return [*_late(agencies, now), *_silent(agencies, now), *_drift(agencies)]


def _late(agencies: dict[int, Agency], now: datetime) -> Iterator[Trouble]:
    rows = ShiftPlanning.objects.filter(due_at__gt=now - LOOK_BACK, due_at__lt=now - LATE_AFTER).exclude(
        state=ShiftPlanning.State.DONE
    )
    newest: dict[tuple[int, object], ShiftPlanning] = {}
    for row in rows.select_related("shift").order_by("round"):
        newest[row.shift_id, row.on] = row
    for row in newest.values():
        agency = agencies[row.agency_id]
        # Without a finished forecast there can be no plan: one alert, and for what comes first.
        kind, words = (
            (
                "plan_late",
                _("%(agency)s: the plan of %(shift)s was due at %(due)s UTC and is not there%(why)s."),
            )
            if row.forecast_run_id
            else (
                "forecast_late",
                _("%(agency)s: the forecast of %(shift)s was due at %(due)s UTC and is not there%(why)s."),
            )
        )
        why = f" ({said_again(row.message)})" if row.message else ""
        page = reverse("patrols:board", args=[agency.slug, row.on.isoformat(), row.shift.slug])
        yield Trouble(
            kind,
            f"{kind}:{agency.slug}:{row.shift.slug}:{row.on}",
            agency.slug,
            words
            % {
                "agency": agency.name,
                "shift": f"{row.shift.name} {row.on}",
                "due": f"{row.due_at:%H:%M}",
                "why": why,
            },
            _("see %(address)s, and manage.py doctor.")
            % {"address": f"{settings.PUBLIC_URL.rstrip('/')}{page}"},
            row.due_at,
            page,
        )


def _silent(agencies: dict[int, Agency], now: datetime) -> Iterator[Trouble]:
    # By agency, and within it in the order of its page.
    feeds = [feed for feed in Feed.objects.order_by("agency", "pk") if feed.agency_id in agencies]
    found = silences_everywhere(feeds, now=now)
    for feed in feeds:
        if feed.pk in found:
            agency, (last, usual) = agencies[feed.agency_id], found[feed.pk]
            page = reverse("ingestion:data", args=[agency.slug])
            hours = (now - last).total_seconds() / 3600
            yield Trouble(
                "feed_silent",
                f"feed_silent:{agency.slug}:{feed.slug}",
                agency.slug,
                _(
                    "%(agency)s: no new rows from “%(feed)s” for %(hours)s hours; within %(usual)s hours is usual."
                )
                % {
                    "agency": agency.name,
                    "feed": feed.name,
                    "hours": f"{hours:.0f}",
                    "usual": f"{usual.total_seconds() / 3600:.0f}",
                },
                _("see %(address)s and ask whoever runs the source.")
                % {"address": f"{settings.PUBLIC_URL.rstrip('/')}{page}"},
                last,
                page,
            )


def _drift(agencies: dict[int, Agency]) -> Iterator[Trouble]:
    versions = list(ModelVersion.objects.live().select_related("agency", "crime_type").defer("summary"))
    alarms = alarms_of(versions)
    for version in versions:
        for alarm in alarms.get(version.pk, ()):
            if alarm.is_open:
                agency = agencies[version.agency_id]
                yield Trouble(
                    "drift",
                    f"drift:{version.pk}:{alarm.rule}",
                    agency.slug,
                    f"{agency.name}, {version.crime_type.name}: {alarm.text}",
                    _("train again or acknowledge it: Admin → Model versions."),
                    page=reverse("admin:forecasting_modelversion_change", args=[version.pk]),
                )
