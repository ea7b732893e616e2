"""Do the parts fit together? Said before any work starts, with what to do about it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from forecasting.engine.grid import GridSpec
from forecasting.engine.periods import Periods, ShiftWindow
from ingestion.engine.tables import IncidentTable

if TYPE_CHECKING:
    from forecasting.engine.trained import TrainedType

Floats32 = npt.NDArray[np.float32]

MODEL_VERSION = 3
"""Of the layout of a stored model: one of another version is refused."""


def check_training(
    grid: GridSpec,
    incidents: IncidentTable,
    shifts: tuple[ShiftWindow, ...],
    targets: tuple[str, ...],
    context: Floats32 | None,
    context_names: tuple[str, ...],
    periods: Periods,
) -> None:
    """Raise ``ValueError`` with the reason where the parts of a training do not fit together."""
    if not shifts or not targets:
        raise ValueError("Training needs at least one shift and one crime type.")
    missing = [slug for slug in targets if slug not in incidents.categories]
    if missing:
        raise ValueError(f"Crime types without a column in the incident table: {', '.join(missing)}.")
    if context is not None and context.shape != (len(grid), len(context_names)):
        raise ValueError(
            f"Context has shape {context.shape}; expected {(len(grid), len(context_names))} (cells, names)."
        )
    if len(periods) and int(periods.slot.max()) >= len(shifts):
        raise ValueError("A period's slot names a shift that does not exist.")


def check_trained(
    trained: Mapping[str, "TrainedType"],
    grid: GridSpec,
    incidents: IncidentTable,
    shifts: tuple[ShiftWindow, ...],
    context_names: tuple[str, ...],
    period: Periods,
) -> None:
    """Raise ``ValueError`` with the reason where models cannot forecast this table, grid or shift."""
    if len(period) != 1:
        raise ValueError(f"A forecast is for one shift instance; {len(period)} were given.")
    for slug, one in trained.items():
        if one.model.version != MODEL_VERSION:
            raise ValueError(f"The model of '{slug}' was made by another version. Train again.")
        if one.model.n_cells != len(grid):
            raise ValueError(
                f"The model of '{slug}' was trained on {one.model.n_cells} cells, the grid has {len(grid)}. Train again."
            )
        if one.model.categories != incidents.categories:
            raise ValueError(f"The model of '{slug}' knows other crime types or feeds. Train again.")
        if one.model.shape.level.n_slots != len(shifts):
            raise ValueError(
                f"The model of '{slug}' knows {one.model.shape.level.n_slots} shifts. Train again."
            )
        if one.model.shape.layout.context_names not in ((), context_names):
            raise ValueError(f"The model of '{slug}' knows other context layers. Train again.")
