"""Past forecasts against what became known: which shifts count, what the weeks hold, and when the alarm shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import User
from forecasting import codec
from forecasting.engine.metrics import log_score
from forecasting.models import ForecastRun, ModelPolicy, ModelVersion, ModelWeek, RiskSurface
from forecasting.selectors import (
    alarms_of,
    baseline_values,
    cell_beats,
    drift_of,
    grid_spec,
    live_alarms,
    surface_values,
)
from forecasting.services import (
    drift_measure,
    forecast_run,
    forecast_run_queue,
    model_policy_ensure,
)
from forecasting.services.drift import monday
from ingestion.models import Discovery, Incident
from missions_project import pipeline
from tests.factories import degrees
from tests.forecasting.scenes import HOT_M, Scene

SignIn = Callable[[User | None], Client]


@pytest.fixture
def version(scene: Scene) -> ModelVersion:
    """The live burglary model, trained long ago, so that the forecasts of the last weeks are honest tests of it."""
    long_ago = timezone.now() - dt.timedelta(days=400)
    ModelVersion.objects.filter(agency=scene.agency).update(trained_to=long_ago, trained_from=long_ago)
    return scene.version()


def past_forecast(
    scene: Scene, version: ModelVersion, days_ago: int, *, expected: float = 1.0, plain: float | None = None,
    issued_late: bool = False, **fields: Any,
) -> ForecastRun:  # fmt: skip
    """A stored forecast of the evening so many days ago with flat surfaces; the plain count's too if asked."""
    on = (timezone.now() - dt.timedelta(days=days_ago)).date()
    run = forecast_run_queue(agency=scene.agency, shift=scene.shift, on=on)
    at = run.period_from + dt.timedelta(days=1 if issued_late else -1)
    defaults = {"status": "succeeded", "finished_at": at, "as_of": run.period_from, "grid": scene.grid}
    ForecastRun.objects.filter(pk=run.pk).update(**(defaults | fields))
    n = scene.grid.n_cells
    RiskSurface.objects.create(
        agency=scene.agency, run=run, crime_type=version.crime_type, model_version=version,
        values=codec.surface_encode(np.full(n, expected / n)), grid_hash=scene.grid.hash, expected_total=expected,
        baseline_values=None if plain is None else codec.surface_encode(codec.surface_round(np.full(n, plain / n))),
    )  # fmt: skip
    run.refresh_from_db()
    return run


def burglaries(scene: Scene, run: ForecastRun, n: int, *, hours: float = 1.0, **fields: Any) -> None:
    feed = Incident.objects.filter(agency=scene.agency)[0].feed
    lon, lat = degrees(*HOT_M)
    at = run.period_from + dt.timedelta(hours=hours)
    Incident.objects.bulk_create(
        Incident(
            **({"agency": scene.agency, "feed": feed, "external_id": f"{run.pk}-{hours}-{k}-{fields}", "occurred_from": at,
                "occurred_to": at, "reported_at": at, "lon": lon, "lat": lat, "content_hash": k,
                "crime_type": scene.crime_type()} | fields)
        )
        for k in range(n)
    )  # fmt: skip


def nothing_happened(scene: Scene) -> None:
    """Keep the oldest incident only, so that each test's own are the ones that count."""
    first = Incident.objects.filter(agency=scene.agency).order_by("occurred_from")[0]
    Incident.objects.filter(agency=scene.agency).exclude(pk=first.pk).delete()


def week_of(version: ModelVersion, run: ForecastRun) -> ModelWeek:
    return ModelWeek.objects.get(version=version, week_from=monday(run.on))


def test_a_forecast_stores_the_best_plain_count_beside_a_learned_model_only(scene: Scene) -> None:
    for surface in RiskSurface.objects.filter(run=scene.run).select_related("model_version", "crime_type"):
        plain = baseline_values(surface, scene.grid)
        assert (plain is None) == surface.model_version.is_baseline
        if plain is not None:
            assert plain.sum() == pytest.approx(surface.expected_total, rel=1e-3)
            assert len(bytes(surface.baseline_values or b"")) < len(bytes(surface.values))
            assert not np.allclose(plain, surface_values(surface, scene.grid))


