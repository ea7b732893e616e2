"""Why a car is sent here: the drivers of a forecast, in words and as bars, as plain data that can be stored."""

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from agencies.models import CrimeType
from forecasting.engine.explain import Explanation, words
from forecasting.engine.train import explain
from forecasting.models import ForecastRun
from forecasting.selectors.context import ContextBlock, context_block
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
from ingestion.engine.tables import IncidentTable
from missions_project.lib.errors import MissionsError

FAMILY_LABELS = {
    "recent_here": "Recent incidents here",
    "recent_nearby": "Recent incidents nearby",
    "long_run_here": "Long-run level here",
    "long_run_nearby": "Long-run level nearby",
    "time_of_day": "Time of day",
    "other_types": "Other crime types",
    "context": "Places nearby",
    "calendar": "Season and weekday",
}
_KEPT_TABLES = 2
_KEPT_ANSWERS = 2000
_answers: OrderedDict[tuple[int, str, int, int], dict[str, Any]] = OrderedDict()
_tables: OrderedDict[tuple[int, str], IncidentTable] = OrderedDict()
_lock = threading.Lock()


def why_here(run: ForecastRun, cells: Iterable[int], crime_type: CrimeType) -> list[dict[str, Any]]:
    """Say why these cells (positions in the run's grid) are as risky as they are, for one crime type.

    One dict a cell, in the order given, made of JSON's own types: ``cell``, ``cell_id``, ``expected``, ``rank``,
    ``n_cells``, ``times_typical`` (against the middle cell), ``sentences`` (list of str), ``bars`` (label, value
    in natural-log points, share of the largest) and ``numbers`` (the engine's whole record). About ten queries;
    the incident table is kept in memory for the next question about the same forecast.
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
            f"The forecast of {run} does not hold {', '.join(missing)}.",
            next_step="choose a type that it holds.",
        )
    spec, found, stored = grid_spec(grid), agency_shifts(run.agency), expected_by_type(run)
    period = period_of(found, run.shift_id, run.on, run.period_from, run.period_to)
    windows = shift_windows(found)
    labels = {row.slug: row.name for row in stored} | {"calls": "Calls for service"}
    out: dict[CrimeType, list[dict[str, Any]]] = {}
    blocks: dict[tuple[str, ...], ContextBlock] = {}
    for crime_type, cells in wanted.items():
        if not cells:
            out[crime_type] = []
            continue
        artefact = model_artefact(versions[crime_type.pk])
        if artefact.shifts != windows:
            raise MissionsError(
                "The agency's shifts were changed since this forecast's models were trained.",
                next_step="train and forecast again.",
            )
        names = artefact.context_names
        block = blocks.get(names) or blocks.setdefault(
            names, context_block(grid, as_of=run.as_of, names=names)
        )
        table = table_for_categories(_table(run, grid.epsg), artefact.categories)
        places = np.asarray(cells, dtype=np.int64)
        rows = explain(
            trained={crime_type.slug: artefact.trained},
            grid=spec,
            incidents=table,
            period=period,
            shifts=windows,
            as_of_utc=utc64(run.as_of),
            context=block.values,
            context_names=block.names,
            cells=places,
            target=crime_type.slug,
            # The run's own: what the analyst set since must not change why it says what it says.
            lag=lags_recorded(run.config_snapshot.get("lag")),
        )
        values = stored[crime_type]
        out[crime_type] = [_plain(row, values, labels, block.labels) for row in rows]
    return out


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


def _plain(
    row: Explanation, values: np.ndarray[Any, Any], labels: dict[str, str], context_labels: dict[str, str]
) -> dict[str, Any]:
    # The page shows the stored forecast: a row imported since must not make its own explanation disagree.
    row = replace(row, expected=float(values[row.cell]), rank=int((values >= values[row.cell]).sum()))
    known = tuple(
        # Back from log(1 + amount): "2.1 bars" is a sentence, "log 1.13" is not.
        replace(
            item,
            name=context_labels.get(item.name, item.name),
            value=_amount(item.value),
            city_mean=_amount(item.city_mean),
        )
        for item in row.context
        if math.isfinite(item.value)
    )
    row = replace(row, context=known)
    parts = sorted(row.contributions.items(), key=lambda item: -abs(item[1]))
    largest = max((abs(value) for _, value in parts), default=0.0) or 1.0
    return {
        "cell": row.cell,
        "cell_id": row.cell_id,
        "expected": row.expected,
        "rank": row.rank,
        "n_cells": row.n_cells,
        "times_typical": row.expected / row.reference_expected if row.reference_expected > 0 else None,
        "sentences": words(row, labels),
        "bars": [
            {
                "family": family,
                "label": FAMILY_LABELS.get(family, family.replace("_", " ").capitalize()),
                "value": value,
                "share": abs(value) / largest,
            }
            for family, value in parts
            if abs(value) >= 0.005
        ],
        "numbers": row.as_dict(),
    }


def _amount(log_value: float) -> float:
    return math.expm1(log_value) if math.isfinite(log_value) else log_value
