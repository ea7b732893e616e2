"""A small city with a known hot corner, trained once per process and put back into each test's database."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils import timezone

from agencies.models import Agency, CrimeType, Shift
from forecasting.models import ForecastRun, Grid, ModelVersion, TrainingRun
from forecasting.services import (
    forecast_run,
    forecast_run_queue,
    grid_build,
    training_run_execute,
    training_run_queue,
)
from ingestion.models import ContextLayer, Feed, Incident
from tests.factories import SIDE_M, degrees, make_agency

HOT_M = (1_130.0, 2_870.0)
"""Where most crime happens: in the south-west quarter's north, well inside one cell."""
DAYS = 70
CELL_SIZE_M = 400
_trained: dict[str, dict[str, Any]] = {}
_snapshot: dict[str, Any] = {}


@dataclass
class Scene:
    """An agency with incidents, grid, live models and the forecast of one evening."""

    agency: Agency
    grid: Grid
    training: TrainingRun
    run: ForecastRun
    shift: Shift

    def crime_type(self, slug: str = "burglary") -> CrimeType:
        return CrimeType.objects.get(agency=self.agency, slug=slug)

    def version(self, slug: str = "burglary") -> ModelVersion:
        return ModelVersion.objects.live().get(agency=self.agency, crime_type__slug=slug)


def last_midnight() -> dt.datetime:
    """The end of the scene's history: the start of this UTC day, so that one process sees one history."""
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)


def make_incidents(agency: Agency, *, seed: int = 7, per_day: float = 1.8) -> list[Incident]:
    """Two in three near the hot place, the rest anywhere; most in the evening."""
    rng = np.random.default_rng(seed)
    feed = Feed.objects.create(agency=agency, name="RMS", slug="rms")
    types = list(CrimeType.objects.filter(agency=agency).order_by("slug"))
    n = int(per_day * DAYS)
    near = rng.random(n) < 0.66
    x = np.where(near, HOT_M[0] + rng.normal(0, 40, n), rng.uniform(0, SIDE_M, n))
    y = np.where(near, HOT_M[1] + rng.normal(0, 40, n), rng.uniform(0, SIDE_M, n))
    hours = np.where(rng.random(n) < 0.6, rng.uniform(21, 29, n), rng.uniform(5, 29, n))
    end = last_midnight()
    rows = []
    for number, day in enumerate(np.sort(rng.integers(1, DAYS, n))[::-1]):
        at = end - dt.timedelta(days=int(day)) + dt.timedelta(hours=float(hours[number]) - 5, minutes=-30)
        lon, lat = degrees(float(x[number]), float(y[number]))
        rows.append(
            Incident(
                agency=agency,
                feed=feed,
                external_id=str(number),
                occurred_from=at,
                occurred_to=at,
                reported_at=at + dt.timedelta(minutes=20),
                lon=lon,
                lat=lat,
                content_hash=number,
                crime_type=types[number % len(types)],
            )
        )
    return Incident.objects.bulk_create(rows)


def make_bars(agency: Agency) -> ContextLayer:
    """Three bars at the hot place."""
    features = [
        {
            "type": "Feature",
            "properties": {"name": f"Bar {k}"},
            "geometry": {"type": "Point", "coordinates": list(degrees(HOT_M[0] + 20 * k, HOT_M[1]))},
        }
        for k in range(3)
    ]
    return ContextLayer.objects.create(
        agency=agency, name="Bars", slug="bars", geojson={"type": "FeatureCollection", "features": features}
    )


def make_scene(slug: str = "riverton", **fields: Any) -> Scene:
    """The whole scene. The first call in a process trains; later ones put the same model files under new rows."""
    agency = make_agency(slug, **({"cell_size_m": CELL_SIZE_M} | fields))
    make_incidents(agency)
    make_bars(agency)
    grid = grid_build(agency=agency)
    training = training_run_queue(agency=agency, seed=11)
    if _trained:
        _restore(agency, grid, training)
    else:
        training_run_execute(run=training)
        _snapshot.update(training.config_snapshot)
        for version in ModelVersion.objects.filter(run=training).select_related("crime_type"):
            _trained[version.crime_type.slug] = {
                name: getattr(version, name)
                for name in (
                    "number",
                    "champion",
                    "beats_baseline",
                    "is_baseline",
                    "state",
                    "approved_at",
                    "approval_note",
                    "artefact",
                    "artefact_hash",
                    "summary",
                    "trained_from",
                    "trained_to",
                    "n_incidents",
                    "data_hash",
                )
            }
    shift = Shift.objects.get(agency=agency, slug="evening")
    run = forecast_run_queue(agency=agency, shift=shift, on=(timezone.now() + dt.timedelta(days=1)).date())
    forecast_run(run=run)
    return Scene(agency=agency, grid=grid, training=training, run=run, shift=shift)


def _restore(agency: Agency, grid: Grid, training: TrainingRun) -> None:
    now = timezone.now()
    TrainingRun.objects.filter(pk=training.pk).update(
        status="succeeded", started_at=now, finished_at=now, config_snapshot=_snapshot
    )
    training.refresh_from_db()
    for slug, fields in _trained.items():
        ModelVersion.objects.create(
            agency=agency,
            crime_type=CrimeType.objects.get(agency=agency, slug=slug),
            run=training,
            grid=grid,
            **fields,
        )
