"""Records that machines send late: dispatch exports and vehicle positions of shifts that were counted already."""

import datetime as dt
from collections.abc import Callable, Set

import numpy as np
import numpy.typing as npt
from django.db.models import Max, Min
from django.utils import timezone

from patrols.models import MissionPlan, Presence
from patrols.presence_inputs import AROUND, LONGEST_CAD, directed_patrols
from patrols.services.presence import AGAIN, RECOUNT_AFTER, accounts_done

POSITIONS_AFTER = dt.timedelta(hours=1)
"""A modem that was out of reach empties its memory batch by batch: one count for all of them."""
HOUR = 3600
_Floats = npt.NDArray[np.float64]


def presence_recount_calls(
    *,
    agency_id: int,
    since: dt.datetime,
    hours: Set[int] | None,
    hours_before: Set[int] = frozenset(),
    now: dt.datetime | None = None,
) -> int:
    """Have the shifts counted once more of which directed patrols were written since; returns how many accounts.

    ``hours`` since 1970 in which they begin, None where nobody knows; ``hours_before``: in which changed records began as
    they stood before. A patrol that was moved to another time, or turns out to be none, has the shift counted again that
    it counted in. No query for what happened within the last day: those shifts are still to be counted. Otherwise at most
    five, whatever the number of records.
    """
    now = now or timezone.now()
    touched = _written(agency_id, since, hours, now) | _left(agency_id, hours_before, now)
    return _mark(agency_id, touched, now + RECOUNT_AFTER)


def _written(
    agency_id: int, since: dt.datetime, hours: Set[int] | None, now: dt.datetime
) -> set[tuple[int, dt.date]]:
    """The shifts in which directed patrols lie that were written since. Three queries, or none."""
    rows = directed_patrols(agency_id).filter(imported_at__gte=since)
    if hours is not None:
        if not (hours := _old(hours, now - AGAIN)):
            return set()
        rows = rows.filter(
            occurred_from__gte=_instant(min(hours)), occurred_from__lt=_instant(max(hours) + 1)
        )
    spans = np.array(
        [
            (a.timestamp(), b.timestamp())
            for a, b in rows.order_by().values_list("occurred_from", "occurred_to")
        ]
    ).reshape(-1, 2)
    if not len(spans):
        return set()
    begun = spans[np.argsort(spans[:, 0])]

    def is_touched(from_s: float, to_s: float) -> bool:
        first, stop = np.searchsorted(begun[:, 0], [from_s - LONGEST_CAD.total_seconds(), to_s])
        return bool((begun[first:stop, 1] >= from_s).any())

    return _shifts(agency_id, spans[:, 0].min(), spans[:, 1].max(), is_touched)


def _left(agency_id: int, hours: Set[int], now: dt.datetime) -> set[tuple[int, dt.date]]:
    """The shifts that hold presence by a dispatch record that may be one of those that began in these hours. One query, or none.

    What a changed call was before is gone; that it was a patrol shows in what was counted of it.
    """
    if not (hours := _old(hours, now - AGAIN)):
        return set()
    at = np.array(sorted(hours), dtype=np.float64) * HOUR
    counted = Presence.objects.filter(
        agency=agency_id,
        source=Presence.Source.CAD,
        arrived_at__gte=_instant(min(hours)),
        arrived_at__lt=_instant(max(hours) + 1) + LONGEST_CAD,
    ).order_by()
    longest = LONGEST_CAD.total_seconds() + HOUR
    found = set()
    for shift, on, arrived in counted.values_list("account__shift_id", "account__on", "arrived_at"):
        first, stop = np.searchsorted(at, [arrived.timestamp() - longest, arrived.timestamp()], side="right")
        if stop > first:
            found.add((shift, on))
    return found


def presence_recount_positions(
    *, agency_id: int, hours: Set[int] | None, now: dt.datetime | None = None
) -> int:
    """Have the shifts counted once more of which positions were written; returns how many accounts.

    ``hours`` since 1970. An hour later. No query for positions of the last day, else two.
    """
    now = now or timezone.now()
    if not (hours := _old(hours or frozenset(), now - AGAIN + AROUND)):
        return 0
    at = np.array(sorted(hours), dtype=np.float64) * HOUR
    around = AROUND.total_seconds()

    def is_touched(from_s: float, to_s: float) -> bool:
        first, stop = np.searchsorted(at, [from_s - around - HOUR + 1, to_s + around])
        return bool(stop > first)

    touched = _shifts(agency_id, at[0] - around, at[-1] + HOUR + around, is_touched)
    return _mark(agency_id, touched, now + POSITIONS_AFTER)


def _old(hours: Set[int], before: dt.datetime) -> set[int]:
    last = before.timestamp() / HOUR
    return {hour for hour in hours if hour < last}


def _instant(hour: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(hour * HOUR, tz=dt.UTC)


def _shifts(
    agency_id: int, from_s: float, to_s: float, is_touched: Callable[[float, float], bool]
) -> set[tuple[int, dt.date]]:
    """The shift instances with a published plan in this time that were touched. One query."""
    plans = MissionPlan.objects.filter(
        agency=agency_id,
        state=MissionPlan.State.PUBLISHED,
        period_from__lte=dt.datetime.fromtimestamp(to_s, tz=dt.UTC),
        period_to__gte=dt.datetime.fromtimestamp(from_s, tz=dt.UTC),
    )
    periods = (
        plans.order_by()
        .values_list("shift_id", "on")
        .annotate(begins=Min("period_from"), ends=Max("period_to"))
    )
    return {
        (shift, on) for shift, on, begins, ends in periods if is_touched(begins.timestamp(), ends.timestamp())
    }


def _mark(agency_id: int, touched: set[tuple[int, dt.date]], next_at: dt.datetime) -> int:
    if not touched:
        return 0
    days = [on for _, on in touched]
    mine = accounts_done().filter(agency=agency_id, on__range=(min(days), max(days)))
    keys = [pk for pk, *shift in mine.values_list("pk", "shift_id", "on") if tuple(shift) in touched]
    return sum(
        accounts_done().filter(pk__in=keys[at : at + 500]).update(next_at=next_at, attempts=0)
        for at in range(0, len(keys), 500)
    )
