"""Incidents as columns: the only form in which they reach the numeric engines."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from shapely.geometry.base import BaseGeometry

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]
Codes = npt.NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class WatchedArea:
    """Where one category can be seen (``area_m``, in the table's CRS), and since when: the reach of sensors."""

    category: str
    area_m: BaseGeometry
    since_utc: np.datetime64


@dataclass(frozen=True)
class IncidentTable:
    """What happened, where and when, and when we could know it; one element an incident.

    All arrays have shape [n] and are sorted by ``occurred_utc``. Times are ``datetime64[s]``.
    ``x_m`` and ``y_m`` are metres in the agency's projected grid CRS. ``occurred_local`` is the
    naive wall clock in the agency's zone: the only thing that may decide hour and weekday.
    ``known_utc`` is never before ``occurred_utc``. ``category`` indexes ``categories``: the
    agency's crime types (targets) first, then sources that only serve as features.
    ``watched`` names the areas outside which a category is unknown; one without any is seen everywhere.
    An empty table is valid.
    """

    x_m: Floats
    y_m: Floats
    occurred_utc: Times
    occurred_to_utc: Times
    occurred_local: Times
    known_utc: Times
    category: Codes
    categories: tuple[str, ...]
    watched: tuple[WatchedArea, ...] = ()

    def __len__(self) -> int:
        return len(self.x_m)

    def __post_init__(self) -> None:
        n = len(self.x_m)
        columns = (
            self.y_m,
            self.occurred_utc,
            self.occurred_to_utc,
            self.occurred_local,
            self.known_utc,
            self.category,
        )
        if any(len(column) != n for column in columns):
            raise ValueError("An incident table's columns must all have the same length.")

    def known_before(self, instant_utc: np.datetime64) -> "IncidentTable":
        """The incidents that an honest forecast issued at this instant may use."""
        return self.take(np.flatnonzero(self.known_utc < instant_utc))

    def take(self, rows: npt.NDArray[np.int64]) -> "IncidentTable":
        """These rows, in this order; ascending row numbers keep the time order."""
        return IncidentTable(
            x_m=self.x_m[rows],
            y_m=self.y_m[rows],
            occurred_utc=self.occurred_utc[rows],
            occurred_to_utc=self.occurred_to_utc[rows],
            occurred_local=self.occurred_local[rows],
            known_utc=self.known_utc[rows],
            category=self.category[rows],
            categories=self.categories,
            watched=self.watched,
        )
