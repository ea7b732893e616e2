"""Training: artefacts with their fingerprint, one live model a type, and clear words where it cannot."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pytest
from django.conf import settings

from agencies.models import Agency, CrimeType, Shift
from forecasting.artefacts import artefact_seal, artefacts_forget
from forecasting.models import ModelVersion, RiskSurface
from forecasting.selectors import model_artefact
from forecasting.selectors.inputs import periods_between, shift_windows, utc64
from forecasting.services import (
    forecast_run,
    forecast_run_queue,
    grid_build,
    training_run_execute,
    training_run_queue,
)
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from tests.forecasting.scenes import Scene, make_incidents


def test_every_active_type_gets_one_live_model_with_its_league(scene: Scene) -> None:
    live = ModelVersion.objects.live().filter(agency=scene.agency)
    assert {row.crime_type.slug for row in live} == {"robbery", "burglary", "motor-vehicle-theft"}
    for row in live:
        assert row.champion in {entry["name"] for entry in row.summary["league"]}
        assert row.n_incidents > 30
        assert row.data_hash
        assert row.summary["library"].startswith("scikit-learn")
        assert model_artefact(row).grid_hash == scene.grid.hash


def test_training_again_replaces_the_live_models_together(scene: Scene) -> None:
    run = training_run_execute(run=training_run_queue(agency=scene.agency, seed=3))
    assert run.status == RunStatus.SUCCEEDED
    assert run.config_snapshot["seed"] == 3
    live = ModelVersion.objects.live().filter(agency=scene.agency)
    assert {(row.run_id, row.number) for row in live} == {(run.pk, 2)}
    assert ModelVersion.objects.filter(agency=scene.agency, state=ModelVersion.State.RETIRED).count() == 3


def test_the_same_seed_gives_the_same_surface(scene: Scene) -> None:
    totals = []
    # A shift of the past is forecast as of its start: of one to come, the hours until then would count too.
    on = scene.run.on - dt.timedelta(days=3)
    for _ in range(2):
        training_run_execute(run=training_run_queue(agency=scene.agency, seed=5))
        run = forecast_run(run=forecast_run_queue(agency=scene.agency, shift=scene.shift, on=on))
        totals.append(
            [bytes(row.values) for row in RiskSurface.objects.filter(run=run).order_by("crime_type")]
        )
    assert totals[0] == totals[1]


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_model_file_that_was_changed_or_is_missing_is_not_opened(scene: Scene, damage: str) -> None:
    version = scene.version()
    path = Path(settings.ARTEFACT_DIR) / version.artefact
    kept = path.read_bytes()
    artefacts_forget()
    try:
        if damage == "changed":
            path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        else:
            path.unlink()
        run = forecast_run_queue(agency=scene.agency, shift=scene.shift, on=scene.run.on)
        with pytest.raises(MissionsError, match=r"model file .* Next step: .*train"):
            forecast_run(run=run)
        run.refresh_from_db()
        assert run.status == RunStatus.FAILED
        assert version.artefact in run.error
        assert not RiskSurface.objects.filter(run=run).exists()
    finally:
        path.write_bytes(kept)
        artefacts_forget()


@pytest.mark.parametrize(
    "names", ["forecasting.engine.candidates\nFittedBlend", "forecasting.engine.gone\nModel"]
)
def test_a_model_of_an_older_version_of_this_program_asks_for_training(scene: Scene, names: str) -> None:
    """Its file names classes that have moved since: words, and not a page that breaks."""
    version = scene.version()
    content = f"c{names}\n.".encode()
    name = "an-older-one.joblib"
    path = Path(settings.ARTEFACT_DIR) / name
    path.write_bytes(content)
    version.artefact, version.artefact_hash = name, hashlib.sha256(content).hexdigest()
    assert artefact_seal(name=name, sha256=version.artefact_hash)
    try:
        with pytest.raises(MissionsError, match=r"another version of this program.* Next step: .*Train now"):
            model_artefact(version)
    finally:
        path.unlink()


def test_a_model_of_another_library_version_asks_for_training(scene: Scene) -> None:
    version = scene.version()
    version.summary["library"] = "scikit-learn 0.1"
    version.save()
    artefacts_forget()
    with pytest.raises(MissionsError, match=r"made with scikit-learn 0\.1"):
        model_artefact(version)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("grid", "no active grid"),
        ("incidents", "no incidents"),
        ("types", "no active crime type"),
        ("shifts", "no shifts"),
    ],
)
def test_what_is_missing_is_named(agency: Agency, missing: str, words: str) -> None:
    if missing != "grid":
        grid_build(agency=agency)
    if missing == "types":
        CrimeType.objects.filter(agency=agency).update(is_active=False)
    if missing == "shifts":
        Shift.objects.filter(agency=agency).delete()
    run = training_run_queue(agency=agency)
    with pytest.raises(MissionsError, match=words):
        training_run_execute(run=run)
    run.refresh_from_db()
    assert (run.status, ModelVersion.objects.count()) == (RunStatus.FAILED, 0)
    assert words in run.error


def test_training_does_not_look_past_its_last_day(agency: Agency) -> None:
    incidents = make_incidents(agency)
    grid_build(agency=agency)
    until = incidents[len(incidents) * 3 // 4].occurred_from
    run = training_run_execute(run=training_run_queue(agency=agency, seed=1, until=until))
    early = sum(row.reported_at < until for row in incidents if row.reported_at)
    assert sum(run.counts.values()) <= early
    assert all(row.trained_to <= until for row in ModelVersion.objects.all())


def test_shift_instances_follow_the_wall_clock_and_keep_their_length(agency: Agency) -> None:
    shifts = list(Shift.objects.filter(agency=agency).order_by("starts_at"))
    first, last = dt.datetime(2026, 3, 1, tzinfo=dt.UTC), dt.datetime(2026, 3, 15, tzinfo=dt.UTC)
    periods = periods_between(shift_windows(shifts), "America/Chicago", utc64(first), utc64(last))
    hours = (periods.to_utc - periods.from_utc).astype("timedelta64[h]").astype(int)
    assert set(hours.tolist()) == {8}
    local_hours = (
        (periods.local_from - periods.local_from.astype("datetime64[D]")).astype("timedelta64[h]").astype(int)
    )
    assert set(local_hours.tolist()) == {0, 8, 16}
    # Clocks go forward on 8 March 2026: evenings start at 22:00 UTC before it and at 21:00 after it.
    evening = periods.from_utc[periods.slot == 2]
    starts = (evening - evening.astype("datetime64[D]")).astype("timedelta64[h]").astype(int)
    assert starts.tolist() == [22] * 7 + [21] * (len(starts) - 7)
