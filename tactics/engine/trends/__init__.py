"""What a command staff meeting opens with: counts against what was to be expected, hours of the week, repeats, new cells."""

from tactics.engine.trends.counts import CountBand, count_band, count_bands, weekly_counts
from tactics.engine.trends.emerging import EmergingCells, emerging_cells
from tactics.engine.trends.hours import hours_of_week
from tactics.engine.trends.repeats import KnoxTable, near_repeats

__all__ = [
    "CountBand",
    "EmergingCells",
    "KnoxTable",
    "count_band",
    "count_bands",
    "emerging_cells",
    "hours_of_week",
    "near_repeats",
    "weekly_counts",
]
