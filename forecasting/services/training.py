"""Training: from stored incidents to live models, with the league that chose them."""

import datetime as dt
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency, Beat, CrimeType, Shift, Unit, User
from agencies.selectors import active_crime_types
from agencies.services import audit_last
from forecasting.artefacts import Artefact, artefact_store, library_version, library_versions
from forecasting.engine.train import Groups, ShiftWindow, TrainedType, train
from forecasting.models import Grid, ModelVersion, TrainingRun
from forecasting.selectors.context import context_block
from forecasting.selectors.grids import active_grid, cell_beats, grid_spec
from forecasting.selectors.inputs import (
    HISTORY_DAYS,
    TRAINING_YEARS,
    agency_shifts,
    aware,
    known_incidents,
    periods_between,
    shift_windows,
    utc64,
)
from forecasting.selectors.lag import lags_record, said_lags
from forecasting.selectors.surroundings import MOST_KINDS, surroundings_known
from forecasting.services.governance import model_policy_ensure, trained_enters
from ingestion.engine.tables import IncidentTable
from ingestion.models import Incident
from ingestion.selectors import data_hash
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress
from missions_project.lib.runs import RunReporter, run_execution


def training_run_queue(
    *,
    agency: Agency,
    requested_by: User | None = None,
    seed: int | None = None,
    until: dt.datetime | None = None,
    due_at: dt.datetime | None = None,
) -> TrainingRun:
    """Put a training in the queue. ``until``: learn only from what was known then; default is everything.

    ``due_at``: the instant of the agency's schedule that it serves. A second one for the same instant raises
    ``IntegrityError``.
    """
    run = TrainingRun(
        agency=agency,
        due_at=due_at,
        requested_by=requested_by,
        config_snapshot={
            "seed": secrets.randbits(32) if seed is None else seed,
            "until": until.isoformat() if until else None,
        },
    )
    # Uniqueness is left to the database: between a look and a write another dispatcher fits.
    run.full_clean(validate_unique=False, validate_constraints=False)
    run.save()
    return run


def training_run_execute(*, run: TrainingRun, progress: Progress | None = None) -> TrainingRun:
    """Train every active crime type, test against plain counts, and make the champions live together.

    Under the agency's policy "only after approval" the new versions wait instead. Nothing goes live unless all of it
    succeeds. Raises ``MissionsError`` naming what is missing (grid, shifts,
    crime types, incidents).
    """
    with run_execution(run, progress) as reporter:
        if stored := list(ModelVersion.objects.filter(run=run).select_related("crime_type")):
            # A worker that was killed between storing and saying so: trained again, each version would exist twice.
            _tell(stored, reporter)
            return run
        reporter.progress(0, 1000, "Reading incidents")
        agency, seed = run.agency, int(run.config_snapshot["seed"])
        grid, found = active_grid(agency), agency_shifts(agency)
        crime_types = active_crime_types(agency)
        if not crime_types:
            raise MissionsError(
                _("Agency “%(agency_slug)s” has no active crime type.") % {"agency_slug": agency.slug},
                next_step=_("Admin → Crime types → Add."),
            )
        as_of = _as_of(agency, run.config_snapshot.get("until"))
        table = known_incidents(agency, epsg=grid.epsg, as_of=as_of)
        windows = shift_windows(found)
        periods = periods_between(windows, agency.time_zone, _first_instant(table, as_of), utc64(as_of))
        block = context_block(grid, as_of=as_of)
        said, remarks = said_lags(agency, as_of=as_of)
        around = surroundings_known(agency, epsg=grid.epsg, before=as_of, kinds_at_most=MOST_KINDS)
        digest = around.mixed_into(
            data_hash(agency, until=as_of, since=as_of - dt.timedelta(days=HISTORY_DAYS))
        )
        reporter.log(
            f"{len(table)} incidents and calls known before {as_of:%Y-%m-%d %H:%M} UTC, {len(periods)} shift instances, "
            f"{grid.n_cells} cells, {len(block.names)} context columns."
        )
        for remark in remarks:
            reporter.log(remark)
        if around.surroundings is not None:
            reporter.log(
                f"{around.record['events']} scheduled events, {around.record['weather_rows']} rows of weather."
            )
        try:
            learn = partial(
                train,
                grid=grid_spec(grid),
                incidents=table,
                periods=periods,
                shifts=windows,
                targets=tuple(row.slug for row in crime_types),
                as_of_utc=utc64(as_of),
                context=block.values,
                context_names=block.names,
                rng=np.random.default_rng(seed),
                budget_cells=_missions_per_shift(agency, found),
                lag=said,
                groups=_beat_groups(agency, grid),
                surroundings=around.surroundings,
            )
            trained = _beside_a_heartbeat(learn, reporter)
        except ValueError as error:
            raise MissionsError(
                str(error), next_step=_("import more incidents, then train again.")
            ) from error
        reporter.record(
            data_hash=digest,
            config_snapshot=run.config_snapshot
            | {
                "as_of": as_of.isoformat(),
                "grid": grid.hash,
                "shifts": _shifts_snapshot(windows),
                "crime_types": {
                    row.slug: {"weight": row.weight, "offence": row.nibrs_code} for row in crime_types
                },
                "context": {"columns": list(block.names), "digest": block.digest},
                "library": library_version(),
                "lag": lags_record(said),
            }
            | ({"surroundings": around.record} if around.record else {}),
        )
        versions = _store(run, grid, crime_types, trained, windows, block.names, digest)
        _tell(versions, reporter)
    return run


