"""Reading tactics: what was done at a visit, and what a unit is doing now. What to do at a mission: ``recommended``."""

import datetime as dt

from django.db.models import QuerySet

from agencies.models import Agency, Beat, Unit
from ingestion.models import ContextLayer
from patrols.models import Engagement, Mission
from patrols.places import STREETS_SLUG
from patrols.selectors import mission_of, missions_for_unit
from tactics.models import Tactic, TacticRule, TacticUse
from tactics.recommended import MissionTactics, Recommendation, recommended_tactics, tactics_of_missions

__all__ = [
    "MissionTactics",
    "Recommendation",
    "beat_geometry",
    "last_departure",
    "latest_visit",
    "open_visit",
    "other_tactics",
    "recommended_tactics",
    "street_features",
    "tactics_of_missions",
    "tactics_to_ask_for",
    "unit_mission",
    "unit_missions",
    "units_of",
    "uses_at",
    "uses_of",
]


def tactics_to_ask_for(agency: Agency, crime_type_id: int) -> tuple[list[Tactic], list[Tactic]]:
    """Return the tactics that may be asked for: those with a rule for the crime type, then the others. Two queries.

    Enforcement is never among them.
    """
    rows = list(Tactic.objects.filter(agency=agency, is_active=True, is_enforcement=False))
    ruled = set(
        TacticRule.objects.filter(
            agency=agency, crime_type=crime_type_id, preference__gt=0, shift__isnull=True
        ).values_list("tactic_id", flat=True)
    )
    return [row for row in rows if row.pk in ruled], [row for row in rows if row.pk not in ruled]


def other_tactics(agency: Agency, recommended: list[Recommendation]) -> list[Tactic]:
    """Return the agency's active tactics that are not recommended here but may be recorded. One query."""
    known = [row.tactic.pk for row in recommended]
    return list(Tactic.objects.filter(agency=agency, is_active=True).exclude(pk__in=known))


def uses_of(engagement: Engagement) -> list[TacticUse]:
    """Return what was ticked off at a visit, in the order in which it was. One query."""
    return list(_uses(TacticUse.objects.filter(engagement=engagement)))


def uses_at(mission: Mission) -> list[TacticUse]:
    """Return what was ticked off at all visits to a mission, in the order in which it was. One query."""
    return list(_uses(TacticUse.objects.filter(engagement__mission=mission, agency_id=mission.agency_id)))


def _uses(rows: QuerySet[TacticUse]) -> QuerySet[TacticUse]:
    return rows.select_related("tactic", "engagement__unit", "officer").order_by("used_at", "pk")


def open_visit(agency: Agency, unit: Unit) -> Engagement | None:
    """Return where the unit's timer runs, the latest arrival first; None when it is nowhere. One query."""
    rows = Engagement.objects.filter(agency=agency, unit=unit, left_at__isnull=True)
    return rows.select_related("mission__crime_type").order_by("-arrived_at").first()


def latest_visit(mission: Mission, unit: Unit) -> Engagement | None:
    """Return the unit's newest visit to a mission, open or ended; None before the first. One query."""
    return Engagement.objects.filter(mission=mission, unit=unit).order_by("-arrived_at").first()


def last_departure(agency: Agency, unit: Unit, *, since: dt.datetime) -> Engagement | None:
    """Return the visit that the unit ended last, if it ended after ``since``. One query."""
    rows = Engagement.objects.filter(agency=agency, unit=unit, left_at__gte=since)
    return rows.select_related("mission").order_by("-left_at").first()


def unit_missions(agency: Agency, unit: Unit, *, now: dt.datetime) -> list[Mission]:
    """Return the unit's missions of this shift by start, and one more where its timer still runs. At most five queries.

    A timer forgotten at the end of a shift, or on a mission given to another unit, must still be stopped by somebody.
    """
    missions = missions_for_unit(agency, unit, now=now)
    visit = open_visit(agency, unit)
    if visit is not None and visit.mission_id not in {mission.pk for mission in missions}:
        still_there = mission_of(agency, visit.mission_id)
        missions = [*([still_there] if still_there else []), *missions]
    return missions


def unit_mission(agency: Agency, unit: Unit, mission_id: int, *, now: dt.datetime) -> Mission | None:
    """Return a mission on which this unit may act: one of its own now, or one that it has visited. None otherwise."""
    for mission in unit_missions(agency, unit, now=now):
        if mission.pk == mission_id:
            return mission
    if Engagement.objects.filter(agency=agency, unit=unit, mission_id=mission_id).exists():
        return mission_of(agency, mission_id)
    return None


def units_of(agency: Agency, *, district_ids: list[int]) -> list[Unit]:
    """Return the active units by call sign; those of these districts only, where any is named. One query."""
    rows = Unit.objects.filter(agency=agency, is_active=True)
    if district_ids:
        rows = rows.filter(beat__district_id__in=district_ids)
    return list(rows)


def beat_geometry(agency: Agency, beat_id: int) -> dict[str, object]:
    """Return the beat's outline as GeoJSON. One query."""
    geometry: dict[str, object] = Beat.objects.values_list("geometry", flat=True).get(
        pk=beat_id, agency=agency
    )
    return geometry


def street_features(agency: Agency) -> list[dict[str, object]]:
    """Return the agency's streets as GeoJSON features; none where no layer "streets" is loaded. One query."""
    layer = ContextLayer.objects.filter(agency=agency, slug=STREETS_SLUG).first()
    return list(layer.geojson.get("features", [])) if layer else []
