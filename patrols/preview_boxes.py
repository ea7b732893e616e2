"""The map of a policy preview as a table: every box that may get a mission under these dials, with its chance."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agencies.access import SEES_PLANS, Access, agency_page
from agencies.lookups import pk_from_text
from agencies.map_tables import beat_codes, of_beat, paged
from agencies.models import Agency, Beat
from forecasting.engine.grid import unproject
from forecasting.models import ForecastRun
from forecasting.selectors import grid_spec, run_grid
from missions_project.lib.errors import MissionsError
from patrols.dials import dials_form
from patrols.engine.preview import design_preview
from patrols.models import PatrolPolicy
from patrols.preview import preview_inputs, preview_runs
from patrols.selectors import active_policy


@dataclass(frozen=True)
class BoxChance:
    """One box of the map: its cell, beat, middle in WGS84 degrees, chance of a mission in the shift in per cent."""

    cell_id: int
    beat: str
    lon: float
    lat: float
    chance_percent: float


def box_chances(agency: Agency, run: ForecastRun, tried: PatrolPolicy) -> list[BoxChance]:
    """Return the boxes that may get a mission, by beat, the highest chance first, equal ones by cell: what the map colours.

    As many queries as a plan needs and two. Raises ``MissionsError`` where the shift cannot be planned so.
    """
    inputs = preview_inputs(run, tried)
    pi = design_preview(inputs, tried.as_design_policy()).pi
    codes = dict(Beat.objects.filter(agency=agency).values_list("pk", "code"))
    spec = grid_spec(run_grid(run))
    at = np.flatnonzero(pi > 0)
    x_m, y_m = spec.centres()
    lon, lat = unproject(x_m[at], y_m[at], spec.epsg)
    rows = [
        BoxChance(
            int(spec.cells[position]), codes[int(inputs.beat_of_cell[position])],
            float(lon[n]), float(lat[n]), 100 * float(pi[position]),
        )
        for n, position in enumerate(at)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row.beat, -row.chance_percent, row.cell_id))


@require_GET
@agency_page(SEES_PLANS)
def policy_boxes(request: HttpRequest, access: Access) -> HttpResponse:
    """The boxes of one shift under the dials of the address, a hundred a page. As many queries as a plan, however large the city."""
    runs, saved = preview_runs(access.agency), active_policy(access.agency)
    asked = pk_from_text(request.GET.get("preview_run"))
    run = next((row for row in runs if row.pk == asked), runs[0] if runs else None)
    form = dials_form(access.agency, saved, request.GET)
    rows, error = _rows(access.agency, run, form)
    codes = beat_codes(access.agency)
    context: dict[str, Any] = paged(of_beat(rows, request.GET, codes), request.GET, codes)
    back = reverse("patrols:policy_preview", args=[access.agency.slug])
    context |= {
        "tab": "shift",
        "access": access,
        "run": run,
        "error": error,
        "back": f"{back}?{context['tail']}",
    }
    return render(request, "patrols/policy_boxes.html", context)


def _rows(agency: Agency, run: ForecastRun | None, form: Any) -> tuple[list[BoxChance], str]:
    """The boxes, and why there are none: no forecast, dials that make no sense, a shift that cannot be planned so."""
    if run is None:
        return [], _("There is no forecast to try the dials on yet.")
    if not form.is_valid():
        return [], " ".join(str(error) for errors in form.errors.values() for error in errors)
    try:
        return box_chances(agency, run, form.instance), ""
    except MissionsError as exc:
        return [], str(exc)
