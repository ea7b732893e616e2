"""Applying what an officer's phone kept while it had no connection: in order, once, with its own times."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency, Unit, User
from missions_project.lib.errors import MissionsError
from missions_project.lib.lazy import gettext_lazy
from patrols.models import Engagement, Mission
from patrols.services import visit_end_told_late, visit_start_told_late
from tactics.models import OfficerAction, Tactic, TacticUse
from tactics.selectors import mission_at, visit_by
from tactics.services.notes import TextRefused, visit_note_record
from tactics.services.uses import tactic_use_record

FUTURE_TOLERANCE = dt.timedelta(minutes=2)
"""A press may be this far ahead of our clock: what is left after the correction. It then counts as now."""
SHIFT_TOLERANCE = dt.timedelta(minutes=30)
"""Arrivals count from half an hour before the shift to half an hour after it."""
OLDEST = dt.timedelta(days=7)
"""Reports of last week are read by then: a phone found in a drawer must not change them."""

ABOUT_A_PERSON = gettext_lazy("The note was about a person. Next step: write about the place alone.")

Kind = OfficerAction.Kind


@dataclass(frozen=True)
class Press:
    """One press, as the phone tells of it. ``at`` is the phone's time put right by ``correction``."""

    uuid: uuid.UUID
    kind: str
    mission_id: int
    device_at: dt.datetime
    correction: dt.timedelta = dt.timedelta(0)
    tactic_id: int = 0
    is_used: bool = True
    text: str = ""

    @property
    def at(self) -> dt.datetime:
        return self.device_at + self.correction


@dataclass(frozen=True)
class Outcome:
    """What became of one press. ``status`` is done, again (it had been applied before) or refused."""

    uuid: str
    status: str
    message: str = ""


def actions_apply(
    *, agency: Agency, unit: Unit, officer: User, presses: Sequence[Press], now: dt.datetime | None = None
) -> list[Outcome]:
    """Apply a phone's presses in the order given, each once however often it is sent, and say what became of each.

    Each is a transaction of its own: one that cannot be applied is kept with its reason and holds up no other. A press
    that came before is answered as it was then. About fifteen queries a press.
    """
    now = now or timezone.now()
    return [
        _once(agency, unit, officer, press, presses[number + 1 :], now)
        for number, press in enumerate(presses)
    ]


def _once(
    agency: Agency, unit: Unit, officer: User, press: Press, later: Sequence[Press], now: dt.datetime
) -> Outcome:
    if (known := _known(agency, officer, press)) is not None:
        return known
    try:
        with transaction.atomic():
            row = OfficerAction(
                agency=agency,
                uuid=press.uuid,
                officer=officer,
                unit=unit,
                kind=press.kind,
                detail=_detail(press),
                device_at=press.device_at,
                correction_seconds=press.correction.total_seconds(),
                at=min(press.at, now),
                received_at=now,
                status=OfficerAction.Status.DONE,
            )
            told = ""
            # First the number, then the deed: of two tabs the second waits here until the first has done it.
            row.save()
            try:
                with transaction.atomic():
                    _apply(row, press, later, now)
            except TextRefused as exc:
                # The answer quotes what was found; the log must not.
                row.status, row.message, told = OfficerAction.Status.REFUSED, ABOUT_A_PERSON, str(exc)
            except MissionsError as exc:
                row.status, row.message = OfficerAction.Status.REFUSED, str(exc)[:500]
            row.save()
    except IntegrityError:
        if (known := _known(agency, officer, press)) is None:
            raise
        return known
    return Outcome(str(press.uuid), row.status, told or row.message)


def _known(agency: Agency, officer: User, press: Press) -> Outcome | None:
    row = OfficerAction.objects.filter(agency=agency, uuid=press.uuid).first()
    if row is None:
        return None
    if row.officer_id != officer.pk:
        return Outcome(
            str(press.uuid), "refused", _("This number belongs to another press. Next step: press again.")
        )
    status = "again" if row.status == OfficerAction.Status.DONE else "refused"
    return Outcome(str(press.uuid), status, row.message)


