"""What the API shows of a mission, and of a visit: one shape wherever they stand."""

import datetime as dt
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.utils import timezone
from rest_framework import serializers

from agencies.models import Agency
from forecasting.engine.grid import unproject
from forecasting.models import Grid
from forecasting.selectors import grid_spec
from ingestion.api.fields import AreaJson, LocalTime
from patrols.board import STATES, mission_state
from patrols.listings import grids_of
from patrols.models import Engagement, Mission

Shown = serializers.Serializer
"""Serializers that are given dictionaries, and only show them."""


class EngagementOut(Shown):  # type: ignore[type-arg]
    id = serializers.IntegerField()
    mission = serializers.IntegerField()
    unit = serializers.CharField(allow_null=True, help_text="Call sign.")
    arrived_at = serializers.DateTimeField()
    left_at = serializers.DateTimeField(allow_null=True, help_text="Null while the unit is there.")
    minutes = serializers.FloatField(allow_null=True)
    source = serializers.ChoiceField(Engagement.Source.choices)  # type: ignore[assignment]  # the field's own attribute is not used


class VisitOut(Shown):  # type: ignore[type-arg]
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    local_starts_at = LocalTime()


class MissionOut(Shown):  # type: ignore[type-arg]
    id = serializers.IntegerField()
    plan = serializers.IntegerField()
    decision = serializers.IntegerField(
        help_text="0: of the shift's plan; 1 and more: of a decision during it."
    )
    shift = serializers.CharField()
    on = serializers.DateField(help_text="The local date on which the shift starts.")
    number = serializers.IntegerField()
    state = serializers.ChoiceField(STATES)
    source = serializers.ChoiceField(Mission.Source.choices)  # type: ignore[assignment]  # the field's own attribute is not used
    district = serializers.CharField()
    beat = serializers.CharField()
    crime_type = serializers.CharField()
    place = serializers.CharField(allow_blank=True)
    cell_id = serializers.IntegerField()
    lon = serializers.FloatField(help_text="The middle of the box.")
    lat = serializers.FloatField()
    geometry = AreaJson()
    dose_minutes = serializers.IntegerField(help_text="Recommended minutes of each visit.")
    visits = VisitOut(many=True, help_text="As they stand now, a person's change included.")
    is_moved = serializers.BooleanField(
        help_text="Whether a person changed the times; the drawn ones stay in the plan."
    )
    unit = serializers.CharField(allow_null=True, help_text="Call sign of who is to go; null: nobody yet.")
    expected = serializers.FloatField()
    harm = serializers.FloatField()
    probability = serializers.FloatField(help_text="π: the chance with which the design would send here.")
    why = serializers.CharField(allow_blank=True, help_text="The forecast's reason in one line.")
    reason = serializers.CharField(
        allow_blank=True, help_text="Why a person added, moved or withdrew it, the last of them."
    )
    tactic = serializers.CharField(allow_blank=True)
    swapped_for = serializers.IntegerField(
        allow_null=True, help_text="The added mission that took its place."
    )
    engagements = EngagementOut(many=True)


def engagement_facts(row: Engagement) -> dict[str, Any]:
    """A visit as plain data. No query when fetched with its unit."""
    return {
        "id": row.pk,
        "mission": row.mission_id,
        "unit": row.unit.call_sign if row.unit else None,
        "arrived_at": row.arrived_at,
        "left_at": row.left_at,
        "minutes": None if row.minutes is None else round(row.minutes, 1),
        "source": row.source,
    }


def engagement_shown(row: Engagement) -> dict[str, Any]:
    """A visit as the API shows it."""
    return dict(EngagementOut(engagement_facts(row)).data)


def missions_shown(agency: Agency, missions: Iterable[Mission]) -> dict[int, dict[str, Any]]:
    """Return missions as the API shows them, by id. One query, for their grids."""
    return {pk: dict(MissionOut(facts).data) for pk, facts in missions_facts(agency, missions).items()}


def missions_facts(agency: Agency, missions: Iterable[Mission]) -> dict[int, dict[str, Any]]:
    """Return missions as plain data, by id. One query, for their grids."""
    rows, now, zone = list(missions), timezone.now(), ZoneInfo(agency.time_zone)
    places = _places(rows, grids_of(rows))
    return {row.pk: _facts(row, now, zone) | places[row.pk] for row in rows}


def _facts(row: Mission, now: dt.datetime, zone: ZoneInfo) -> dict[str, Any]:
    starts = [dt.datetime.fromisoformat(text).astimezone(dt.UTC) for text in row.current_starts]
    dose = dt.timedelta(minutes=row.dose_minutes)
    return {
        "id": row.pk,
        "plan": row.plan_id,
        "decision": row.plan.decision,
        "shift": row.plan.shift.slug,
        "on": row.plan.on,
        "number": row.number,
        "state": mission_state(row, now),
        "source": row.source,
        "district": row.beat.district.code,
        "beat": row.beat.code,
        "crime_type": row.crime_type.slug,
        "place": row.place,
        "cell_id": row.cell_id,
        "dose_minutes": row.dose_minutes,
        "visits": [
            {"starts_at": start, "ends_at": start + dose, "local_starts_at": start.astimezone(zone)}
            for start in starts
        ],
        "is_moved": row.moved_starts is not None,
        "unit": row.assignment.unit.call_sign if hasattr(row, "assignment") else None,
        "expected": float(f"{row.expected:.6g}"),
        "harm": float(f"{row.harm:.6g}"),
        "probability": float(f"{row.probability:.6g}"),
        "why": row.headline,
        "reason": row.withdrawn_reason or row.moved_reason or row.reason,
        "tactic": row.tactic,
        "swapped_for": row.swapped_for_id,
        "engagements": [engagement_facts(visit) for visit in row.engagements.all()],
    }


def _places(rows: list[Mission], grids: dict[int, Grid]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for grid_id in {row.plan.grid_id for row in rows if row.plan.grid_id}:
        own = [row for row in rows if row.plan.grid_id == grid_id]
        spec = grid_spec(grids[grid_id])
        at = spec.index_of([row.cell_id for row in own])
        x_m, y_m = spec.centres()
        lons, lats = unproject(x_m[at], y_m[at], spec.epsg)
        rings = spec.rings_lonlat(at).tolist()
        middles = np.round(np.stack([lons, lats], axis=1), 6).tolist()
        for row, ring, (lon, lat) in zip(own, rings, middles, strict=True):
            found[row.pk] = {
                "lon": lon,
                "lat": lat,
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
    return found
