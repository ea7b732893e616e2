"""Forecasting one shift instance."""

import datetime as dt
from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, CrimeType, Shift, User
from agencies.selectors import active_crime_types, shift_instance_of
from forecasting import codec
from forecasting.artefacts import TRAIN_AGAIN, Artefact
from forecasting.engine.train import forecast
from forecasting.models import ForecastRun, Grid, ModelVersion, RiskSurface
from forecasting.selectors.context import context_block
from forecasting.selectors.forecasts import live_models, model_artefact, weights_now
from forecasting.selectors.governance import waiting_versions
from forecasting.selectors.grids import active_grid, grid_spec
from forecasting.selectors.inputs import (
    HISTORY_DAYS,
    agency_shifts,
    aware,
    known_incidents,
    period_of,
    shift_windows,
    table_for_categories,
    utc64,
)
from forecasting.selectors.lag import lags_record, said_lags
from forecasting.selectors.surroundings import SurroundingsKnown, surroundings_known
from forecasting.services.live_seal import live_seal
from ingestion.selectors import data_hash
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress
from missions_project.lib.runs import RunReporter, run_execution

Floats32 = npt.NDArray[np.float32]
_PLAIN = " (plain count)"
APPROVE = gettext_lazy(
    "Admin → Model versions: approve it, or approve the whole training under Admin → Training runs."
)
STALE_AFTER = dt.timedelta(days=4)
"""A gap between the newest incident and the shift that is more than a slow feed."""


def forecast_run_queue(
    *, agency: Agency, shift: Shift, on: dt.date, requested_by: User | None = None
) -> ForecastRun:
    """Put a forecast of one shift instance in the queue. Raises ``MissionsError`` if the shift does not start that day."""
    period_from, period_to = shift_instance_of(agency, shift, on)
    run = ForecastRun(
        agency=agency,
        shift=shift,
        on=on,
        period_from=period_from,
        period_to=period_to,
        as_of=min(timezone.now(), period_from),
        requested_by=requested_by,
    )
    # The grid is fixed when the run starts: a new one may be built while it waits.
    run.full_clean(exclude=["grid"])
    run.save()
    return run


def forecast_run(*, run: ForecastRun, progress: Progress | None = None) -> ForecastRun:
    """Forecast the shift instance for every active crime type that has a live model.

    Uses nothing that was reported at or after ``as_of``: this moment, or the shift's start if that is earlier.
    Raises ``MissionsError`` naming what is missing. All surfaces are stored, or none.
    """
    with run_execution(run, progress) as reporter:
        reporter.progress(0, 100, "Reading models and incidents")
        agency, grid = run.agency, active_grid(run.agency)
        as_of = min(timezone.now(), run.period_from)
        versions = _usable_models(agency, grid, reporter)
        if any(version.trained_to > run.period_from for version in versions.values()):
            reporter.log(
                "The models saw incidents of this shift or later ones when they were trained: this forecast must not be "
                "used to judge their accuracy."
            )
        values, plain, around = _surfaces(run, grid, as_of, versions, reporter)
        reporter.progress(90, 100, "Storing surfaces")
        surfaces = [
            RiskSurface(
                agency=agency,
                run=run,
                crime_type=crime_type,
                model_version=version,
                values=codec.surface_encode(values[crime_type.slug]),
                baseline_values=_plain_bytes(plain.get(crime_type.slug)),
                dtype=codec.DTYPE,
                codec=codec.CODEC,
                grid_hash=grid.hash,
                expected_total=float(values[crime_type.slug].sum(dtype=np.float64)),
            )
            for crime_type, version in versions.items()
        ]
        with transaction.atomic():
            # A run that was killed and queued again may have left some.
            RiskSurface.objects.filter(run=run).delete()
            RiskSurface.objects.bulk_create(surfaces)
            reporter.record(
                grid=grid,
                as_of=as_of,
                data_hash=around.mixed_into(
                    data_hash(agency, until=as_of, since=as_of - dt.timedelta(days=HISTORY_DAYS))
                ),
                counts={row.crime_type.slug: round(row.expected_total, 6) for row in surfaces},
                config_snapshot=run.config_snapshot,
            )
            # Last: it holds the agency's chain until all is stored, or nothing is.
            live_seal(run=run, surfaces=surfaces)
        reporter.progress(100, 100, "Done")
    return run


def _plain_bytes(values: Floats32 | None) -> bytes | None:
    """The plain count's surface for storage: rounded, for it is only ever a yardstick, and half as long then."""
    return None if values is None else codec.surface_encode(codec.surface_round(values))


