"""A small agency with weeks of planned shifts behind it, and a truth that the test chooses."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from django.apps import apps
from django.core.management.color import no_style
from django.db import connection
from django.db.models import AutoField

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


def count_keys_anew() -> None:
    """Let the keys of every empty table begin at one. Keys of beats and types seed draws, and a database does not give a key
    twice: without this the same seed would plant another history in every run."""
    empty = [
        {"table": model._meta.db_table, "column": model._meta.pk.column}
        for model in apps.get_models()
        if isinstance(model._meta.pk, AutoField) and model._meta.managed and not model._base_manager.exists()
    ]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_by_name_sql(no_style(), empty):
            cursor.execute(statement)


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
    count_keys_anew()
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
