"""Finding an agency and its shift by what a person typed on a command line."""

import datetime as dt

from agencies.models import Agency, Shift
from missions_project.lib.errors import MissionsError


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
        return dt.date.fromisoformat(text)
    except ValueError as exc:
        raise MissionsError(
            f"“{text}” is not a date.", next_step="write it as YYYY-MM-DD, e.g. 2026-03-14."
        ) from exc
