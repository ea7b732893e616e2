"""What the report builder can count, and by what each of these can be split: from which table, by which date, in which unit."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from agencies.models import Agency
from ingestion.engine.withheld import UNTAUGHT_DISCOVERIES
from ingestion.models import CallForService, GunfireAlert, Incident
from missions_project.lib.lazy import gettext_lazy
from patrols.models import Engagement, Mission, MissionPlan, Presence
from tactics.models import TacticUse
from tactics.reports.shapes import Kind
from tactics.reports.shifts import JSONLength

SPLITS = {
    "type": gettext_lazy("Crime type"), "district": gettext_lazy("District"), "beat": gettext_lazy("Beat"), "shift": gettext_lazy("Shift"), "week": gettext_lazy("Week"), "month": gettext_lazy("Month"),
    "weekday": gettext_lazy("Weekday"), "hour": gettext_lazy("Hour"), "tactic": gettext_lazy("Tactic"),
}  # fmt: skip
"""By what can be split. Not by unit: that is the activity report's, which only the unit and its supervisors see."""
EVERYWHERE = ("district", "beat", "shift", "week", "month", "weekday", "hour")


@dataclass(frozen=True)
class Source:
    """A table: its rows of an agency, the paths to what it is split by, and where its time stands.

    ``on`` is a local date, None for records that have only an instant and a place: their shift and beat are looked up.
    """

    rows: Callable[[Agency], QuerySet[Any]]
    paths: dict[str, str]
    instant: str
    on: str | None = None

    def within(self, agency: Agency, first: dt.date, last: dt.date) -> QuerySet[Any]:
        """The rows of these local dates, both included. Lazy."""
        rows = self.rows(agency)
        if self.on:
            return rows.filter(**{f"{self.on}__range": (first, last)})
        zone = ZoneInfo(agency.time_zone)
        midnights = (
            dt.datetime.combine(day, dt.time(), tzinfo=zone) for day in (first, last + dt.timedelta(1))
        )
        since, until = midnights
        return rows.filter(**{f"{self.instant}__gte": since, f"{self.instant}__lt": until})


@dataclass(frozen=True)
class Measure:
    """One thing that can be counted: ``value`` is what the database adds up."""

    slug: str
    title: str
    source: Source
    value: Callable[[], Any]
    note: str
    splits: tuple[str, ...] = EVERYWHERE
    kind: Kind = "int"
    unit: str = ""

    @property
    def can_filter_types(self) -> bool:
        return "type" in self.splits


def _incidents(agency: Agency) -> QuerySet[Any]:
    rows = Incident.objects.filter(agency=agency, crime_type__is_active=True)
    return rows.exclude(discovery__in=tuple(UNTAUGHT_DISCOVERIES))


def _calls(agency: Agency) -> QuerySet[Any]:
    rows = CallForService.objects.filter(agency=agency)
    return rows.exclude(discovery__in=tuple(UNTAUGHT_DISCOVERIES))


def _gunfire(agency: Agency) -> QuerySet[Any]:
    return GunfireAlert.objects.filter(agency=agency, is_gunfire=True)


def _missions(agency: Agency) -> QuerySet[Any]:
    rows = Mission.objects.filter(agency=agency, plan__state=MissionPlan.State.PUBLISHED)
    return rows.annotate(
        was_visited=Exists(Engagement.objects.filter(mission=OuterRef("pk"))),
        was_seen=Exists(Presence.objects.filter(mission=OuterRef("pk"))),
        n_visits=JSONLength(Coalesce("moved_starts", "visit_starts")),
    )


def _presences(agency: Agency) -> QuerySet[Any]:
    return Presence.objects.filter(
        agency=agency, mission__withdrawn_at=None, mission__plan__state=MissionPlan.State.PUBLISHED
    ).exclude(mission=None)


def _uses(agency: Agency) -> QuerySet[Any]:
    return TacticUse.objects.filter(
        agency=agency, engagement__mission__plan__state=MissionPlan.State.PUBLISHED
    )


def _at_mission(path: str = "") -> dict[str, str]:
    return {
        "type": f"{path}crime_type__slug",
        "district": f"{path}beat__district__code",
        "beat": f"{path}beat__code",
        "shift": f"{path}plan__shift__slug",
    }


