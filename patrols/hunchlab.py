"""Missions and their effectiveness in the words of HunchLab 2.0, whose clients agencies still run."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import QuerySet

from agencies.models import Agency, CrimeType
from agencies.selectors import active_crime_types
from forecasting.engine.grid import GridSpec, project
from forecasting.models import RiskSurface
from forecasting.selectors import surface_values
from ingestion.selectors import incident_points
from patrols.board import box_rings
from patrols.models import Mission, MissionPlan
from patrols.selectors import missions_of, plan_draw_of

MAX_EVENTS = 1_000_000
Floats = npt.NDArray[np.float64]


def published_plans(agency: Agency) -> QuerySet[MissionPlan]:
    """Return the agency's published plans, by start. Lazy."""
    rows = MissionPlan.objects.filter(agency=agency, state=MissionPlan.State.PUBLISHED, grid__isnull=False)
    return rows.select_related("shift", "grid", "forecast_run").order_by("period_from")


def missions_collection(agency: Agency, windows: Sequence[tuple[dt.datetime, dt.datetime]]) -> dict[str, Any]:
    """Return the missions of published plans whose shift touches every window, as HunchLab's GeoJSON.

    Withdrawn missions are left out. Four queries a plan, and one for each of its forecast's surfaces.
    """
    plans = published_plans(agency)
    for first, last in windows:
        plans = plans.filter(period_from__lte=last, period_to__gt=first)
    weights = {crime_type.pk: crime_type for crime_type in active_crime_types(agency)}
    features = [feature for plan in plans for feature in _plan_features(plan, weights)]
    return {"type": "FeatureCollection", "features": features}


def _plan_features(plan: MissionPlan, weights: dict[int, CrimeType]) -> list[dict[str, Any]]:
    assert plan.grid is not None  # the query leaves out plans without one
    missions = [mission for mission in missions_of(plan) if mission.withdrawn_at is None]
    if not missions:
        return []
    spec = GridSpec.from_bytes(bytes(plan.grid.spec))
    rings = box_rings(spec, [mission.cell_id for mission in missions])
    harm = np.sort(plan_draw_of(plan).harm)
    spread = float(harm.std()) or 1.0
    models = _event_models(plan, spec, missions, weights)
    mission_set = _mission_set(plan, missions)
    found = []
    for mission, ring, parts in zip(missions, rings, models, strict=True):
        lons, lats = [point[0] for point in ring], [point[1] for point in ring]
        rank = int(np.searchsorted(harm, mission.harm, side="right"))
        properties = {
            # Clients delete these three before they read the rest: without them they stop.
            "_links": {},
            "bbox_leaflet": [[min(lats), min(lons)], [max(lats), max(lons)]],
            "related_info": {},
            "recommended_dose": mission.dose_minutes,
            "risk_percentile": round(100 * rank / max(len(harm), 1), 2),
            "risk_z_score": round((mission.harm - float(harm.mean())) / spread, 3) if len(harm) else 0.0,
            "mission_set": mission_set,
            "event_models": parts,
        }
        geometry = {"type": "Polygon", "coordinates": [ring]}
        found.append({"type": "Feature", "id": mission.pk, "geometry": geometry, "properties": properties})
    return found


def _mission_set(plan: MissionPlan, missions: Sequence[Mission]) -> dict[str, Any]:
    units = {mission.assignment.unit_id for mission in missions if hasattr(mission, "assignment")}
    minutes = (plan.period_to - plan.period_from).total_seconds() / 60
    visits = [len(mission.visit_starts) for mission in missions]
    spent = sum(mission.dose_minutes * n for mission, n in zip(missions, visits, strict=True))
    resource = {
        "resource_type": "unit",
        "number_of_resources": len(units),
        "time_percent": round(100 * spent / (minutes * len(units)), 1) if units and minutes else 0.0,
        "times_returning": max(visits, default=0),
    }
    return {
        "id": plan.pk,
        "shift_label": plan.shift.name,
        "period": {"start": plan.period_from.isoformat(), "end": plan.period_to.isoformat()},
        "resources": [resource],
    }


def _event_models(
    plan: MissionPlan, spec: GridSpec, missions: Sequence[Mission], weights: dict[int, CrimeType]
) -> list[list[dict[str, Any]]]:
    """Each mission's crime types with their share of the box's harm; the mission's own alone where there is no forecast."""
    own = [[{"label": mission.crime_type.name, "weight": 1.0}] for mission in missions]
    if plan.forecast_run is None or plan.grid is None:
        return own
    at = spec.index_of([mission.cell_id for mission in missions])
    parts: dict[str, Floats] = {}
    for surface in RiskSurface.objects.filter(run=plan.forecast_run):
        crime_type = weights.get(surface.crime_type_id)
        if crime_type is not None and surface.grid_hash == plan.grid.hash:
            values = surface_values(surface, plan.grid)[at].astype(np.float64)
            parts[crime_type.name] = values * crime_type.weight
    total = sum(parts.values(), np.zeros(len(missions)))
    return [
        [
            {"label": label, "weight": round(float(share[row] / total[row]), 4)}
            for label, share in parts.items()
        ]
        if total[row] > 0
        else own[row]
        for row in range(len(missions))
    ]


@dataclass(frozen=True)
class Effectiveness:
    """What the published plans of one date held of what happened in their shifts."""

    event_total_overall: int
    events_in_missions_overall: int
    total_severity_overall: float
    mission_severity_overall: float
    total_patrol_weight_overall: float
    mission_patrol_weight_overall: float


def mission_effectiveness(agency: Agency, on: dt.date) -> Effectiveness:
    """Return how many events of the date's published shifts lay in their missions' boxes, plain and by weight.

    Events are those that forecasts count. Patrol weight is expected harm: of all candidate cells, and of the boxes.
    A description, not an effect: missions go where crime is expected. Four queries a plan and two more.
    """
    weight_of = {crime_type.slug: crime_type.weight for crime_type in active_crime_types(agency)}
    events, inside = 0, 0
    sums = np.zeros(4)
    for plan in published_plans(agency).filter(on=on):
        assert plan.grid is not None  # the query leaves out plans without one
        missions = [mission for mission in missions_of(plan) if mission.withdrawn_at is None]
        spec = GridSpec.from_bytes(bytes(plan.grid.spec))
        points = incident_points(agency, since=plan.period_from, until=plan.period_to, limit=MAX_EVENTS)
        weights = np.array([weight_of.get(point.crime_type, 0.0) for point in points])
        hit = _in_boxes(spec, points, [mission.cell_id for mission in missions])
        events, inside = events + len(points), inside + int(hit.sum())
        harm = float(plan_draw_of(plan).harm.sum())
        sums += [weights.sum(), weights[hit].sum(), harm, sum(mission.harm for mission in missions)]
    severity, mission_severity, weight, mission_weight = (round(float(value), 6) for value in sums)
    return Effectiveness(events, inside, severity, mission_severity, weight, mission_weight)


def _in_boxes(spec: GridSpec, points: Sequence[Any], cell_ids: Sequence[int]) -> npt.NDArray[np.bool_]:
    if not points or not cell_ids:
        return np.zeros(len(points), dtype=np.bool_)
    x_m, y_m = project(
        np.array([point.lon for point in points]), np.array([point.lat for point in points]), spec.epsg
    )
    found: npt.NDArray[np.bool_] = np.isin(spec.locate(x_m, y_m), spec.index_of(list(cell_ids)))
    return found
