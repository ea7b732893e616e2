"""Months of missions whose tactic was drawn, and crimes that follow them at rates that the test chooses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import numpy as np
from django.utils import timezone

from agencies.models import CrimeType
from ingestion.models import Feed, Incident
from missions_project.lib.runs import RunStatus
from patrols.models import Mission, MissionPlan
from tactics.models import DrawMethod, Tactic, TacticDraw, TacticRule
from tests.patrols.scenes import Scene

A_NIGHT = 12


def make_tactics(
    scene: Scene, weights: Mapping[str, float], *, crime_type: str = "robbery"
) -> dict[str, TacticRule]:
    """Tactics of these slugs, each with a rule for the crime type."""
    kind = CrimeType.objects.get(agency=scene.agency, slug=crime_type)
    rules = {}
    for slug, weight in weights.items():
        tactic, _ = Tactic.objects.get_or_create(
            agency=scene.agency, slug=slug, defaults={"name": slug.replace("-", " ").capitalize()}
        )
        rules[slug] = TacticRule.objects.create(
            agency=scene.agency, crime_type=kind, tactic=tactic, preference=weight
        )
    return rules


def plant_draws(
    scene: Scene,
    rates: Mapping[str, float],
    *,
    nights: int = 60,
    chances: Mapping[str, float] | None = None,
    crime_type: str = "robbery",
    near: Sequence[str] = (),
    seed: int = 5,
    skip: int = 0,
) -> int:
    """Twelve missions a night to twelve boxes, up to three weeks ago; ``rates``: mean crimes after each tactic. How many there were.

    ``chances``: of each tactic, even where not given. ``skip``: nights that have a plan already. 0.4 crimes are forecast at each, whatever the truth.
    """
    rng = np.random.default_rng(seed)
    slugs = sorted(rates)
    chance = np.array([(chances or {}).get(slug, 1.0 / len(slugs)) for slug in slugs])
    tactics = {row.slug: row for row in Tactic.objects.filter(agency=scene.agency)}
    kind = CrimeType.objects.get(agency=scene.agency, slug=crime_type)
    feed, _ = Feed.objects.get_or_create(
        agency=scene.agency, slug="rms", defaults={"name": "RMS", "record_kind": "incidents"}
    )
    beat = scene.agency.beat_set.earliest("pk")
    lon, lat = scene.spec.centres_lonlat()
    zone = ZoneInfo(scene.agency.time_zone)
    last = timezone.now().astimezone(zone).date() - dt.timedelta(days=21)
    draws, crimes = [], []
    for night in range(skip, skip + nights):
        on = last - dt.timedelta(days=night)
        begins = dt.datetime.combine(on, dt.time(16), tzinfo=zone)
        plan = MissionPlan.objects.create(
            agency=scene.agency, shift=scene.shift, on=on, period_from=begins, period_to=begins + dt.timedelta(hours=8),
            grid=scene.grid, seed=night + 1, state=MissionPlan.State.PUBLISHED, status=RunStatus.SUCCEEDED,
            published_at=begins,
        )  # fmt: skip
        missions = Mission.objects.bulk_create(
            Mission(
                agency=scene.agency, plan=plan, beat=beat, number=at + 1, cell_id=17 + 3 * at, crime_type=kind,
                place="Elm St & 4th Ave", visit_starts=[begins.isoformat()], starts_at=begins, dose_minutes=12,
                expected=0.4, harm=0.4, probability=0.4,
            )
            for at in range(A_NIGHT)
        )  # fmt: skip
        for mission, arm in zip(missions, rng.choice(len(slugs), A_NIGHT, p=chance).tolist(), strict=True):
            draws.append(
                TacticDraw(
                    agency=scene.agency, mission=mission, tactic=tactics[slugs[arm]], method=DrawMethod.WEIGHTS, seed=plan.seed,
                    probabilities=dict(zip(slugs, chance.tolist(), strict=True)), policy={"weights": {}, "near": list(near)},
                )
            )  # fmt: skip
            at = int(scene.spec.index_of([mission.cell_id])[0])
            for n in range(int(rng.poisson(rates[slugs[arm]]))):
                when = begins + dt.timedelta(minutes=int(rng.integers(0, 480)))
                crimes.append(
                    Incident(
                        agency=scene.agency, feed=feed, external_id=f"{crime_type}-{mission.pk}-{n}", crime_type=kind,
                        occurred_from=when, occurred_to=when, reported_at=when, lon=float(lon[at]), lat=float(lat[at]),
                        content_hash=1000 * mission.pk + n,
                    )
                )  # fmt: skip
    TacticDraw.objects.bulk_create(draws)
    Incident.objects.bulk_create(crimes)
    return len(draws)