def _detail(press: Press) -> dict[str, object]:
    if press.kind == Kind.TACTIC:
        return {"tactic": press.tactic_id, "used": press.is_used}
    # The length alone: words that the screen refuses must not be found in the log instead.
    return {"characters": len(press.text)} if press.kind == Kind.NOTE else {}


def _apply(row: OfficerAction, press: Press, later: Sequence[Press], now: dt.datetime) -> None:
    assert row.unit is not None  # the log of a unit that is deleted later
    if press.at > now + FUTURE_TOLERANCE:
        ahead = (press.at - now).total_seconds() / 60
        raise MissionsError(
            _("By the phone's clock this was pressed %(ahead)s minutes in the future.")
            % {"ahead": f"{ahead:.0f}"},
            next_step=_("set the phone's clock, and tell your supervisor the right time."),
        )
    if press.at < now - OLDEST:
        raise MissionsError(
            _("This was pressed more than %(days)s days ago.") % {"days": OLDEST.days},
            next_step=_("tell your supervisor the times."),
        )
    mission = mission_at(row.agency, row.unit, press.mission_id, at=row.at)
    if mission is None:
        raise MissionsError(
            _(
                "Your unit had no such mission at that time: it was given to another unit, or its plan was replaced."
            ),
            next_step=_("tell your supervisor when you were there."),
        )
    row.mission = mission
    if press.kind == Kind.ARRIVED:
        row.engagement, row.message = _arrive(row, mission, press, later)
        return
    if press.kind == Kind.LEFT:
        row.engagement = visit_end_told_late(mission=mission, unit=row.unit, at=row.at)
    else:
        row.engagement = visit_by(mission, row.unit, at=row.at)
    if row.engagement is None:
        raise MissionsError(
            _("No arrival at mission %(mission_number)s is known before that.")
            % {"mission_number": mission.number},
            next_step=_("tell your supervisor when you came."),
        )
    if press.kind == Kind.TACTIC:
        _tick(row, row.engagement, press)
    elif press.kind == Kind.NOTE:
        visit_note_record(engagement=row.engagement, text=press.text, officer=row.officer, at=row.at)


def _arrive(
    row: OfficerAction, mission: Mission, press: Press, later: Sequence[Press]
) -> tuple[Engagement, str]:
    assert row.unit is not None
    plan = mission.plan
    if not plan.period_from - SHIFT_TOLERANCE <= row.at <= plan.period_to + SHIFT_TOLERANCE:
        words = (
            _("This was pressed before the shift of mission %(number)s.")
            if row.at < plan.period_from
            else _("This was pressed after the shift of mission %(number)s.")
        )
        raise MissionsError(
            words % {"number": mission.number},
            next_step=_("look at the phone's clock, and tell your supervisor when you were there."),
        )
    left = next(
        (other.at for other in later if other.kind == Kind.LEFT and other.mission_id == press.mission_id),
        None,
    )
    started = visit_start_told_late(
        mission=mission, unit=row.unit, officer=row.officer, at=row.at, left_at=left
    )
    told = [
        _("Left mission %(mission_number)s after %(minutes)s min: one timer at a time.")
        % {"mission_number": visit.mission.number, "minutes": f"{visit.minutes or 0:.0f}"}
        for visit in started.ended
    ]
    if mission.withdrawn_at is not None:
        told.append(
            _("Mission %(mission_number)s was withdrawn since; your visit counts.")
            % {"mission_number": mission.number}
        )
    return started.engagement, " ".join(told)


def _tick(row: OfficerAction, visit: Engagement, press: Press) -> None:
    tactic = Tactic.objects.filter(agency=row.agency, pk=press.tactic_id).first()
    if tactic is None:
        raise MissionsError(
            _("There is no such tactic."), next_step=_("open the page again and choose another.")
        )
    made_later = TacticUse.objects.filter(engagement=visit, tactic=tactic, used_at__gt=row.at)
    # What somebody ticked after this press was taken back stays ticked.
    if not press.is_used and made_later.exists():
        return
    tactic_use_record(engagement=visit, tactic=tactic, is_used=press.is_used, officer=row.officer, at=row.at)
