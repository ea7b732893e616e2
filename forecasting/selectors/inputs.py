"""What training and forecasting read: shifts as windows, their dated instances, the incidents a model knows."""

import datetime as dt

import numpy as np
from django.utils.translation import gettext as _

from agencies.engine.shift_clock import ShiftHours, instances_array
from agencies.models import Agency, Shift
from agencies.selectors import current_or_next_shift_instance, shifts
from forecasting.engine.train import Periods, ShiftWindow
from ingestion.engine.tables import IncidentTable
from ingestion.selectors import incident_table
from missions_project.lib.errors import MissionsError

TRAINING_YEARS = 4
"""Shift instances older than this teach nothing about today's places."""
HISTORY_DAYS = 8 * 366
"""Incidents older than this are not read: twice the longest memory of the models, and a bound on memory."""


def agency_shifts(agency: Agency) -> list[Shift]:
    """Return the shifts in the order that models know them. One query. Raises ``MissionsError`` without any."""
    found = sorted(shifts(agency), key=lambda shift: (shift.start_minute, shift.slug))
    if not found:
        raise MissionsError(
            _("Agency “%(agency_slug)s” has no shifts.") % {"agency_slug": agency.slug},
            next_step=_("Admin → Shifts → Add."),
        )
    return found


def shift_windows(found: list[Shift]) -> tuple[ShiftWindow, ...]:
    """Return the shifts as the engine knows them. No query."""
    return tuple(
        ShiftWindow(shift.slug, shift.start_minute, shift.duration_minutes, shift.weekday_numbers)
        for shift in found
    )


def next_shift_instance(agency: Agency, now: dt.datetime) -> tuple[Shift, dt.date]:
    """Return the next shift to start after now, and its local date. One query."""
    return current_or_next_shift_instance(agency, now, include_current=False)


def utc64(instant: dt.datetime) -> np.datetime64:
    """Return an aware instant as the engine's ``datetime64[s]`` in UTC."""
    return np.datetime64(instant.astimezone(dt.UTC).replace(tzinfo=None), "s")


def aware(instant: np.datetime64) -> dt.datetime:
    """Return the engine's instant as an aware datetime."""
    return dt.datetime.fromtimestamp(int(instant.astype("datetime64[s]").astype(np.int64)), tz=dt.UTC)


def periods_between(
    windows: tuple[ShiftWindow, ...], zone: str, first_utc: np.datetime64, last_utc: np.datetime64
) -> Periods:
    """Return every shift instance that starts at or after the first and ends by the last instant. No query.

    Starts follow the wall clock through summer time, lengths are elapsed time. Ascending by start, then by shift.
    """
    hours = [
        ShiftHours(row.slug, dt.time(*divmod(row.start_minute, 60)), row.duration_minutes, row.weekdays)
        for row in windows
    ]
    margin = dt.timedelta(days=2)
    first, last = aware(first_utc).date() - margin, aware(last_utc).date() + margin
    found = instances_array(hours, first, last, zone)
    keep = np.flatnonzero((found.from_utc >= first_utc) & (found.to_utc <= last_utc))
    return Periods(
        found.from_utc[keep], found.to_utc[keep], found.local_from[keep], found.slot[keep].astype(np.int16)
    )


def period_of(
    found: list[Shift], shift_id: int, on: dt.date, period_from: dt.datetime, period_to: dt.datetime
) -> Periods:
    """Return one shift instance as the engine's periods. No query."""
    slot = [shift.pk for shift in found].index(shift_id)
    start = np.datetime64(on, "s") + np.timedelta64(60 * found[slot].start_minute, "s")
    return Periods(
        np.array([utc64(period_from)]),
        np.array([utc64(period_to)]),
        np.array([start]),
        np.array([slot], dtype=np.int16),
    )


def known_incidents(agency: Agency, *, epsg: int, as_of: dt.datetime) -> IncidentTable:
    """Return what was reported before the instant, at most eight years back. Five queries."""
    table = incident_table(agency, epsg=epsg, until=as_of, since=as_of - dt.timedelta(days=HISTORY_DAYS))
    return table.known_before(utc64(as_of))


def table_for_categories(table: IncidentTable, categories: tuple[str, ...]) -> IncidentTable:
    """Return the table with exactly the categories that a model was trained on, in its order. No query.

    Categories added since are left out. One that is gone raises ``MissionsError``: its silence would read as
    peace to the model.
    """
    if table.categories == categories:
        return table
    gone = [slug for slug in categories if slug not in table.categories]
    if gone:
        raise MissionsError(
            _("The live models were trained with %(names)s, which is no longer an active crime type or feed.")
            % {"names": ", ".join(gone)},
            next_step=_("Admin → Training runs → Train now, or activate it again."),
        )
    number = np.array(
        [categories.index(slug) if slug in categories else -1 for slug in table.categories], dtype=np.int16
    )
    renamed = number[table.category]
    kept = table.take(np.flatnonzero(renamed >= 0))
    return IncidentTable(
        x_m=kept.x_m,
        y_m=kept.y_m,
        occurred_utc=kept.occurred_utc,
        occurred_to_utc=kept.occurred_to_utc,
        occurred_local=kept.occurred_local,
        known_utc=kept.known_utc,
        category=renamed[renamed >= 0],
        categories=categories,
        watched=kept.watched,
    )