def test_a_rounded_surface_is_within_one_part_in_four_thousand() -> None:
    values = np.random.default_rng(0).gamma(0.3, 0.01, 5_000).astype(np.float32)
    rounded = codec.surface_round(values)
    assert np.abs(rounded / values - 1).max() <= 1 / 4096
    assert len(codec.surface_encode(rounded)) < 0.7 * len(codec.surface_encode(values))
    assert codec.surface_round(np.array([0.0], np.float32)).tolist() == [0.0]


def test_a_week_adds_up_its_shifts(scene: Scene, version: ModelVersion) -> None:
    nothing_happened(scene)
    start = monday((timezone.now() - dt.timedelta(days=30)).date())
    ago = (timezone.now().date() - start).days
    runs = [past_forecast(scene, version, ago - k, expected=1.5, plain=2.0) for k in range(3)]
    burglaries(scene, runs[0], 2)
    burglaries(scene, runs[2], 3)
    # Before the shift, of another type, outside the grid, initiated by officers: none of them counts.
    burglaries(scene, runs[1], 4, hours=-1)
    burglaries(scene, runs[1], 4, crime_type=scene.crime_type("robbery"))
    burglaries(scene, runs[1], 4, lon=0.0)
    burglaries(scene, runs[1], 4, discovery=Discovery.OFFICER_INITIATED)
    assert drift_measure(agency=scene.agency) == 1
    week = week_of(version, runs[0])
    assert (week.n_shifts, week.observed) == (3, 5)
    assert week.expected == pytest.approx(4.5)
    n = scene.grid.n_cells
    assert week.log_score == pytest.approx(5 * np.log(1.5 / n) - 4.5, rel=1e-5)
    assert week.baseline_log_score == pytest.approx(5 * np.log(2.0 / n) - 6.0, rel=1e-3)


def test_the_log_score_is_the_leagues(scene: Scene, version: ModelVersion) -> None:
    nothing_happened(scene)
    run = past_forecast(scene, version, 30)
    rng = np.random.default_rng(1)
    values = rng.gamma(0.5, 0.02, scene.grid.n_cells).astype(np.float32)
    RiskSurface.objects.filter(run=run).update(values=codec.surface_encode(values))
    burglaries(scene, run, 2)
    drift_measure(agency=scene.agency)
    spec = grid_spec(scene.grid)
    from forecasting.engine.grid import project

    lon, lat = degrees(*HOT_M)
    cell = spec.locate(*project([lon], [lat], spec.epsg))
    assert week_of(version, run).log_score == pytest.approx(log_score(values, cell, np.array([2.0])))


def test_only_forecasts_that_could_not_know_count_and_of_several_the_last_before_the_shift(
    scene: Scene, version: ModelVersion
) -> None:
    nothing_happened(scene)
    day = 30
    early = past_forecast(scene, version, day, expected=1.0)
    hours_before = early.period_from - dt.timedelta(hours=1)
    past_forecast(scene, version, day, expected=2.0, finished_at=hours_before)
    past_forecast(scene, version, day, expected=4.0, issued_late=True)
    past_forecast(scene, version, day, expected=8.0, status="failed")
    drift_measure(agency=scene.agency)
    assert week_of(version, early).expected == pytest.approx(2.0)
    # Trained on the shift itself: no test of anything.
    ModelVersion.objects.filter(pk=version.pk).update(trained_to=early.period_to)
    ModelWeek.objects.all().delete()
    assert drift_measure(agency=scene.agency) == 0


def test_the_present_shift_and_a_week_half_compared_are_left_out(scene: Scene, version: ModelVersion) -> None:
    nothing_happened(scene)
    past_forecast(scene, version, -1)
    assert drift_measure(agency=scene.agency) == 0
    start = monday((timezone.now() - dt.timedelta(days=30)).date())
    ago = (timezone.now().date() - start).days
    run = past_forecast(scene, version, ago, plain=1.0)
    past_forecast(scene, version, ago - 1)
    drift_measure(agency=scene.agency)
    assert week_of(version, run).baseline_log_score is None


