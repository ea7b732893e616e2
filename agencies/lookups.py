"""Finding an agency and its shift by what a person typed on a command line."""

import datetime as dt

from django.utils.translation import gettext as _

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
        known = ", ".join(Agency.objects.order_by("slug").values_list("slug", flat=True)) or _("none yet")
        raise MissionsError(
            _("There is no agency “%(slug)s”.") % {"slug": slug},
            next_step=_("use one of: %(known)s; or create it with `manage.py agency_create`.")
            % {"known": known},
        )
    return agency


def shift_by_slug(agency: Agency, slug: str) -> Shift:
    """Return the agency's shift, or raise ``MissionsError`` that lists those that exist."""
    shift = Shift.objects.filter(agency=agency, slug=slug).first()
    if shift is None:
        known = ", ".join(Shift.objects.filter(agency=agency).values_list("slug", flat=True)) or _("none yet")
        raise MissionsError(
            _("Agency “%(slug)s” has no shift “%(slug_2)s”.") % {"slug": agency.slug, "slug_2": slug},
            next_step=_("use one of: %(known)s; or add it in Admin → Shifts.") % {"known": known},
        )
    return shift


def date_from_text(text: str) -> dt.date:
    """Return the date, or raise ``MissionsError`` with the form expected."""
    try:
        date = dt.date.fromisoformat(text)
    except ValueError as exc:
        raise MissionsError(
            _("“%(text)s” is not a date.") % {"text": text[:40]},
            next_step=_("write it as YYYY-MM-DD, e.g. 2026-03-14."),
        ) from exc
    if not FIRST_DATE <= date <= LAST_DATE:
        raise MissionsError(
            _("%(date)s is no date of a shift.") % {"date": date},
            next_step=_("choose one from %(first_date)s to %(last_date)s.")
            % {"first_date": FIRST_DATE, "last_date": LAST_DATE},
        )
    return date
