"""Writing what officers expect, and what the analyst answers."""

import datetime as dt
import uuid

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, CrimeType, Unit, User
from forecasting.engine.grid import GridSpec, project
from forecasting.selectors import active_grid, cell_beats
from missions_project.lib.errors import MissionsError
from tactics.models import Hunch
from tactics.services.notes import text_about_a_place

PERIOD_DAYS = {
    1: gettext_lazy("the next 24 hours"),
    7: gettext_lazy("the next 7 days"),
    28: gettext_lazy("the next 4 weeks"),
}


def hunch_log(
    *,
    agency: Agency,
    number: uuid.UUID,
    officer: User,
    unit: Unit | None,
    lon: float,
    lat: float,
    crime_type: CrimeType,
    days: int,
    reason: str,
    now: dt.datetime | None = None,
) -> Hunch:
    """Log where an officer expects which crime, and why, before it happens. It sends nobody anywhere.

    The cell is kept, not the point. Sent twice with one ``number``, it is logged once. Raises ``MissionsError`` for a place
    outside the agency's grid, a type that is not the agency's, an unknown period, and for a reason about a person.
    """
    if days not in PERIOD_DAYS:
        raise MissionsError(_("This is no period."), next_step=_("choose one of the list."))
    if crime_type.agency_id != agency.pk or not crime_type.is_active:
        raise MissionsError(
            _("Your agency does not forecast this type."), next_step=_("choose one of the list.")
        )
    reason = text_about_a_place(reason)
    grid = active_grid(agency)
    spec = GridSpec.from_bytes(bytes(grid.spec))
    x_m, y_m = project([lon], [lat], spec.epsg)
    position = int(spec.locate(x_m, y_m)[0])
    if position < 0:
        raise MissionsError(
            _("This place lies outside the agency's area."), next_step=_("tap a place inside it.")
        )
    if (known := Hunch.objects.filter(agency=agency, uuid=number).first()) is not None:
        return known
    now = now or timezone.now()
    beat = int(cell_beats(grid)[position])
    hunch = Hunch(
        agency=agency,
        uuid=number,
        officer=officer,
        unit=unit,
        grid=grid,
        cell_id=int(spec.cells[position]),
        beat_id=beat if beat >= 0 else None,
        crime_type=crime_type,
        period_from=now,
        period_to=now + dt.timedelta(days=days),
        reason=reason,
        made_at=now,
    )
    hunch.full_clean()
    try:
        with transaction.atomic():
            hunch.save()
    except IntegrityError:
        # The same form twice at once: the first one is there now.
        return Hunch.objects.get(agency=agency, uuid=number)
    return hunch


def hunch_answer(*, hunch: Hunch, status: str, answer: str, actor: User) -> Hunch:
    """Say what became of a hunch. Raises ``MissionsError`` for an unknown status, and for words about a person."""
    if status not in Hunch.Status.values:
        raise MissionsError(_("This is no status."), next_step=_("choose one of the list."))
    answer = text_about_a_place(answer) if answer.strip() else ""
    hunch.status, hunch.answer = status, answer
    hunch.answered_by, hunch.answered_at = actor, timezone.now()
    hunch.full_clean()
    hunch.save(update_fields=["status", "answer", "answered_by", "answered_at"])
    return hunch
