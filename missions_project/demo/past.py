"""Riverton with weeks of patrol behind it: an agency of its own beside the demo's, so that a study has something to find."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from agencies.models import Agency, Membership, Role
from forecasting.selectors import grid_spec
from forecasting.services import grid_build, model_policy_ensure
from missions_project.demo.city import build_city
from missions_project.demo.files import city_layers, write_layer
from missions_project.demo.patrolled import riverton_rates
from missions_project.demo.planted import Planted, Truth, history_plant
from missions_project.demo.setup import CITY_SEED, geography_ensure, people_ensure
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress
from patrols.models import MissionPlan, PlanSchedule
from tactics.defaults import agency_defaults_create

PAST_SLUG = "riverton-past"
CELL_SIZE_M = 500
SETTLED_DAYS = 15
"""The newest planted shift is so old that a report over all plans takes it."""


@dataclass(frozen=True)
class Past:
    """The agency, and what is true of its missions."""

    agency: Agency
    planted: Planted
    first: dt.date
    last: dt.date


def past_plant(*, today: dt.date, weeks: int, truth: Truth, seed: int, progress: Progress) -> Past:
    """Make Riverton anew as an agency of its own and plant so many weeks of shifts with a known truth.

    Raises ``MissionsError`` where it is there already: planted twice, its crimes would count twice.
    """
    known = Agency.objects.filter(slug=PAST_SLUG).first()
    if known is not None and (not known.is_demo or MissionPlan.objects.filter(agency=known).exists()):
        raise MissionsError(
            f"An agency “{PAST_SLUG}” has plans already.",
            next_step="open its Studies, or use a fresh database for another history.",
        )
    agency = known or Agency.objects.create(
        slug=PAST_SLUG, name="Riverton, past weeks", time_zone="America/Chicago", is_demo=True, cell_size_m=CELL_SIZE_M,
    )  # fmt: skip
    city = build_city(CITY_SEED)
    with TemporaryDirectory() as name:
        for stem, features in city_layers(city, np.random.default_rng(CITY_SEED)).items():
            write_layer(Path(name) / f"{stem}.geojson", features)
        geography_ensure(agency, Path(name))
    agency_defaults_create(agency=agency, units_per_beat=1, missions_per_shift=2)
    # Nothing goes on by itself here: the past is what there is to look at.
    PlanSchedule.objects.get_or_create(agency=agency, shift=None, defaults={"is_active": False})
    model_policy_ensure(agency=agency)
    _people(agency)
    grid = grid_build(agency=agency)
    rates = riverton_rates(city, grid_spec(grid))
    last = today - dt.timedelta(days=SETTLED_DAYS)
    first = last - dt.timedelta(days=7 * weeks - 1)
    planted = history_plant(
        agency=agency, rates=rates, first=first, last=last, seed=seed, truth=truth, progress=progress
    )
    return Past(agency, planted, first, last)


def _people(agency: Agency) -> None:
    """The demo's own people may look at it too, each in the same role."""
    demo = Agency.objects.filter(slug="riverton", is_demo=True).first()
    if demo is None:
        people_ensure(agency)
        return
    for row in Membership.objects.filter(agency=demo).exclude(role=Role.OFFICER):
        Membership.objects.get_or_create(agency=agency, user=row.user, defaults={"role": row.role})
