"""What happened during a study: crimes as the public reported them, and how long units were where."""

import datetime as dt
from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from agencies.models import Agency, CrimeType
from forecasting.engine.grid import GridSpec
from forecasting.models import Grid
from ingestion.selectors import incident_table
from missions_project.lib.errors import MissionsError
from patrols.models import Presence, PresenceAccount
from tactics.engine.impact import CrimeEvents, OutcomeWindow
from tactics.engine.impact.study import Bools, Floats, Ints
from tactics.studies.plans import PlanRow

WEEK_AND_A_DAY = dt.timedelta(days=8)
"""Crimes of the week before a shift are a control that missions cannot have changed."""


def events_of(
    agency: Agency, crime_types: list[CrimeType], grid: Grid, rows: list[PlanRow], window: OutcomeWindow
) -> tuple[CrimeEvents, list[str]]:
    """Return the crimes of these types around the plans' shifts, and what a reader should know of them. Five queries.

    Reported by the public: neither officer-initiated nor known from sensors alone. A crime known by an interval counts at
    its middle, the same for drawn and other boxes. Raises ``MissionsError`` for a type that is not active.
    """
    if inactive := [one.name for one in crime_types if not one.is_active]:
        raise MissionsError(
            _("Not active: %(inactive)s.") % {"inactive": ", ".join(inactive)},
            next_step=_("choose active crime types, or make it active again (Admin → Crime types)."),
        )
    table = incident_table(
        agency,
        epsg=grid.epsg,
        since=min(row.period_from for row in rows) - WEEK_AND_A_DAY,
        until=max(row.period_to for row in rows) + dt.timedelta(minutes=window.minutes),
        with_sensors=False,
    )
    number = {table.categories.index(one.slug): at for at, one in enumerate(crime_types)}
    wanted = np.isin(table.category, sorted(number))
    begun = table.occurred_utc[wanted].astype("datetime64[s]").astype(np.float64) / 60.0
    ended = table.occurred_to_utc[wanted].astype("datetime64[s]").astype(np.float64) / 60.0
    type_index = np.array([number[int(one)] for one in table.category[wanted]], dtype=np.int64)
    notes = []
    length = np.maximum(ended - begun, 0.0)
    if wide := int((length > window.minutes).sum()):
        notes.append(
            f"{wide:,} of {len(length):,} crimes are known only to within more than the outcome window; each counts at the "
            "middle of its interval, which can only hide an effect."
        )
    if any(one.nibrs_code == "gunfire" for one in crime_types):
        notes.append(
            "Gunfire counts calls about shots. Sensor alerts are left out: sensors hear only where they stand, and the public "
            "did not report them."
        )
    return CrimeEvents(begun + length / 2.0, table.x_m[wanted], table.y_m[wanted], type_index), notes


@dataclass(frozen=True, eq=False)
class Stays:
    """Minutes that units spent in boxes, one element a stay [m]: ``point`` number of the decision point, ascending, ``cell`` position."""

    point: Ints
    cell: Ints
    minutes: Floats

    def of(self, point: int, cells: int) -> npt.NDArray[np.float32]:
        """The minutes in each cell that belong to a decision point. float32[N]."""
        rows = slice(*np.searchsorted(self.point, [point, point + 1]).tolist())
        found = np.zeros(cells, dtype=np.float32)
        np.add.at(found, self.cell[rows], self.minutes[rows].astype(np.float32))
        return found


def presence_of(agency: Agency, spec: GridSpec, rows: list[PlanRow]) -> tuple[Stays | None, Bools]:
    """Return the reconciled stays by decision point (None: no positions at all), and whether positions were at hand for the
    shift, bool[S], so that drawn and other boxes were measured alike. Two queries, three where shifts have decisions in them.

    Minutes during a shift with several decision points belong to the one that had begun when the unit arrived.
    """
    at: dict[tuple[int, dt.date], list[tuple[float, int]]] = {(row.shift_id, row.on): [] for row in rows}
    for s, row in enumerate(rows):
        at[row.shift_id, row.on].append((row.period_from.timestamp(), s))
    span = (min(row.on for row in rows), max(row.on for row in rows))
    accounts = PresenceAccount.objects.filter(agency=agency, on__range=span, done_at__isnull=False)
    measured = np.zeros(len(rows), dtype=np.bool_)
    of_account: dict[int, list[tuple[float, int]]] = {}
    for pk, shift_id, on, counts in accounts.values_list("pk", "shift_id", "on", "counts"):
        points = at.get((shift_id, on), [])
        of_account[pk] = points
        measured[[s for _, s in points]] = counts.get("positions", 0) > 0
    if not measured.any():
        return None, measured
    spent = Presence.objects.filter(
        agency=agency, account__on__range=span, account__done_at__isnull=False, minutes__gt=0
    )
    several = [pk for pk, points in of_account.items() if len(points) > 1]
    point, cell, stayed = array("q"), array("q"), array("d")
    # A year of a large city has a million stays: when a unit arrived is read only where it matters.
    whole = spent.exclude(account__in=several) if several else spent
    for account_id, cell_id, minutes in whole.values_list("account_id", "cell_id", "minutes").iterator(
        chunk_size=10_000
    ):
        if known := of_account.get(account_id):
            point.append(known[0][1])
            cell.append(cell_id)
            stayed.append(minutes)
    rows_of = spent.filter(account__in=several).values_list("account_id", "cell_id", "minutes", "arrived_at")
    for account_id, cell_id, minutes, arrived_at in rows_of if several else ():
        arrived, points = arrived_at.timestamp(), of_account[account_id]
        point.append(next((s for start, s in reversed(points) if start <= arrived), points[0][1]))
        cell.append(cell_id)
        stayed.append(minutes)
    points_of = np.frombuffer(point, dtype=np.int64) if point else np.empty(0, np.int64)
    cells = np.frombuffer(cell, dtype=np.int64) if cell else np.empty(0, np.int64)
    minutes_of = np.frombuffer(stayed, dtype=np.float64) if stayed else np.empty(0)
    order = np.argsort(points_of, kind="stable")
    order = order[np.isin(cells[order], spec.cells)]
    return Stays(points_of[order], spec.index_of(cells[order]), minutes_of[order]), measured
