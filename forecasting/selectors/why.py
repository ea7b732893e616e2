"""Why a car is sent here: the drivers of a forecast, in words and as bars, as plain data that can be stored."""

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from agencies.models import CrimeType
from forecasting.artefacts import TRAIN_AGAIN, Artefact
from forecasting.engine.design import context_family
from forecasting.engine.explain import Explanation
from forecasting.engine.places import NEAREST
from forecasting.engine.train import explain_many
from forecasting.engine.wording import Labels, headline, mission_clauses, words
from forecasting.models import ForecastRun, ModelVersion
from forecasting.selectors.context import amounts_near, context_block
from forecasting.selectors.forecasts import expected_by_type, model_artefact, run_grid, run_models
from forecasting.selectors.grids import grid_spec
from forecasting.selectors.inputs import (
    agency_shifts,
    known_incidents,
    period_of,
    shift_windows,
    table_for_categories,
    utc64,
)
from forecasting.selectors.lag import lags_recorded
from forecasting.selectors.surroundings import CENSUS_LABELS, SurroundingsKnown, surroundings_known
from ingestion.engine.tables import IncidentTable
from missions_project.lib.errors import MissionsError

FAMILY_LABELS = {
    "recent_here": gettext_lazy("Recent incidents here"),
    "recent_nearby": gettext_lazy("Recent incidents nearby"),
    "long_run_here": gettext_lazy("Long-run level here"),
    "long_run_nearby": gettext_lazy("Long-run level nearby"),
    "time_of_day": gettext_lazy("Time of day"),
    "other": gettext_lazy("Other type"),
    "other_types": gettext_lazy("Other types"),
    "context": gettext_lazy("Places nearby"),
    "event": gettext_lazy("Event"),
    "events": gettext_lazy("Events"),
    "weather": gettext_lazy("Weather"),
    "calendar": gettext_lazy("Season and weekday"),
}
"""How each family and kind of part is called on pages; parts of one type or layer add its name."""
_SMALL = 0.005
_KEPT_TABLES = 2
_KEPT_ANSWERS = 2000
_answers: OrderedDict[tuple[int, str, int, int], dict[str, Any]] = OrderedDict()
_tables: OrderedDict[tuple[int, str], IncidentTable] = OrderedDict()
_surroundings: OrderedDict[tuple[int, str], SurroundingsKnown] = OrderedDict()
_lock = threading.Lock()


def family_label(name: str) -> str:
    """What a family of columns, or a kind of part, is called on pages and charts. No query."""
    return str(FAMILY_LABELS.get(name, name.replace("_", " ").capitalize()))


def why_here(run: ForecastRun, cells: Iterable[int], crime_type: CrimeType) -> list[dict[str, Any]]:
    """Say why these cells (positions in the run's grid) are as risky as they are, for one crime type.

    One dict a cell, in the order given, made of JSON's own types: ``cell``, ``cell_id``, ``expected``, ``rank``,
    ``n_cells``, ``times_typical`` (against the middle cell), ``headline`` (one line), ``clauses`` (the three strongest
    reasons), ``sentences`` (everything in words), ``bars`` (label, value in natural-log points, share of the largest;
    together they are the log of ``times_typical``) and ``numbers`` (the engine's whole record). About ten queries; the
    incident table is kept in memory for the next question about the same forecast.
    """
    return _explained(run, {crime_type: list(cells)})[crime_type]


def why_here_many(
    run: ForecastRun, cells: Mapping[CrimeType, Iterable[int]]
) -> dict[CrimeType, dict[int, dict[str, Any]]]:
    """The same for many cells at once, as when a plan is drawn: by crime type, then by position. About ten queries."""
    wanted = {crime_type: sorted(set(places)) for crime_type, places in cells.items()}
    return {
        crime_type: {row["cell"]: row for row in rows} for crime_type, rows in _explained(run, wanted).items()
    }