def test_measuring_again_takes_in_late_reports_and_leaves_old_weeks_alone(
    scene: Scene, version: ModelVersion
) -> None:
    nothing_happened(scene)
    new, old = past_forecast(scene, version, 20), past_forecast(scene, version, 300)
    assert drift_measure(agency=scene.agency) == 2
    assert week_of(version, new).observed == 0
    burglaries(scene, new, 2, reported_at=timezone.now())
    burglaries(scene, old, 2, reported_at=timezone.now())
    assert drift_measure(agency=scene.agency) == 1
    assert (week_of(version, new).observed, week_of(version, old).observed) == (2, 0)
    assert drift_measure(agency=scene.agency, everything=True) == 2
    assert week_of(version, old).observed == 2
    assert ModelWeek.objects.count() == 2


def weeks(
    version: ModelVersion, ratios: list[float], *, ends_days_ago: int = 21, gain: float | None = None
) -> None:
    """Stored weeks with 50 crimes expected each, the last of them so many days ago."""
    last = monday((timezone.now() - dt.timedelta(days=ends_days_ago + 7)).date())
    for number, ratio in enumerate(ratios):
        ModelWeek.objects.create(
            agency=version.agency, version=version, week_from=last - dt.timedelta(weeks=len(ratios) - 1 - number),
            n_shifts=21, expected=50.0, observed=round(50 * ratio), log_score=-300.0,
            baseline_log_score=None if gain is None else -300.0 - gain, measured_at=timezone.now(),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("ratios", "gain", "words"),
    [
        ([1.0] * 8, None, None),
        ([1.0, 1.0, 1.6, 1.7], None, "More than expected: 165 where 100.0 were expected in the weeks of"),
        ([1.0] * 4 + [0.5] * 3, None, "Fewer than expected: "),
        ([1.0] * 10, -1.5, "The best plain count forecast better: by "),
    ],
)
def test_the_alarm_names_what_is_off_with_its_numbers(
    scene: Scene, version: ModelVersion, ratios: list[float], gain: float | None, words: str | None
) -> None:
    ModelVersion.objects.filter(pk=version.pk).update(is_baseline=False, beats_baseline=True)
    version.refresh_from_db()
    weeks(version, ratios, gain=gain)
    drift = drift_of(version)
    assert drift.n_settled == len(ratios)
    if words is None:
        assert drift.alarms == ()
        assert live_alarms(scene.agency) == {}
    else:
        (alarm,) = drift.alarms
        assert words in alarm.text
        assert live_alarms(scene.agency) == {version.pk: drift.alarms}


def test_weeks_younger_than_the_settle_time_are_shown_but_never_alarm(
    scene: Scene, version: ModelVersion
) -> None:
    weeks(version, [0.2, 0.2], ends_days_ago=0)
    drift = drift_of(version)
    assert len(drift.weeks) == 2
    assert (drift.n_settled, drift.alarms) == (0, ())
    policy = model_policy_ensure(agency=scene.agency)
    policy.settle_days = 0
    policy.save()
    assert [alarm.rule for alarm in drift_of(version).alarms] == ["fewer"]
    policy.false_alarm_percent = 0.1
    policy.departure_percent = 200
    policy.save()
    calmer = drift_of(version)
    assert calmer.limits.departure == 2.0


def test_weeks_that_vary_more_than_chance_have_wider_limits(scene: Scene, version: ModelVersion) -> None:
    weeks(version, [1.0])
    (narrow,) = drift_of(version).weeks
    version.dispersion = 2.0
    (wide,) = drift_of(version).weeks
    assert (narrow.low, narrow.high) == (37, 64)
    assert wide.low < narrow.low
    assert wide.high > narrow.high
    assert not wide.is_outside


def test_a_plain_count_in_service_is_not_compared_with_itself(scene: Scene, version: ModelVersion) -> None:
    ModelVersion.objects.filter(pk=version.pk).update(is_baseline=True)
    version.refresh_from_db()
    weeks(version, [1.0] * 10, gain=-5.0)
    assert drift_of(version).alarms == ()


