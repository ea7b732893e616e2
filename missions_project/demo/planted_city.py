"""A second Riverton with past weeks of planned shifts and a truth that is known: for the walk-through of studies."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db import transaction

from agencies.models import Agency, Beat, Membership, User
from agencies.services import beats_upsert, boundary_set, districts_upsert
from forecasting.engine.grid import GridSpec
from forecasting.models import Grid
from forecasting.selectors import grid_spec
from forecasting.services import grid_build
from missions_project.demo.city import City, build_city
from missions_project.demo.intensity import CRIME_TYPES, GUNFIRE, MODELS, background_per_year, known_intensity
from missions_project.demo.layers import city_layers
from missions_project.demo.planted import Floats, Planted, Truth, history_plant
from missions_project.demo.profiles import hour_axis, hour_of_week_profile, weather
from missions_project.demo.setup import PEOPLE, SLUG
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress
from patrols.models import MissionPlan, PlanSchedule
from tactics.defaults import agency_defaults_create

STUDY_SLUG = "riverton-study"
CELL_SIZE_M = 500
HOURS_A_YEAR = 365.25 * 24.0


def rates_by_type(city: City, spec: GridSpec, seed: int) -> dict[str, Floats]:
    """Return the crimes expected in each cell and 8-hour third of the week by type, all but gunfire: float64[21, N] each.

    The known truth's lasting surfaces and hours of the week at the level of all crime; season, weather and single repeats
    are left out.
    """
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence([seed, 2]).spawn(4)]
    hours = hour_axis(0, 24)
    truth = known_intensity(streams[2], city=city, hours=hours, sky=weather(streams[0], hours), events=())
    cell = spec.locate(city.places.x_m, city.places.y_m)
    inside = cell >= 0
    background = background_per_year()
    found: dict[str, Floats] = {}
    owner = 0
    for number, name in enumerate(CRIME_TYPES):
        level = MODELS[name].per_year / background[number] / HOURS_A_YEAR
        per_hour = np.zeros((168, len(spec)))
        for part in MODELS[name].components:
            here = np.bincount(
                cell[inside], truth.surfaces[owner].astype(np.float64)[inside], minlength=len(spec)
            )
            per_hour += level * hour_of_week_profile(part.hours)[:, None] * here[None, :]
            owner += 1
        if number != GUNFIRE:
            found[name] = per_hour.reshape(21, 8, len(spec)).sum(axis=1)
    return found


def planted_city_make(
    *,
    slug: str,
    weeks: int,
    last: dt.date,
    city_seed: int,
    seed: int,
    truth: Truth,
    progress: Progress,
) -> tuple[Agency, Planted]:
    """Make the agency with so many weeks of shifts that end on a date. Raises ``MissionsError`` for one that has plans."""
    if not 1 <= weeks <= 104:
        raise MissionsError(f"{weeks} weeks.", next_step="ask for 1 to 104.")
    agency = Agency.objects.filter(slug=slug).first()
    if agency is not None and (not agency.is_demo or slug == SLUG):
        raise MissionsError(
            f"An agency “{slug}” exists and is not made for this.", next_step="choose another --agency."
        )
    if agency is not None and MissionPlan.objects.filter(agency=agency).exists():
        raise MissionsError(
            f"Agency “{slug}” has its history already.",
            next_step="choose another --agency, or delete this one in the admin first.",
        )
    progress(0, 3, "Building the city")
    city = build_city(city_seed)
    agency = _agency(slug, city)
    progress(2, 3, "Working out the truth")
    rates = rates_by_type(city, grid_spec(Grid.objects.get(agency=agency, is_active=True)), city_seed)
    first = last - dt.timedelta(days=7 * weeks - 1)
    planted = history_plant(
        agency=agency, rates=rates, first=first, last=last, seed=seed, truth=truth, progress=progress
    )
    return agency, planted


@transaction.atomic
def _agency(slug: str, city: City) -> Agency:
    agency, _ = Agency.objects.get_or_create(
        slug=slug,
        defaults={
            "name": "Riverton, planted history",
            "time_zone": "America/Chicago",
            "is_demo": True,
            "cell_size_m": CELL_SIZE_M,
        },
    )
    if not Beat.objects.filter(agency=agency).exists():
        folder = Path(settings.VAR_DIR) / "planted-city"
        folder.mkdir(parents=True, exist_ok=True)
        layers = city_layers(city, np.random.default_rng(0))
        for name in ("boundary", "districts", "beats"):
            collection = {"type": "FeatureCollection", "features": layers[name]}
            (folder / f"{name}.geojson").write_text(json.dumps(collection), encoding="utf-8")
        boundary_set(agency=agency, path=folder / "boundary.geojson")
        districts_upsert(
            agency=agency, path=folder / "districts.geojson", code_property="code", name_property="name"
        )
        beats_upsert(
            agency=agency, path=folder / "beats.geojson", code_property="code", district_property="district"
        )
    agency_defaults_create(agency=agency)
    # Its past is planted, and its models have no files: each shift of today would fail and be told to the operator.
    PlanSchedule.objects.get_or_create(agency=agency, shift=None, defaults={"is_on": False})
    if not Grid.objects.filter(agency=agency, is_active=True).exists():
        grid_build(agency=agency)
    # Whoever can sign in to the demo city can look at this one, in the same role.
    for name, role, _ in PEOPLE:
        person = User.objects.filter(username=name, memberships__agency__slug=SLUG).first()
        if person is not None:
            Membership.objects.get_or_create(agency=agency, user=person, defaults={"role": role})
    return agency