def _explained(
    run: ForecastRun, wanted: Mapping[CrimeType, list[int]]
) -> dict[CrimeType, list[dict[str, Any]]]:
    """Answer from memory what was asked before about the same forecast, and work out the rest."""

    def key(crime_type: CrimeType, cell: int) -> tuple[int, str, int, int]:
        return run.pk, f"{run.data_hash} {run.finished_at}", crime_type.pk, cell

    with _lock:
        asked = {
            crime_type: [cell for cell in dict.fromkeys(cells) if key(crime_type, cell) not in _answers]
            for crime_type, cells in wanted.items()
        }
    fresh = {
        key(crime_type, row["cell"]): row
        for crime_type, rows in (_worked_out(run, asked) if any(asked.values()) else {}).items()
        for row in rows
    }
    with _lock:
        known = {
            name: _answers[name]
            for crime_type, cells in wanted.items()
            for cell in cells
            if (name := key(crime_type, cell)) in _answers
        }
        _answers.update(fresh)
        while len(_answers) > _KEPT_ANSWERS:
            _answers.popitem(last=False)
    found = known | fresh
    return {
        crime_type: [found[key(crime_type, cell)] for cell in cells] for crime_type, cells in wanted.items()
    }


def _worked_out(
    run: ForecastRun, wanted: Mapping[CrimeType, list[int]]
) -> dict[CrimeType, list[dict[str, Any]]]:
    grid, versions = run_grid(run), run_models(run)
    missing = [str(crime_type) for crime_type in wanted if crime_type.pk not in versions]
    if missing:
        raise MissionsError(
            _("The forecast of %(run)s does not hold %(names)s.") % {"run": run, "names": ", ".join(missing)},
            next_step=_("choose a type that it holds."),
        )
    spec, found, stored = grid_spec(grid), agency_shifts(run.agency), expected_by_type(run)
    period = period_of(found, run.shift_id, run.on, run.period_from, run.period_to)
    windows = shift_windows(found)
    types = {row.slug: row.name for row in stored} | {"calls": _("Calls for service")}
    shift = next(row.name for row in found if row.pk == run.shift_id)
    out: dict[CrimeType, list[dict[str, Any]]] = {crime_type: [] for crime_type in wanted}
    around = _around(run, grid.epsg)
    for artefacts in _by_terms(wanted, versions):
        one = next(iter(artefacts.values()))
        if one.shifts != windows:
            raise MissionsError(
                _("The agency's shifts were changed since this forecast's models were trained."),
                next_step=_("train and forecast again."),
            )
        block = context_block(grid, as_of=run.as_of, names=one.context_names)
        # One walk through the history for all types that were trained on the same terms.
        try:
            told = explain_many(
                trained={crime_type.slug: artefact.trained for crime_type, artefact in artefacts.items()},
                grid=spec,
                incidents=table_for_categories(_table(run, grid.epsg), one.categories),
                period=period,
                shifts=windows,
                as_of_utc=utc64(run.as_of),
                context=block.values,
                context_names=block.names,
                cells={
                    crime_type.slug: np.asarray(wanted[crime_type], dtype=np.int64)
                    for crime_type in artefacts
                },
                # The run's own: what the analyst set since must not change why it says what it says.
                lag=lags_recorded(run.config_snapshot.get("lag")),
                surroundings=around.for_models(artefact.trained for artefact in artefacts.values()),
            )
        except ValueError as error:
            # The same complaint as when forecasting: a page that explains must not break on it.
            raise MissionsError(str(error), next_step=str(TRAIN_AGAIN)) from error
        named = CENSUS_LABELS | {slug: layer.name for slug, layer in block.layers.items()}
        labels = Labels(types, named, shift)
        for crime_type in artefacts:
            rows = told[crime_type.slug]
            near = amounts_near(block, spec, wanted[crime_type], rows[0].reference_cell)
            out[crime_type] = [
                _plain(replace(row, layers=layers), stored[crime_type], labels)
                for row, layers in zip(rows, near, strict=True)
            ]
    return out


def _by_terms(
    wanted: Mapping[CrimeType, list[int]], versions: Mapping[int, ModelVersion]
) -> list[dict[CrimeType, Artefact]]:
    groups: dict[tuple[Any, ...], dict[CrimeType, Artefact]] = {}
    for crime_type, cells in wanted.items():
        if cells:
            artefact = model_artefact(versions[crime_type.pk])
            groups.setdefault(artefact.terms, {})[crime_type] = artefact
    return list(groups.values())