def _tell(versions: list[ModelVersion], reporter: RunReporter) -> None:
    """Say in the run's row what was trained."""
    for version in versions:
        verdict = "beats the best plain count" if version.beats_baseline else "nothing beats the plain count"
        reporter.log(f"{version}: {verdict}. {version.get_state_display()}. {version.n_incidents} incidents.")
    reporter.record(counts={row.crime_type.slug: row.n_incidents for row in versions})
    reporter.progress(1000, 1000, "Done")


def _beside_a_heartbeat(
    learn: Callable[..., dict[str, TrainedType]], reporter: RunReporter
) -> dict[str, TrainedType]:
    """Run the training in a thread of its own, while this one keeps telling the run's row that it lives.

    The engine reports from several threads, and between two reports can lie minutes. Were they to write, each
    thread would open a connection of its own; were nobody to write, the run would be taken for abandoned.
    """
    latest: tuple[int, int, str] = (0, 1000, "Training")
    outcome: Future[dict[str, TrainedType]] = Future()

    def heard(done: int, total: int, label: str) -> None:
        nonlocal latest
        latest = max(latest, (done, total, label))

    def work() -> None:
        try:
            outcome.set_result(learn(progress=heard))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            outcome.set_exception(error)

    # A daemon: Ctrl-C must end the command, not wait for the models.
    threading.Thread(target=work, name="training", daemon=True).start()
    while not wait([outcome], timeout=0.5).done:
        reporter.progress(*latest)
    return outcome.result()


def _as_of(agency: Agency, until: str | None) -> dt.datetime:
    """The end of what can be learnt from: now, or the last incident where the data end earlier.

    Months without data after the last import must not be learnt as months of peace.
    """
    end = dt.datetime.fromisoformat(until) if until else timezone.now()
    last: dt.datetime | None = Incident.objects.filter(agency=agency, occurred_from__lt=end).aggregate(
        last=Max("occurred_from")
    )["last"]
    if last is None:
        raise MissionsError(
            _("Agency “%(agency_slug)s” has no incidents before %(end)s.")
            % {"agency_slug": agency.slug, "end": f"{end:%Y-%m-%d}"},
            next_step=_("import a file first: `manage.py import_incidents --agency SLUG --feed NAME FILE`."),
        )
    return min(end, last + dt.timedelta(seconds=1))


def _first_instant(table: IncidentTable, as_of: dt.datetime) -> np.datetime64:
    earliest = utc64(as_of - dt.timedelta(days=round(365.25 * TRAINING_YEARS)))
    return max(earliest, table.occurred_utc[0]) if len(table) else earliest


def _missions_per_shift(agency: Agency, found: list[Shift]) -> int | None:
    """How many boxes the agency can visit in a shift: models are scored at that area too. Two queries."""
    total = 0
    for unit in Unit.objects.filter(agency=agency, is_active=True, beat__isnull=False).prefetch_related(
        "shifts"
    ):
        total += unit.missions_per_shift * (len(unit.shifts.all()) or len(found))
    return round(total / len(found)) or None


def _beat_groups(agency: Agency, grid: Grid) -> Groups | None:
    """The beats as areas to report on: the model card tells the accuracy of each. Two queries."""
    beats = list(Beat.objects.filter(agency=agency).order_by("code").values_list("pk", "code"))
    if not beats:
        return None
    place = {pk: number for number, (pk, _) in enumerate(beats)}
    of_cell = np.array([place.get(int(pk), -1) for pk in cell_beats(grid)], dtype=np.int64)
    return Groups(of_cell, tuple(code for _, code in beats))


def _shifts_snapshot(windows: tuple[ShiftWindow, ...]) -> list[dict[str, Any]]:
    return [
        {"slug": row.slug, "start_minute": row.start_minute, "duration_minutes": row.duration_minutes}
        for row in windows
    ]


def _store(
    run: TrainingRun,
    grid: Grid,
    crime_types: list[CrimeType],
    trained: dict[str, TrainedType],
    windows: tuple[ShiftWindow, ...],
    context_names: tuple[str, ...],
    digest: str,
) -> list[ModelVersion]:
    # Files first: a row that points to no file would be live and unreadable.
    files = {
        slug: artefact_store(
            Artefact(trained=one, shifts=windows, context_names=context_names, grid_hash=grid.hash),
            agency_slug=run.agency.slug,
            type_slug=slug,
        )
        for slug, one in trained.items()
    }
    versions = []
    policy, now = model_policy_ensure(agency=run.agency), timezone.now()
    with transaction.atomic(), audit_last():
        # Locked in one order: two trainings at once would otherwise give the same number twice.
        list(
            CrimeType.objects.select_for_update()
            .filter(pk__in=[row.pk for row in crime_types])
            .order_by("pk")
        )
        for crime_type in crime_types:
            one = trained[crime_type.slug]
            rows = ModelVersion.objects.filter(crime_type=crime_type)
            number = (rows.aggregate(last=Max("number"))["last"] or 0) + 1
            version = ModelVersion(
                agency=run.agency,
                crime_type=crime_type,
                run=run,
                grid=grid,
                number=number,
                champion=one.champion,
                beats_baseline=one.beats_baseline,
                is_baseline=any(row.is_baseline for row in one.league if row.name == one.champion),
                artefact=files[crime_type.slug][0],
                artefact_hash=files[crime_type.slug][1],
                summary=one.summary() | {"library": library_version(), "libraries": library_versions()},
                trained_from=aware(one.trained_from),
                trained_to=aware(one.trained_to),
                n_incidents=one.events,
                data_hash=digest,
                dispersion=one.card.get("dispersion", 1.0),
            )
            trained_enters(version=version, policy=policy, now=now)
            versions.append(version)
    return versions
