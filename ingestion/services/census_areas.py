"""Census areas of an agency: the few figures that a forecast may read, and not a column more."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency
from ingestion.engine.census import FIGURES, CensusVerdict, judge_columns
from ingestion.engine.privacy import tidy_column
from ingestion.engine.rejections import excerpt
from ingestion.models import CensusArea
from ingestion.services.place_files import places_read
from missions_project.lib.errors import MissionsError

AREA_NAMES = ("name", "area name", "community", "community area", "tract", "block group", "geoid", "geo id")


@dataclass(frozen=True)
class CensusDraft:
    """What a census file holds for us. ``left_out`` columns were never read; ``without`` areas had no outline or figure."""

    areas: tuple[dict[str, Any], ...]
    figures: tuple[str, ...]
    left_out: tuple[str, ...]
    without: int
    file_name: str

    @property
    def population(self) -> float:
        return sum(area.get("population") or 0.0 for area in self.areas)


def census_import(
    *,
    agency: Agency,
    path: Path,
    valid_from: date,
    columns: Sequence[str] = (),
    crs: str = "",
    source: str = "",
    file_layer: str = "",
) -> CensusDraft:
    """Load a file of census areas; those of the same day are replaced. Raises ``MissionsError``, nothing is stored then."""
    draft = census_read(path=path, columns=columns, crs=crs, file_layer=file_layer)
    census_store(agency=agency, draft=draft, valid_from=valid_from, source=source)
    return draft


def census_store(
    *, agency: Agency, draft: CensusDraft, valid_from: date, source: str = ""
) -> list[CensusArea]:
    """Store the areas in place of those that hold from the same day."""
    now = timezone.now()
    rows = [
        CensusArea(
            agency=agency,
            valid_from=valid_from,
            source=excerpt(source or draft.file_name, 180),
            imported_at=now,
            **area,
        )
        for area in draft.areas
    ]
    with transaction.atomic():
        CensusArea.objects.filter(agency=agency, valid_from=valid_from).delete()
        return CensusArea.objects.bulk_create(rows, batch_size=500)


def census_read(
    *, path: Path, file_name: str = "", columns: Sequence[str] = (), crs: str = "", file_layer: str = ""
) -> CensusDraft:
    """Read census areas: population, households, housing units, vacant units and median age, and an area's name.

    Every column of the file must be on the census list, or the file is refused whole, with the refused columns named. With
    ``columns`` (figures such as "population", or the file's own names) only those are read: asking for a refused one is
    refused too. Raises ``MissionsError``.
    """
    shown = file_name or path.name
    chosen: dict[str, str] = {}
    names: list[str] = []
    seen: list[str] = []

    def choose(found: list[str]) -> list[str]:
        seen.extend(found)
        verdict = judge_columns(found)
        chosen.update(_asked(verdict, found, columns, shown) if columns else _all_of(verdict, shown))
        names.extend(_name_column(found, chosen))
        return [*chosen.values(), *names]

    read = places_read(path, shown=shown, choose=choose, crs=crs, layer=file_layer)
    figures = {figure: _numbers(read.values[column], column, shown) for figure, column in chosen.items()}
    shapes = read.shapes
    outlined = ~shapely.is_missing(shapes) & (shapely.get_dimensions(shapes) == 2)
    known = np.zeros(len(shapes), dtype=bool)
    for values in figures.values():
        known |= np.isfinite(values)
    usable = np.flatnonzero(outlined & known)
    if not len(usable):
        raise MissionsError(
            _("%(shown)s holds no area with an outline and a figure.") % {"shown": shown},
            next_step=_("export polygons with their figures."),
        )
    labels = read.values[names[0]] if names else None
    areas = tuple(
        {
            "name": excerpt(str(labels[row]), 100) if labels is not None and labels[row] is not None else "",
            "geometry": json.loads(shapely.to_geojson(shapes[row])),
            **{figure: float(v[row]) if np.isfinite(v[row]) else None for figure, v in figures.items()},
        }
        for row in usable
    )
    left_out = tuple(column for column in seen if column not in (*chosen.values(), *names))
    return CensusDraft(areas, tuple(figures), left_out, len(shapes) - len(areas), shown)


def _all_of(verdict: CensusVerdict, shown: str) -> dict[str, str]:
    """Every figure of a file that holds nothing refused. Raises ``MissionsError`` naming the refused columns otherwise."""
    if verdict.refused:
        figures = ", ".join(verdict.figures) or "population"
        raise MissionsError(
            _(
                "%(shown)s is refused, nothing was stored: it holds columns that must not steer patrols: %(named)s. Forecasts may read population, households, housing units, vacancy and age only."
            )
            % {"shown": shown, "named": verdict.named},
            next_step=_(
                "take these columns out; or read the allowed ones alone: --columns %(figures)s; the others may go into the audit store (import_audit_table)."
            )
            % {"figures": figures.replace(", ", ",")},
        )
    return {
        figure: _only(figure, verdict.figures[figure], shown)
        for figure in FIGURES
        if figure in verdict.figures
    } or _none(shown)


def _asked(verdict: CensusVerdict, found: list[str], columns: Sequence[str], shown: str) -> dict[str, str]:
    chosen: dict[str, str] = {}
    figure_of = {column: figure for figure, named in verdict.figures.items() for column in named}
    refused = {violation.column: violation for violation in verdict.refused}
    for wanted in columns:
        figure = tidy_column(wanted).replace(" ", "_")
        if wanted in refused or (wanted not in found and figure not in FIGURES):
            again = judge_columns([wanted]).refused
            violation = refused.get(wanted) or (again[0] if again else None)
            if violation is not None:
                raise MissionsError(
                    violation.message,
                    next_step=_("ask for %(figures)s only.") % {"figures": ", ".join(FIGURES)},
                )
            raise MissionsError(
                _("%(shown)s has no column %(wanted)s.") % {"shown": shown, "wanted": wanted},
                next_step=_("it has: %(found)s.") % {"found": ", ".join(found) or _("none")},
            )
        if wanted in figure_of:
            chosen[figure_of[wanted]] = wanted
        elif figure in verdict.figures:
            chosen[figure] = _only(figure, verdict.figures[figure], shown)
        else:
            raise MissionsError(
                _("%(shown)s has no column of %(figure)s.")
                % {"shown": shown, "figure": figure.replace("_", " ")},
                next_step=_("it has: %(figures)s.")
                % {
                    "figures": ", ".join(verdict.figures) or _("none of the figures that a forecast may read")
                },
            )
    return chosen


def _only(figure: str, columns: tuple[str, ...], shown: str) -> str:
    if len(columns) > 1:
        raise MissionsError(
            _("%(shown)s has %(count)s columns of %(figure)s: %(columns)s.")
            % {
                "shown": shown,
                "count": len(columns),
                "figure": figure.replace("_", " "),
                "columns": ", ".join(columns),
            },
            next_step=_("name the one to read: --columns %(columns)s.") % {"columns": columns[0]},
        )
    return columns[0]


def _none(shown: str) -> dict[str, str]:
    raise MissionsError(
        _("%(shown)s holds none of population, households, housing units, vacant units and median age.")
        % {"shown": shown},
        next_step=_("export the areas with their population."),
    )


def _name_column(found: list[str], chosen: dict[str, str]) -> list[str]:
    words = {tidy_column(column): column for column in found if column not in chosen.values()}
    return [words[name] for name in AREA_NAMES if name in words][:1]


def _numbers(values: Any, column: str, shown: str) -> Any:
    try:
        numbers = np.array(
            [
                np.nan if value is None or str(value).strip() == "" else float(str(value).replace(",", ""))
                for value in values
            ]
        )
    except ValueError as exc:
        raise MissionsError(
            _("%(shown)s: %(column)s is not a number everywhere (%(exc)s).")
            % {"shown": shown, "column": column, "exc": exc},
            next_step=_("give the figure in a numeric column."),
        ) from exc
    # The bureau's marks for "no estimate" are large negative numbers: taken at their word they would empty a city.
    return np.where(np.isfinite(numbers) & (numbers >= 0), numbers, np.nan)
