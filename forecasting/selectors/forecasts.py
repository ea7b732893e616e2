"""Reading forecasts: expected counts per cell, harm, and the models that made them."""

import datetime as dt
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, Beat, CrimeType, DistrictPriority, Shift
from forecasting import codec
from forecasting.artefacts import TRAIN_AGAIN, Artefact, artefact_load
from forecasting.models import ForecastRun, Grid, ModelVersion, RiskSurface
from forecasting.selectors.grids import cell_beats
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
FORECAST_AGAIN = gettext_lazy(
    "forecast the shift again: Risk → Forecast this shift, or `manage.py forecast`."
)


def surface_values(surface: RiskSurface, grid: Grid) -> Floats32:
    """Return a surface as expected counts per cell, float32[N]. No query.

    Raises ``MissionsError`` for another grid, an unknown codec or damaged bytes: a vector laid over the wrong
    cells would send cars to the wrong streets.
    """
    return _decoded(surface, bytes(surface.values), grid)


def baseline_values(surface: RiskSurface, grid: Grid) -> Floats32 | None:
    """Return the best plain count's surface beside a model's, float32[N], to one part in 4,096; None where there is none.

    No query. Raises as ``surface_values`` does.
    """
    data = surface.baseline_values
    return None if data is None else _decoded(surface, bytes(data), grid)


def _decoded(surface: RiskSurface, data: bytes, grid: Grid) -> Floats32:
    if surface.grid_hash != grid.hash:
        raise MissionsError(
            _("The surface of %(crime_type)s was made on another grid than the one given.")
            % {"crime_type": surface.crime_type},
            next_step=str(FORECAST_AGAIN),
        )
    if surface.codec != codec.CODEC or surface.dtype != codec.DTYPE:
        raise MissionsError(
            _(
                "The surface of %(crime_type)s is stored as codec %(codec)s, %(dtype)s; this program reads codec %(codec_2)s, %(dtype_2)s."
            )
            % {
                "crime_type": surface.crime_type,
                "codec": surface.codec,
                "dtype": surface.dtype,
                "codec_2": codec.CODEC,
                "dtype_2": codec.DTYPE,
            },
            next_step=str(FORECAST_AGAIN),
        )
    try:
        return codec.surface_decode(data, grid.n_cells)
    except ValueError as error:
        raise MissionsError(f"{surface.crime_type}: {error}", next_step=str(FORECAST_AGAIN)) from error


def succeeded_forecasts(agency: Agency) -> QuerySet[ForecastRun]:
    """Return the agency's finished forecasts, newest first. Lazy."""
    return ForecastRun.objects.filter(agency=agency, status=RunStatus.SUCCEEDED).select_related(
        "agency", "shift", "grid"
    )


def latest_forecast(agency: Agency, shift: Shift, on: dt.date) -> ForecastRun | None:
    """Return the newest finished forecast of a shift instance, or None. One query."""
    return succeeded_forecasts(agency).filter(shift=shift, on=on).order_by("-finished_at", "-pk").first()


def run_grid(run: ForecastRun) -> Grid:
    """Return the grid that a finished forecast was made on. No query where the run was read with its grid."""
    if run.grid is None:
        raise MissionsError(
            _("The forecast of %(run)s is not finished.") % {"run": run}, next_step=str(FORECAST_AGAIN)
        )
    return run.grid


def expected_by_type(run: ForecastRun) -> dict[CrimeType, Floats32]:
    """Return the expected counts of each forecast crime type per cell, heaviest type first. One query."""
    grid = run_grid(run)
    surfaces = (
        RiskSurface.objects.filter(run=run)
        .defer("baseline_values")
        .select_related("crime_type")
        .order_by("-crime_type__weight", "crime_type__name")
    )
    return {surface.crime_type: surface_values(surface, grid) for surface in surfaces}


def type_weights(
    run: ForecastRun,
    crime_types: list[CrimeType],
    *,
    priorities: Mapping[tuple[int, int], float] | None = None,
) -> dict[CrimeType, Floats]:
    """Return what one expected crime of each type counts in each cell: weight × the district's priority.

    ``priorities``, by district and type, are tried instead of the saved ones. Three queries. A cell belongs to the district of its beat; outside all beats the plain weight holds.
    """
    grid = run_grid(run)
    multipliers = priorities
    if multipliers is None:
        rows = DistrictPriority.objects.filter(agency_id=run.agency_id)
        multipliers = {
            (district, crime_type): multiplier
            for district, crime_type, multiplier in rows.values_list(
                "district_id", "crime_type_id", "multiplier"
            )
        }
    weights = {row: np.full(grid.n_cells, row.weight) for row in crime_types}
    if not multipliers:
        return weights
    district_of = dict(Beat.objects.filter(agency_id=run.agency_id).values_list("pk", "district_id"))
    beats, place = np.unique(cell_beats(grid), return_inverse=True)
    for row in crime_types:
        factor = [multipliers.get((district_of.get(int(beat), -1), row.pk), 1.0) for beat in beats]
        weights[row] = row.weight * np.array(factor)[place]
    return weights


def weights_now(agency: Agency) -> dict[str, float]:
    """Return each crime type's weight, and by type@district the priority where one is set, as they are now. Two queries."""
    found = {row.slug: row.weight for row in CrimeType.objects.filter(agency=agency, is_active=True)}
    for row in DistrictPriority.objects.filter(agency=agency).select_related("crime_type", "district"):
        found[f"{row.crime_type.slug}@{row.district.code}"] = row.multiplier
    return found


def harm(run: ForecastRun) -> Floats:
    """Return each cell's harm in the shift: Σ weight × priority × expected count, float64[N]. Four queries.

    Uses the weights and district priorities of this moment.
    """
    expected = expected_by_type(run)
    weights = type_weights(run, list(expected))
    total = np.zeros(run_grid(run).n_cells)
    for crime_type, values in expected.items():
        total += weights[crime_type] * values
    return total


def live_models(agency: Agency, crime_types: list[CrimeType]) -> dict[int, ModelVersion]:
    """Return the live model of each of these types by the type's id. One query."""
    rows = ModelVersion.objects.live().filter(agency=agency, crime_type__in=crime_types)
    return {row.crime_type_id: row for row in rows.select_related("crime_type")}


def model_artefact(version: ModelVersion) -> Artefact:
    """Return the trained model, checked against its fingerprint; kept in memory. No query."""
    if not version.artefact:
        raise MissionsError(
            _("%(version)s has no model file.") % {"version": version}, next_step=str(TRAIN_AGAIN)
        )
    return artefact_load(
        name=version.artefact, sha256=version.artefact_hash, library=version.summary.get("library", "")
    )


def run_models(run: ForecastRun) -> dict[int, ModelVersion]:
    """Return the models that a forecast was made with, by crime type id. One query."""
    rows = (
        RiskSurface.objects.filter(run=run)
        .select_related("model_version__crime_type")
        .only("crime_type_id", "model_version")
    )
    return {row.crime_type_id: row.model_version for row in rows}