INCIDENTS = Source(_incidents, {"type": "crime_type__slug"}, "occurred_from")
CALLS = Source(_calls, {}, "occurred_from")
GUNFIRE = Source(_gunfire, {}, "occurred_from")
MISSIONS = Source(_missions, _at_mission(), "starts_at", "plan__on")
PRESENCES = Source(_presences, _at_mission("mission__"), "arrived_at", "mission__plan__on")
USES = Source(
    _uses,
    _at_mission("engagement__mission__") | {"tactic": "tactic__slug"},
    "used_at",
    "engagement__mission__plan__on",
)
STANDING = Q(withdrawn_at=None)
BEEN = Q(was_visited=True) | Q(was_seen=True)


def _count(condition: Q | None = None) -> Callable[[], Any]:
    return lambda: Count("pk", filter=condition)


def _missed() -> Any:
    return Count("pk", filter=STANDING & ~BEEN & Q(plan__period_to__lte=timezone.now()))


def _recommended() -> Any:
    return Sum(F("dose_minutes") * F("n_visits"), filter=STANDING, default=0)


_WITH_TYPE = ("type", *EVERYWHERE)
_CHANGED = Q(source=Mission.Source.ADDED) | Q(withdrawn_at__isnull=False) | Q(moved_at__isnull=False)

MEASURES = {
    measure.slug: measure
    for measure in (
        Measure(
            "incidents", gettext_lazy("Incidents"), INCIDENTS, _count(),
            gettext_lazy("Reported crimes of active types by the beginning of their time, each counted whole; what officers initiated is left out"),
            _WITH_TYPE,
        ),
        Measure(
            "severity", gettext_lazy("Severity weight"), INCIDENTS, lambda: Sum("crime_type__weight", default=0.0),
            gettext_lazy("Reported crimes, each counted with its crime type's weight as it is now"),
            _WITH_TYPE, "number",
        ),
        Measure(
            "calls", gettext_lazy("Calls for service"), CALLS, _count(),
            gettext_lazy("Calls from the public by the beginning of their time; what officers initiated is left out"),
        ),
        Measure(
            "gunfire", gettext_lazy("Gunfire alerts"), GUNFIRE, _count(),
            gettext_lazy("Sensors' alerts, without those that were dismissed or turned out to be something else"),
        ),
        Measure(
            "planned", gettext_lazy("Missions planned"), MISSIONS, _count(STANDING),
            gettext_lazy("Missions of published plans without withdrawn ones, counted on the local date on which their shift began, hours by the first visit's start"), _WITH_TYPE,
        ),
        Measure(
            "done", gettext_lazy("Missions done"), MISSIONS, _count(STANDING & BEEN),
            gettext_lazy("Missions at which anybody was on record, counted on the local date on which their shift began, hours by the first visit's start"), _WITH_TYPE,
        ),
        Measure(
            "missed", gettext_lazy("Missions missed"), MISSIONS, _missed,
            gettext_lazy("Missions of ended shifts at which nobody was on record, counted on the local date on which their shift began, hours by the first visit's start"), _WITH_TYPE,
        ),
        Measure(
            "changed", gettext_lazy("Missions changed by people"), MISSIONS, _count(_CHANGED),
            gettext_lazy("Missions that people added, withdrew or moved, each once, counted on the local date on which their shift began, hours by the first visit's start"), _WITH_TYPE,
        ),
        Measure(
            "recommended", gettext_lazy("Minutes recommended"), MISSIONS, _recommended,
            gettext_lazy("Dose × visits of missions that stand, counted on the local date on which their shift began, hours by the first visit's start"), _WITH_TYPE, "int", "min",
        ),
        Measure(
            "visits", gettext_lazy("Visits"), PRESENCES, lambda: Sum("visits", default=0),
            gettext_lazy("Stays on record at standing missions of published plans, from all sources, each minute once; hours by arrival"), _WITH_TYPE,
        ),
        Measure(
            "delivered", gettext_lazy("Minutes delivered"), PRESENCES, lambda: Sum("minutes", default=0.0),
            gettext_lazy("Minutes on record at standing missions of published plans, from all sources, each minute once; hours by arrival"), _WITH_TYPE, "number", "min",
        ),
        Measure(
            "tactics", gettext_lazy("Tactics used"), USES, _count(),
            gettext_lazy("Tactics ticked off at visits, on the local date on which the mission's shift began; hours by the tick"),
            (*_WITH_TYPE, "tactic"),
        ),
        Measure(
            "tactics-recommended", gettext_lazy("Recommended tactics used"), USES, _count(Q(was_recommended=True)),
            gettext_lazy("Tactics ticked off that were recommended there, on the local date on which the mission's shift began"),
            (*_WITH_TYPE, "tactic"),
        ),
    )
}  # fmt: skip
