"""From rows to a trial of tactics: drawn missions, their stored chances, and the crimes that followed in their boxes."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import F, Min, QuerySet
from django.utils.translation import gettext as _

from agencies.models import Agency
from forecasting.engine.grid import GridSpec
from forecasting.models import Grid
from ingestion.selectors import incident_table
from missions_project.lib.errors import MissionsError
from patrols.models import MissionPlan
from tactics.engine.allocation import Allocation
from tactics.engine.trials import Bools, Floats, Ints, TacticTrial
from tactics.models import DrawMethod, TacticDraw

GUNFIRE = "gunfire"
"""What sensors hear is no report by the public: missions against gunfire are not compared."""
WINDOW_HOURS = 8.0
_FIELDS = (
    "pk", "mission_id", "mission__cell_id", "mission__crime_type__slug", "mission__starts_at", "mission__expected",
    "tactic__slug", "probabilities", "method", "policy", "update__number", "counted_in__number", "counted_crimes",
    "counted_expected", "mission__plan__grid_id", "mission__plan__on", "mission__plan__period_from",
    "mission__plan__period_to", "mission__plan__shift_id",
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """Where and when a mission was drawn, as the rules read it: its shift, its start, and what its box was near then."""

    shift_id: int
    starts_at: dt.datetime
    near: tuple[str, ...]


@dataclass(frozen=True)
class TrialInputs:
    """A trial and what it is about: ``slugs`` of the tactics in its columns, keys of draws and missions in its rows.

    ``first``: where it begins, earlier than asked for where adaptive draws must be drawn again from their beginning.
    ``shifts`` plans. ``left_out``: missions against gunfire. ``settings``: what rules ask of each mission.
    """

    trial: TacticTrial
    slugs: tuple[str, ...]
    draw_ids: tuple[int, ...]
    kinds: tuple[str, ...]
    first: dt.date
    last: dt.date
    window_hours: float
    shifts: int
    left_out: int
    settings: tuple[Setting, ...] = ()


def trial_inputs(
    agency: Agency,
    *,
    first: dt.date,
    last: dt.date,
    window_hours: float,
    until: dt.datetime,
    uncounted_only: bool = False,
) -> TrialInputs:
    """Return the drawn missions of published plans on these local dates whose window ended before ``until``.

    Crimes: of the mission's own type, in its box, from the drawn start for ``window_hours``, as reported by the public;
    what officers initiated is not among them. Missions that were withdrawn or never visited stay: chance put them there.
    ``uncounted_only``: those that no update of adaptive draws has counted. At most twelve queries.
    """
    rows = TacticDraw.objects.filter(
        agency=agency,
        mission__plan__state=MissionPlan.State.PUBLISHED,
        mission__starts_at__lt=until - dt.timedelta(hours=window_hours),
    )
    if uncounted_only:
        rows = rows.filter(counted_in=None)
    else:
        first = _beginning(rows, first, last)
    rows = rows.filter(mission__plan__on__range=(first, last))
    left_out = rows.filter(mission__crime_type__nibrs_code=GUNFIRE).count()
    found = list(
        rows.exclude(mission__crime_type__nibrs_code=GUNFIRE)
        .order_by("mission__plan__period_from", "mission__plan_id", "mission__cell_id")
        .values(*_FIELDS, plan=F("mission__plan_id"))
    )
    for row in found:
        if row["tactic__slug"] not in row["probabilities"]:
            raise MissionsError(
                _("Tactic “%(slug)s” has got another short name since it was drawn.")
                % {"slug": row["tactic__slug"]},
                next_step=_("give it its old one again: %(names)s.")
                % {"names": ", ".join(sorted(row["probabilities"]))},
            )
    slugs = tuple(sorted({slug for row in found for slug in row["probabilities"]}))
    column = {slug: at for at, slug in enumerate(slugs)}
    chance = np.zeros((len(found), len(slugs)))
    for n, row in enumerate(found):
        for slug, value in row["probabilities"].items():
            chance[n, column[slug]] = value
    kinds = tuple(sorted({row["mission__crime_type__slug"] for row in found}))
    hours = np.array(
        [
            (row["mission__plan__period_to"] - row["mission__plan__period_from"]).total_seconds() / 3600
            for row in found
        ]
    )
    expected = np.array([row["mission__expected"] for row in found]) * window_hours / np.maximum(hours, 0.25)
    policy, adaptive = _policy(found)
    trial = TacticTrial(
        names=slugs,
        arm=np.array([column[row["tactic__slug"]] for row in found], dtype=np.int64),
        chance=chance,
        crimes=_crimes(agency, found, window_hours),
        expected=expected.astype(np.float64),
        week=np.array([row["mission__plan__on"].toordinal() // 7 for row in found], dtype=np.int64),
        kind=np.array([kinds.index(row["mission__crime_type__slug"]) for row in found], dtype=np.int64),
        adaptive=adaptive,
        batch=np.array([row["update__number"] or 0 for row in found], dtype=np.int64),
        counted=np.array([row["counted_in__number"] or 0 for row in found], dtype=np.int64),
        told_crimes=np.array([row["counted_crimes"] or 0 for row in found], dtype=np.float64),
        told_expected=np.array([row["counted_expected"] or 0.0 for row in found], dtype=np.float64),
        policy=policy,
    )
    keys = tuple(row["pk"] for row in found)
    settings = tuple(
        Setting(
            row["mission__plan__shift_id"], row["mission__starts_at"], tuple(row["policy"].get("near", ()))
        )
        for row in found
    )
    plans = len({row["plan"] for row in found})
    return TrialInputs(trial, slugs, keys, kinds, first, last, window_hours, plans, left_out, settings)


def _beginning(rows: QuerySet[TacticDraw], first: dt.date, last: dt.date) -> dt.date:
    """Adaptive chances follow from everything counted before: a replay has to start where the counting did."""
    period = rows.filter(mission__plan__on__range=(first, last))
    if not period.filter(method=DrawMethod.ADAPTIVE).exists():
        return first
    earliest: dt.date | None = rows.aggregate(at=Min("mission__plan__on"))["at"]
    return min(first, earliest or first)


def _policy(found: list[dict[str, Any]]) -> tuple[Allocation, Bools]:
    """The newest adaptive policy, and which draws can be run again under it.

    Draws under other settings are drawn again with the chances that they had.
    """
    settings = [
        (row["policy"].get("floor"), row["policy"].get("prior_crimes"))
        if row["method"] == DrawMethod.ADAPTIVE
        else None
        for row in found
    ]
    newest = next((own for own in reversed(settings) if own is not None), None)
    if newest is None:
        return Allocation(), np.zeros(len(found), dtype=np.bool_)
    return Allocation(floor=newest[0], prior_crimes=newest[1]), np.array(
        [own == newest for own in settings], dtype=np.bool_
    )


def _crimes(agency: Agency, found: list[dict[str, Any]], window_hours: float) -> Floats:
    """Crimes of each mission's type in its box and window. One reading of the incidents a grid."""
    crimes = np.zeros(len(found))
    grid_of = np.array([row["mission__plan__grid_id"] or 0 for row in found], dtype=np.int64)
    for grid in Grid.objects.filter(agency=agency, pk__in=np.unique(grid_of).tolist()):
        own = np.flatnonzero(grid_of == grid.pk)
        spec = GridSpec.from_bytes(bytes(grid.spec))
        starts = [found[n]["mission__starts_at"] for n in own]
        window = dt.timedelta(hours=window_hours)
        table = incident_table(agency, epsg=spec.epsg, since=min(starts), until=max(starts) + window)
        number = {slug: at for at, slug in enumerate(table.categories)}
        kind = np.array([number.get(found[n]["mission__crime_type__slug"], -1) for n in own], dtype=np.int64)
        cell = spec.index_of([found[n]["mission__cell_id"] for n in own])
        begins = np.array([int(start.timestamp()) for start in starts], dtype=np.int64)
        crimes[own] = window_counts(
            place=table.category.astype(np.int64) * len(spec) + spec.locate(table.x_m, table.y_m),
            outside=spec.locate(table.x_m, table.y_m) < 0,
            at_s=table.occurred_utc.astype("datetime64[s]").astype(np.int64),
            wanted=np.where((kind >= 0) & (cell >= 0), kind * len(spec) + cell, -1),
            from_s=begins,
            length_s=int(window.total_seconds()),
        )
    return crimes


def window_counts(
    *, place: Ints, outside: Bools, at_s: Ints, wanted: Ints, from_s: Ints, length_s: int
) -> Floats:
    """How many events lie at each wanted place from a start, for so many seconds: float64[n]; half-open; -1: nowhere, 0.

    ``place``, ``at_s``: where and when each event was, in whole numbers from 0 and in seconds; ``outside`` leaves events out.
    """
    place, at_s = place[~outside], at_s[~outside]
    if len(place) == 0 or len(wanted) == 0:
        return np.zeros(len(wanted))
    origin = min(int(at_s.min()), int(from_s.min()))
    # One number for place and time; longer than any time, so that places never run into each other.
    span = max(int(at_s.max()), int(from_s.max()) + length_s) - origin + 1
    key = np.sort(place * span + (at_s - origin))
    start = np.maximum(wanted, 0) * span + (from_s - origin)
    count = np.searchsorted(key, start + length_s) - np.searchsorted(key, start)
    return np.where(wanted >= 0, count, 0).astype(np.float64)
