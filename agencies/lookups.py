"""Finding an agency and its shift by what a person typed on a command line."""

import datetime as dt

from agencies.models import Agency, Shift
from missions_project.lib.errors import MissionsError

FIRST_DATE, LAST_DATE = dt.date(1971, 1, 1), dt.date(2199, 12, 31)
"""Pages show the days beside a date, in any zone: at the calendar's own ends these do not exist."""


def pk_from_text(text: str | None) -> int:
    """Return the primary key that a browser sent, 0 (no row's) for anything else.

    ``isdigit`` alone lets through "²", which is no number, and five thousand digits, which Python will not read.
    """
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0


def agency_by_slug(slug: str) -> Agency:
    """Return the agency, or raise ``MissionsError`` that lists those that exist."""
    agency = Agency.objects.filter(slug=slug).first()
    if agency is None:
        known = ", ".join(Agency.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
        raise MissionsError(
            f"There is no agency “{slug}”.",
            next_step=f"use one of: {known}; or create it with `manage.py agency_create`.",
        )
    return agency


def shift_by_slug(agency: Agency, slug: str) -> Shift:
    """Return the agency's shift, or raise ``MissionsError`` that lists those that exist."""
    shift = Shift.objects.filter(agency=agency, slug=slug).first()
    if shift is None:
        known = ", ".join(Shift.objects.filter(agency=agency).values_list("slug", flat=True)) or "none yet"
        raise MissionsError(
            f"Agency “{agency.slug}” has no shift “{slug}”.",
            next_step=f"use one of: {known}; or add it in Admin → Shifts.",
        )
    return shift


def date_from_text(text: str) -> dt.date:
    """Return the date, or raise ``MissionsError`` with the form expected."""
    try:
        date = dt.date.fromisoformat(text)
    except ValueError as exc:
        raise MissionsError(
            f"“{text[:40]}” is not a date.", next_step="write it as YYYY-MM-DD, e.g. 2026-03-14."
        ) from exc
    if not FIRST_DATE <= date <= LAST_DATE:
        raise MissionsError(
            f"{date} is no date of a shift.", next_step=f"choose one from {FIRST_DATE} to {LAST_DATE}."
        )
    return date