def test_alarms_show_on_the_card_the_risk_map_and_the_admin_list(
    scene: Scene, version: ModelVersion, analyst: User, member: Callable[[str], User], sign_in: SignIn
) -> None:
    weeks(version, [1.0, 1.0, 1.7, 1.8, 1.2])
    card = (
        sign_in(analyst)
        .get(reverse("forecasting:model", args=[scene.agency.slug, "burglary"]))
        .content.decode()
    )
    assert "Drift alarm." in card
    assert "More than expected" in card
    risk = reverse("forecasting:risk", args=[scene.agency.slug])
    where = {"shift": scene.shift.slug, "date": scene.run.on.isoformat()}
    for kind in ("burglary", "harm"):
        assert "More than expected" in sign_in(analyst).get(risk, where | {"type": kind}).content.decode()
    assert (
        "More than expected" not in sign_in(analyst).get(risk, where | {"type": "robbery"}).content.decode()
    )
    listed = (
        sign_in(member("admin")).get(reverse("admin:forecasting_modelversion_changelist")).content.decode()
    )
    assert 'class="drift-alarm"' in listed


def test_each_agencys_models_are_measured_once_a_day(
    scene: Scene, version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(pipeline.drift_measure_task, "delay", sent.append)
    model_policy_ensure(agency=scene.agency)
    ModelPolicy.objects.update(drift_measured_at=None)
    assert [pipeline.drift_due(), pipeline.drift_due()] == [1, 0]
    assert sent == [scene.agency.pk]
    ModelPolicy.objects.update(drift_measured_at=timezone.now() - dt.timedelta(hours=21))
    assert pipeline.drift_due() == 1
    # The message was lost with a killed worker: an hour later it is sent again.
    assert pipeline.drift_due() == 0
    marked = ModelPolicy.objects.get(agency=scene.agency).drift_measured_at
    ModelPolicy.objects.update(drift_measured_at=marked - pipeline.DRIFT_LOST_AFTER - dt.timedelta(minutes=1))
    assert pipeline.drift_due() == 1
    # Nothing in service, nothing to measure.
    ModelPolicy.objects.update(drift_measured_at=None)
    ModelVersion.objects.update(state=ModelVersion.State.RETIRED, retired_at=timezone.now())
    assert pipeline.drift_due() == 0


def test_the_task_measures_and_the_command_says_what_is_off(scene: Scene, version: ModelVersion) -> None:
    from forecasting.tasks import drift_measure_task

    nothing_happened(scene)
    model_policy_ensure(agency=scene.agency)
    run = past_forecast(scene, version, 30, plain=1.0)
    drift_measure_task(scene.agency.pk)
    assert week_of(version, run).n_shifts == 1
    assert ModelPolicy.objects.get(agency=scene.agency).drift_measured_at is not None
    weeks(version, [1.8] * 5, ends_days_ago=60)
    out = StringIO()
    call_command("drift", agency=scene.agency.slug, stdout=out)
    assert "1 weeks measured" in out.getvalue()
    assert "ALARM: More than expected" in out.getvalue()


def test_measuring_and_reading_cost_few_queries(
    scene: Scene, version: ModelVersion, django_assert_max_num_queries: Any, django_assert_num_queries: Any
) -> None:
    for day in range(20, 32):
        past_forecast(scene, version, day)
    cell_beats(scene.grid)
    with django_assert_max_num_queries(16):
        drift_measure(agency=scene.agency)
    versions = list(
        ModelVersion.objects.live().filter(agency=scene.agency).select_related("agency", "crime_type")
    )
    with django_assert_num_queries(3):
        drift_of(next(row for row in versions if row == version))
    with django_assert_num_queries(3):
        alarms_of(versions)


def test_a_real_forecast_of_a_past_evening_is_measured_end_to_end(
    scene: Scene, version: ModelVersion
) -> None:
    on = (timezone.now() - dt.timedelta(days=30)).date()
    run = forecast_run(run=forecast_run_queue(agency=scene.agency, shift=scene.shift, on=on))
    drift_measure(agency=scene.agency)
    rows = ModelWeek.objects.filter(week_from=monday(on))
    assert {row.version_id for row in rows} == set(run.surfaces.values_list("model_version_id", flat=True))
    assert sum(row.expected for row in rows) == pytest.approx(sum(run.counts.values()), rel=1e-4)
    for row in rows:
        assert (row.baseline_log_score is None) == row.version.is_baseline
