"""Census areas for a forecast: outlines and one number, the people who live there. Everything else stays in the file."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from django.utils.translation import gettext as _

from ingestion.engine.privacy import screen_census_columns, tidy_column
from ingestion.services.place_files import places_read
from missions_project.lib.errors import MissionsError

_PEOPLE = re.compile(
    r"(?:total |tot |estimated |est )?pop(?:ulation)?(?: total| count)?(?: \d{4})?|b01003(?: ?e?\d+e?)?"
)


def census_population(path: Path, *, column: str = "") -> dict[str, Any]:
    """The file's areas as a FeatureCollection in WGS84 with ``population`` and nothing else.

    With ``column`` only that one is read (``population`` also finds "Pop2014"); it must be a count of people. Without
    it every column of the file must be on the census list, and the file is refused with those named that are not.
    Raises ``MissionsError``.
    """
    chosen = ""

    def choose(found: list[str]) -> list[str]:
        nonlocal chosen
        chosen = _population_column(found, column, path.name)
        return [chosen]

    read = places_read(path, choose=choose)
    shapes = read.shapes
    try:
        people = np.asarray(read.values[chosen], dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise MissionsError(
            _("%(name)s: %(chosen)s is no number.") % {"name": path.name, "chosen": chosen},
            next_step=_("give the count of people in a numeric column."),
        ) from exc
    areas = ~shapely.is_missing(shapes) & (shapely.get_dimensions(shapes) == 2)
    usable = areas & np.isfinite(people) & (people >= 0)
    if not usable.any():
        raise MissionsError(
            _("%(name)s holds no area with a count of people.") % {"name": path.name},
            next_step=_("check its column %(chosen)s.") % {"chosen": chosen},
        )
    features = [
        {
            "type": "Feature",
            "geometry": json.loads(shapely.to_geojson(shapes[row])),
            "properties": {"population": float(people[row])},
        }
        for row in np.flatnonzero(usable)
    ]
    return {"type": "FeatureCollection", "features": features}


def _population_column(columns: list[str], wanted: str, file_name: str) -> str:
    """The column that counts people, or the reason why the file is refused."""
    counts = [name for name in columns if _PEOPLE.fullmatch(_words(name))]
    if not wanted:
        if refused := screen_census_columns(columns):
            named = ", ".join(f"{one.column} ({one.rule})" for one in refused)
            raise MissionsError(
                _("%(file_name)s is refused: it holds census columns that must not steer patrols: %(named)s.")
                % {"file_name": file_name, "named": named},
                next_step=_(
                    "export the areas with their population alone, or name the one column that is to be read, e.g. %(file_name)s:population."
                )
                % {"file_name": file_name},
            )
    elif wanted in columns:
        if refused := screen_census_columns([wanted]):
            raise MissionsError(refused[0].message, next_step=_("name the column that counts people."))
        if wanted not in counts:
            raise MissionsError(
                _("%(file_name)s: column %(wanted)s is not a count of people.")
                % {"file_name": file_name, "wanted": wanted},
                next_step=_("name the column that counts people, such as population."),
            )
        return wanted
    elif tidy_column(wanted) != "population":
        raise MissionsError(
            _("%(file_name)s has no column %(wanted)s.") % {"file_name": file_name, "wanted": wanted},
            next_step=_("it has: %(columns)s.") % {"columns": ", ".join(columns) or "none"},
        )
    if len(counts) != 1:
        raise MissionsError(
            _("%(file_name)s has %(count)s columns that count people: %(counts)s.")
            % {"file_name": file_name, "count": len(counts), "counts": ", ".join(counts) or "none"},
            next_step=_("name the one to read: FILE:COLUMN."),
        )
    return counts[0]


def _words(column: str) -> str:
    return re.sub(r"(?<=[a-z]{2})(?=\d)", " ", tidy_column(column))
