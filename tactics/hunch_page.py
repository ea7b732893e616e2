"""What the pages of hunches show, worked out from rows."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _

from agencies.models import Agency, User
from forecasting.engine.grid import GridSpec
from forecasting.models import Grid
from patrols.places import place_names
from tactics.engine.hunches import PlaceScore
from tactics.hunch_scores import HunchScores
from tactics.models import Hunch

LISTED_MOST = 200


@dataclass(frozen=True)
class HunchRow:
    """A hunch with the name of its place."""

    hunch: Hunch
    place: str

    @property
    def days(self) -> int:
        return round((self.hunch.period_to - self.hunch.period_from) / dt.timedelta(days=1))


def hunch_rows(agency: Agency, *, status: str = "") -> list[HunchRow]:
    """Return the agency's newest 200 hunches with their places, those of one status if it is named. One query, one more a grid."""
    rows = Hunch.objects.filter(agency=agency).select_related(
        "crime_type", "unit", "officer", "beat", "grid", "answered_by"
    )
    rows = rows.defer("beat__geometry")
    if status in Hunch.Status.values:
        rows = rows.filter(status=status)
    listed = list(rows[:LISTED_MOST])
    names = _places(agency, listed)
    return [HunchRow(hunch, names[hunch.pk]) for hunch in listed]


def own_hunches(agency: Agency, officer: User) -> list[HunchRow]:
    """Return what this person logged last, with the answers. At most three queries."""
    rows = Hunch.objects.filter(agency=agency, officer=officer).select_related("crime_type", "grid")
    listed = list(rows[:10])
    names = _places(agency, listed)
    return [HunchRow(hunch, names[hunch.pk]) for hunch in listed]


def _places(agency: Agency, hunches: list[Hunch]) -> dict[int, str]:
    grids: dict[int, Grid] = {hunch.grid_id: hunch.grid for hunch in hunches}
    named: dict[int, str] = {}
    for pk, grid in grids.items():
        spec = GridSpec.from_bytes(bytes(grid.spec))
        there = [hunch for hunch in hunches if hunch.grid_id == pk]
        at = spec.index_of(np.array([hunch.cell_id for hunch in there]))
        x_m, y_m = spec.centres()
        for hunch, name in zip(
            there, place_names(agency, x_m=x_m[at], y_m=y_m[at], epsg=spec.epsg), strict=True
        ):
            named[hunch.pk] = name or _("Cell %(cell_id)s") % {"cell_id": hunch.cell_id}
    return named


@dataclass(frozen=True)
class ScoreRow:
    """A line of the table of figures, in words."""

    name: str
    score: PlaceScore
    observed: str
    ratio: str
    share: str


def score_rows(scores: HunchScores) -> list[ScoreRow]:
    """Return the hunches beside the forecast's top cells and a random cell of the same beats."""
    return [
        _score_row(_("Hunches"), scores.hunches, digits=0),
        _score_row(_("Forecast's top cells"), scores.top, digits=0),
        # A mean over cells: its interval would pretend that it was counted.
        _score_row(_("A random cell of the beat"), scores.random, digits=2, with_interval=False),
    ]


def _score_row(name: str, score: PlaceScore, *, digits: int, with_interval: bool = True) -> ScoreRow:
    ratio = f"{score.ratio:.2f}" if score.expected > 0 else "–"
    share = f"{100 * score.share:.0f} %" if score.n else "–"
    if with_interval and score.expected > 0:
        ratio += f" ({score.ratio_low:.2f}–{score.ratio_high:.2f})"
    if with_interval and score.n:
        share += f" ({100 * score.share_low:.0f}–{100 * score.share_high:.0f} %)"
    return ScoreRow(name, score, f"{score.observed:.{digits}f}", ratio, share)
