"""A risk surface as a file for analysts: every cell, and a heading that says what it is."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Beat
from forecasting.engine.grid import unproject
from forecasting.risk_page import Surface
from forecasting.selectors import cell_beats, run_grid, run_models
from missions_project.lib.cells import plain_cell
from missions_project.lib.exports import About


def surface_facts(surface: Surface) -> dict[str, str]:
    """What every export says about itself. One query."""
    run = surface.run
    models = run_models(run)
    shown = [
        row
        for row in models.values()
        if surface.crime_type is None or row.crime_type_id == surface.crime_type.pk
    ]
    facts = {
        "agency": run.agency.name,
        "surface": _("%(surface)s: %(unit)s, per cell") % {"surface": surface.name, "unit": surface.unit},
        "shift": f"{run.shift.name}, {run.on:%Y-%m-%d}",
        "shift_from": run.period_from.isoformat(),
        "shift_to": run.period_to.isoformat(),
        "time_zone": run.agency.time_zone,
        "nothing_reported_from": run.as_of.isoformat(),
        "model": "; ".join(str(row) for row in shown),
        "forecast_run": str(run.pk),
        "data_hash": run.data_hash,
        "grid": _("%(run_grid)s, EPSG %(epsg)s, %(hash)s")
        % {"run_grid": run_grid(run), "epsg": surface.spec.epsg, "hash": surface.spec.hash[:16]},
        "generated_at": timezone.now().isoformat(timespec="seconds"),
    }
    # These reach spreadsheets in both formats: an agency named "=cmd" must stay text.
    return {name: str(plain_cell(value)) for name, value in facts.items()}


def surface_about(surface: Surface) -> About:
    """The same for the head of a CSV file. One query."""
    facts = surface_facts(surface)
    return About(
        what=_("Risk surface: %(surface)s") % {"surface": facts.pop("surface")},
        agency=facts.pop("agency"),
        asked=_("Shift %(shift)s, forecast %(run)s")
        % {"shift": facts.pop("shift"), "run": facts.pop("forecast_run")},
        zone=facts.pop("time_zone"),
        model=facts.pop("model"),
        more=tuple(f"{name}: {value}" for name, value in facts.items() if name != "generated_at"),
    )


def surface_columns(surface: Surface) -> list[str]:
    """The columns of the CSV: place, beat, the value; for harm the expected count of each type beside it."""
    extra = [] if surface.crime_type else [f"expected_{row.slug}" for row in surface.expected]
    return [
        "cell_id",
        "longitude",
        "latitude",
        "beat",
        "harm" if surface.crime_type is None else "expected",
        *extra,
    ]


def surface_rows(surface: Surface) -> Iterator[list[Any]]:
    """Yield one row a cell, in the grid's order. Two queries."""
    spec = surface.spec
    beats = cell_beats(run_grid(surface.run))
    codes = dict(Beat.objects.filter(agency_id=surface.run.agency_id).values_list("pk", "code"))
    lon, lat = spec.centres_lonlat()
    extra = [] if surface.crime_type else list(surface.expected.values())
    for position in range(len(spec)):
        yield [
            int(spec.cells[position]),
            round(float(lon[position]), 6),
            round(float(lat[position]), 6),
            codes.get(int(beats[position]), ""),
            float(f"{surface.values[position]:.6g}"),
            *(float(f"{values[position]:.6g}") for values in extra),
        ]


def surface_geojson(surface: Surface, rows_at_once: int = 500) -> Iterator[str]:
    """Yield a FeatureCollection piece by piece: 25,000 squares would be 10 MB in one string."""
    facts = surface_facts(surface)
    names = surface_columns(surface)
    yield f'{{"type":"FeatureCollection","metadata":{json.dumps(facts)},"features":['
    corners = shapely.get_coordinates(surface.spec.boxes()).reshape(len(surface.spec), 5, 2)
    lon, lat = unproject(corners[:, :, 0], corners[:, :, 1], surface.spec.epsg)
    rings = np.round(np.stack([lon, lat], axis=2), 6)
    pieces: list[str] = []
    for position, row in enumerate(surface_rows(surface)):
        facts_of_cell = {name: plain_cell(value) for name, value in zip(names, row, strict=True)}
        feature = {
            "type": "Feature",
            "id": facts_of_cell.pop("cell_id"),
            "geometry": {"type": "Polygon", "coordinates": [rings[position].tolist()]},
            "properties": facts_of_cell,
        }
        pieces.append(("," if position else "") + json.dumps(feature, separators=(",", ":")))
        if len(pieces) == rows_at_once:
            yield "".join(pieces)
            pieces = []
    yield "".join(pieces) + "]}"
