"""What has become known to have happened, shift by shift, on one grid."""

import datetime as dt

import numpy as np
import numpy.typing as npt

from agencies.models import Agency
from forecasting.models import Grid
from forecasting.selectors.grids import grid_spec
from forecasting.selectors.inputs import utc64
from ingestion.selectors import incident_table


class Happened:
    """The incidents between two instants on one grid, as known now, ready to be asked shift by shift. Five queries."""

    def __init__(self, agency: Agency, grid: Grid, since: dt.datetime, until: dt.datetime) -> None:
        table = incident_table(agency, epsg=grid.epsg, since=since, until=until)
        cell = grid_spec(grid).locate(table.x_m, table.y_m)
        inside = np.flatnonzero(cell >= 0)
        self.cell, self.at, self.category = cell[inside], table.occurred_utc[inside], table.category[inside]
        self.number_of = {slug: number for number, slug in enumerate(table.categories)}

    def during(
        self, slug: str, period_from: dt.datetime, period_to: dt.datetime
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The cells with crime of this type in this shift, and how many in each. The shift is half-open."""
        low, high = np.searchsorted(self.at, [utc64(period_from), utc64(period_to)])
        mine = self.cell[low:high][self.category[low:high] == self.number_of.get(slug, -2)]
        cells, counts = np.unique(mine, return_counts=True)
        return cells.astype(np.int64), counts.astype(np.float64)
