"""When in the week: crimes by weekday and hour, those with an uncertain time spread over the hours in which they may have been."""

import numpy as np
import numpy.typing as npt

from forecasting.engine.aoristic import pieces_of
from forecasting.engine.periods import ShiftWindow
from ingestion.engine.tables import IncidentTable

# 1 January 1970 was a Thursday; weeks here begin on Monday.
_THURSDAY = 3
_HOURS = tuple(ShiftWindow(f"{hour:02d}", 60 * hour, 60) for hour in range(24))


def hours_of_week(incidents: IncidentTable, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return crimes by weekday (Monday first) and hour, shape (7, 24); the sum is the number of ``rows``.

    A burglary between 8:00 and 18:00 counts a tenth in each of the ten hours; what was less than an hour long counts at
    its beginning.

    Args:
        incidents: as read; hours go by its local wall clock.
        rows: which of them, shape (n,).

    Notes:
        Aoristic analysis: Ratcliffe and McCullagh (1998); Ratcliffe (2002).
    """
    pieces = pieces_of(incidents, _HOURS, rows)
    hour = pieces.occurred_local.astype("datetime64[h]").astype(np.int64)
    slot = (hour + 24 * _THURSDAY) % 168
    week: npt.NDArray[np.float64] = np.bincount(slot, weights=pieces.weight, minlength=168).astype(np.float64)
    return week.reshape(7, 24)