def _usable_models(agency: Agency, grid: Grid, reporter: RunReporter) -> dict[CrimeType, ModelVersion]:
    """The live model of each active type. A type that has none yet is left out and named in the log."""
    crime_types = active_crime_types(agency)
    if not crime_types:
        raise MissionsError(
            _("Agency “%(agency_slug)s” has no active crime type.") % {"agency_slug": agency.slug},
            next_step=_("Admin → Crime types → Add."),
        )
    live, waiting = live_models(agency, crime_types), waiting_versions(agency)
    usable: dict[CrimeType, ModelVersion] = {}
    for crime_type in crime_types:
        version = live.get(crime_type.pk)
        if version is None and crime_type.pk in waiting:
            reporter.log(
                f"{crime_type} is not forecast: {waiting[crime_type.pk]} waits for approval. Next step: {APPROVE}"
            )
        elif version is None:
            reporter.log(f"{crime_type} has no model yet and is not forecast. Next step: {TRAIN_AGAIN}")
        elif version.grid_id != grid.pk:
            raise MissionsError(
                _("The live model of %(crime_type)s was trained on an earlier grid than the active one.")
                % {"crime_type": crime_type},
                next_step=str(TRAIN_AGAIN),
            )
        else:
            usable[crime_type] = version
    if not usable and waiting:
        raise MissionsError(
            _("Agency “%(agency_slug)s” has trained models, and none of them is approved.")
            % {"agency_slug": agency.slug},
            next_step=str(APPROVE),
        )
    if not usable:
        raise MissionsError(
            _("Agency “%(agency_slug)s” has no trained model.") % {"agency_slug": agency.slug},
            next_step=str(TRAIN_AGAIN),
        )
    return usable


def _surfaces(
    run: ForecastRun,
    grid: Grid,
    as_of: dt.datetime,
    versions: dict[CrimeType, ModelVersion],
    reporter: RunReporter,
) -> tuple[dict[str, Floats32], dict[str, Floats32], SurroundingsKnown]:
    """The champions' surfaces by crime type, those of the best plain counts where they are not the champions, and what
    passed over the city."""
    found = agency_shifts(run.agency)
    windows = shift_windows(found)
    groups: dict[tuple[Any, ...], dict[str, Artefact]] = defaultdict(dict)
    for crime_type, version in versions.items():
        artefact = model_artefact(version)
        if artefact.shifts != windows or artefact.grid_hash != grid.hash:
            raise MissionsError(
                _("The agency's shifts or grid were changed since %(version)s was trained.")
                % {"version": version},
                next_step=str(TRAIN_AGAIN),
            )
        groups[artefact.terms][crime_type.slug] = artefact
    table = known_incidents(run.agency, epsg=grid.epsg, as_of=as_of)
    newest = aware(table.occurred_utc[-1]) if len(table) else None
    reporter.log(f"{len(table):,} incidents and calls known before {as_of:%Y-%m-%d %H:%M} UTC.")
    if newest is None or run.period_from - newest > STALE_AFTER:
        reporter.log(
            f"The newest incident known is of {newest:%Y-%m-%d %H:%M} UTC, well before the shift: silence since then "
            "lowers every expected count. Next step: import the days that are missing, then forecast again."
            if newest
            else "No incident is known at all. Next step: import incidents, then forecast again."
        )
    # As set today: the analyst may have learnt since the training how late this feed is.
    said, _lags = said_lags(run.agency, as_of=as_of)
    around = surroundings_known(run.agency, epsg=grid.epsg, before=as_of)
    values: dict[str, Floats32] = {}
    plain: dict[str, Floats32] = {}
    digests: dict[str, str] = {}
    for artefacts in groups.values():
        one = next(iter(artefacts.values()))
        block = context_block(grid, as_of=as_of, names=one.context_names)
        digests |= dict.fromkeys(artefacts, block.digest)
        models = {slug: artefact.trained for slug, artefact in artefacts.items()}
        # In the same walk under names that no crime type can have: the counts behind both are made once.
        models |= {
            f"{slug}{_PLAIN}": plain_model
            for slug, model in models.items()
            if (plain_model := model.plain()) is not None
        }
        try:
            made = forecast(
                trained=models,
                grid=grid_spec(grid),
                incidents=table_for_categories(table, one.categories),
                period=period_of(found, run.shift_id, run.on, run.period_from, run.period_to),
                shifts=windows,
                as_of_utc=utc64(as_of),
                context=block.values,
                context_names=block.names,
                progress=reporter.progress,
                lag=said,
                surroundings=around.for_models(models.values()),
            )
        except ValueError as error:
            raise MissionsError(str(error), next_step=str(TRAIN_AGAIN)) from error
        values |= {slug: made[slug] for slug in artefacts}
        plain |= {slug: made[f"{slug}{_PLAIN}"] for slug in artefacts if f"{slug}{_PLAIN}" in made}
    run.config_snapshot = {
        "grid": grid.hash,
        "incidents_known": len(table),
        "newest_incident": newest.isoformat() if newest else None,
        "lag": lags_record(said),
        "weights": weights_now(run.agency),
        "shift": {
            "slug": run.shift.slug,
            "period_from": run.period_from.isoformat(),
            "period_to": run.period_to.isoformat(),
        },
        "models": {
            crime_type.slug: {
                "version": version.number,
                "champion": version.champion,
                "artefact_hash": version.artefact_hash,
                "weight": crime_type.weight,
                "context": digests[crime_type.slug],
            }
            for crime_type, version in versions.items()
        },
    }
    if around.record:
        run.config_snapshot["surroundings"] = around.record
    return values, plain, around
