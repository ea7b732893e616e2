"""Reading tactics: what suits a mission, what was done at a visit, and what a unit is doing now."""

import datetime as dt
import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from agencies.models import Agency, Beat, Unit
from ingestion.models import ContextLayer
from missions_project.lib.runs import RunStatus
from patrols.models import Engagement, Mission
from patrols.places import STREETS_SLUG
from patrols.selectors import mission_of, missions_for_unit
from tactics.models import Inquiry, Tactic, TacticRule, TacticUse


@dataclass(frozen=True)
class Recommendation:
    """A tactic that the agency's rules give for a mission. ``for_this_shift``: its rule names the mission's shift.

    ``is_asked_for``: not by a rule, the person who added the mission asked for it.
    """

    tactic: Tactic
    preference: float
    for_this_shift: bool
    is_asked_for: bool = False


def recommended_tactics(mission: Mission) -> list[Recommendation]:
    """Return what suits the mission, the agency's most preferred first, equal ones by name. One query, or two.

    What the person who added the mission asked for comes before all.

    A rule for the mission's shift replaces the same tactic's rule for all shifts, so that a 0 there hides it in
    that shift alone. Inactive tactics and enforcement are never recommended, whatever the rules say.
    """
    rules = TacticRule.objects.filter(
        Q(shift__isnull=True) | Q(shift_id=mission.plan.shift_id),
        agency_id=mission.agency_id,
        crime_type_id=mission.crime_type_id,
        tactic__is_active=True,
        tactic__is_enforcement=False,
    ).select_related("tactic")
    deciding: dict[int, TacticRule] = {}
    for rule in rules:
        if rule.shift_id is not None or rule.tactic_id not in deciding:
            deciding[rule.tactic_id] = rule
    chosen = sorted(
        (rule for rule in deciding.values() if rule.preference > 0),
        key=lambda rule: (-rule.preference, rule.tactic.name),
    )
    found = [Recommendation(rule.tactic, rule.preference, rule.shift_id is not None) for rule in chosen]
    if mission.tactic:
        wanted = Tactic.objects.filter(
            agency_id=mission.agency_id, slug=mission.tactic, is_active=True, is_enforcement=False
        ).first()
        if wanted is not None:
            others = [row for row in found if row.tactic.pk != wanted.pk]
            found = [Recommendation(wanted, 0.0, for_this_shift=False, is_asked_for=True), *others]
    return found


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


@dataclass(frozen=True)
class MissionTactics:
    """What to do at one mission, the most preferred first, by name."""

    mission: Mission
    names: list[str]


def tactics_of_missions(agency: Agency, keys: list[int], *, at_most: int = 3) -> list[MissionTactics]:
    """Return what to do at each of the agency's missions. Four queries, however many missions.

    The same rules as ``recommended_tactics``, read once for all of them.
    """
    missions = Mission.objects.filter(agency=agency, pk__in=keys).select_related("plan").defer("plan__design")
    rules = TacticRule.objects.filter(
        agency=agency, tactic__is_active=True, tactic__is_enforcement=False
    ).select_related("tactic")
    by_type: dict[int, list[TacticRule]] = defaultdict(list)
    for rule in rules:
        by_type[rule.crime_type_id].append(rule)
    names = dict(
        Tactic.objects.filter(agency=agency, is_active=True, is_enforcement=False).values_list("slug", "name")
    )
    found = []
    for mission in missions:
        deciding: dict[int, TacticRule] = {}
        for rule in by_type[mission.crime_type_id]:
            fits = rule.shift_id in (None, mission.plan.shift_id)
            if fits and (rule.shift_id is not None or rule.tactic_id not in deciding):
                deciding[rule.tactic_id] = rule
        chosen = sorted(
            (r for r in deciding.values() if r.preference > 0), key=lambda r: (-r.preference, r.tactic.name)
        )
        asked = [names[mission.tactic]] if mission.tactic in names else []
        ruled = [rule.tactic.name for rule in chosen if rule.tactic.name not in asked]
        found.append(MissionTactics(mission, (asked + ruled)[:at_most]))
    return found


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


def inquiry_for(agency: Agency, kind: str, choices: dict[str, Any]) -> tuple[Inquiry | None, Inquiry | None]:
    """Return the newest answered question with these choices, and the newest one whatever became of it. Two queries."""
    mark = hashlib.sha256(json.dumps(choices, sort_keys=True).encode()).hexdigest()
    rows = Inquiry.objects.filter(agency=agency, kind=kind, choices_hash=mark).select_related("requested_by")
    return rows.filter(status=RunStatus.SUCCEEDED).first(), rows.defer("answer").first()
