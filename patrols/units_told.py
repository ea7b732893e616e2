"""For how long a stretch tables and files name units.

Who was where is a shift's own business; a year of it would rank cars and those who sit in them. That is the unit activity report's, for
the unit and its supervisors, where the agency has it at all.
"""

import datetime as dt

from django.utils.translation import gettext as _

MOST_DAYS = 7


def units_are_told(first: dt.date, last: dt.date) -> bool:
    """Whether a table of these days, both counted, names units.

    >>> units_are_told(dt.date(2026, 3, 2), dt.date(2026, 3, 8)), units_are_told(dt.date(2026, 3, 2), dt.date(2026, 3, 9))
    (True, False)
    """
    return (last - first).days < MOST_DAYS


def why_untold() -> str:
    """What stands beside a table or in a file that names none."""
    return _("Units are named where %(days)s days at most are asked for.") % {"days": MOST_DAYS}