def _table(run: ForecastRun, epsg: int) -> IncidentTable:
    key = (run.pk, f"{run.data_hash} {run.finished_at}")
    with _lock:
        if key in _tables:
            _tables.move_to_end(key)
            return _tables[key]
    table = known_incidents(run.agency, epsg=epsg, as_of=run.as_of)
    with _lock:
        _tables[key] = table
        while len(_tables) > _KEPT_TABLES:
            _tables.popitem(last=False)
    return table


def _around(run: ForecastRun, epsg: int) -> SurroundingsKnown:
    """Events and weather as the run knew them, kept like the incidents for the next question about it."""
    key = (run.pk, f"{run.data_hash} {run.finished_at}")
    with _lock:
        if key in _surroundings:
            _surroundings.move_to_end(key)
            return _surroundings[key]
    around = surroundings_known(run.agency, epsg=epsg, before=run.as_of)
    with _lock:
        _surroundings[key] = around
        while len(_surroundings) > _KEPT_TABLES:
            _surroundings.popitem(last=False)
    return around


def _plain(row: Explanation, values: np.ndarray[Any, Any], labels: Labels) -> dict[str, Any]:
    # The page shows the stored forecast: a row imported since must not make its own explanation disagree.
    row = replace(
        row,
        expected=float(values[row.cell]),
        # A usual shift was never stored: tonight's surface would take events and weather for something imported since.
        reference_expected=row.reference_expected if row.against_usual else float(values[row.reference_cell]),
        rank=int((values >= values[row.cell]).sum()),
        # Back from log(1 + amount): "2.1 bars" is a sentence, "log 1.13" is not.
        context=tuple(
            replace(item, value=math.expm1(item.value), city_mean=math.expm1(item.city_mean))
            if context_family(item.name) == "context" and not item.name.endswith(NEAREST)
            else item
            for item in row.context
        ),
    )
    return {
        "cell": row.cell,
        "cell_id": row.cell_id,
        "expected": row.expected,
        "rank": row.rank,
        "n_cells": row.n_cells,
        "times_typical": row.expected / row.reference_expected if row.reference_expected > 0 else None,
        "headline": headline(row, labels),
        "clauses": mission_clauses(row, labels),
        "sentences": words(row, labels),
        # Kept for readers of every language: said in theirs by ``forecasting.reason_words``.
        "bars": _bars_in_english(row, labels),
        "numbers": row.as_dict(),
    }


def _bars(row: Explanation, labels: Labels) -> list[dict[str, Any]]:
    """The parts by size. What is too small to show is one row at the end, so that the factors still multiply."""
    parts = {part: value for part, value in row.contributions.items() if abs(value) >= _SMALL}
    shown = sorted(parts.items(), key=lambda item: -abs(item[1]))
    rest = sum(row.contributions.values()) - sum(parts.values())
    if abs(rest) >= _SMALL:
        shown.append(("small", rest))
    if row.expected > 0 and row.reference_expected > 0:
        since = math.log(row.expected / row.reference_expected) - sum(row.contributions.values())
        if abs(since) >= _SMALL:
            shown.append(("changed", since))
    largest = max((abs(value) for _, value in shown), default=0.0) or 1.0
    return [
        {"family": part, "label": _label(part, labels), "value": value, "share": abs(value) / largest}
        for part, value in shown
    ]


def _bars_in_english(row: Explanation, labels: Labels) -> list[dict[str, Any]]:
    with override("en"):
        return _bars(row, labels)


def _label(part: str, labels: Labels) -> str:
    if part == "small":
        return _("All else, each under 0.5 %")
    if part == "changed":
        return _("Incidents changed since the forecast")
    kind, _colon, name = part.partition(":")
    label = family_label(kind)
    if not name:
        return label
    return f"{label}: {labels.type(name) if kind == 'other' else labels.layer(name)}"
