"""A small agency with weeks of planned shifts behind it, and a truth that the test chooses."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from agencies.models import Agency, CrimeType, Shift
from forecasting.models import Grid
from forecasting.services import grid_build
from missions_project.demo.planted import Planted, Truth, history_plant
from tests.factories import make_agency

FIRST = dt.date(2026, 1, 5)
"""A Monday."""


@dataclass
class PastWeeks:
    """The agency, its types, when its plans were, and what is true of them."""

    agency: Agency
    grid: Grid
    types: list[CrimeType]
    first: dt.date
    last: dt.date
    planted: Planted


def make_past(
    slug: str = "riverton",
    *,
    days: int = 14,
    per_shift: float = 20.0,
    truth: Truth | None = None,
    seed: int = 11,
    shifts: int = 3,
    k: int = 4,
) -> PastWeeks:
    """An agency of 64 cells of 500 m in 4 beats: ``per_shift`` crimes a shift in all, most of them in the north-east."""
    agency = make_agency(slug, cell_size_m=500)
    grid = grid_build(agency=agency)
    for extra in Shift.objects.filter(agency=agency)[shifts:]:
        extra.delete()
    n = grid.n_cells
    shape = np.linspace(0.2, 1.8, n)
    shape /= shape.sum()
    shares = {"robbery": 0.25, "burglary": 0.75}
    rates = {slug: np.tile(per_shift * share * shape, (21, 1)) for slug, share in shares.items()}
    last = FIRST + dt.timedelta(days=days - 1)
    planted = history_plant(agency=agency, rates=rates, first=FIRST, last=last, seed=seed, truth=truth, k=k)
    types = list(CrimeType.objects.filter(agency=agency, slug__in=shares))
    return PastWeeks(agency, grid, types, FIRST, last, planted)
