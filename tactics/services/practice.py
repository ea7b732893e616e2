"""Writing practice: presses of a made-up shift, kept in one row and nowhere else."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from agencies.models import Agency, Unit, User
from missions_project.lib.errors import MissionsError
from tactics.models import OfficerAction, PracticeShift
from tactics.services.notes import text_about_a_place
from tactics.services.sync import FUTURE_TOLERANCE, Outcome, Press

MISSIONS = 3
LOG_MAX = 300
Kind = OfficerAction.Kind


def practice_start(
    *, agency: Agency, officer: User, unit: Unit | None, at: dt.datetime, again: bool = False
) -> PracticeShift:
    """Return the person's made-up shift, begun now where there is none, it is from another day, or ``again`` is asked for."""
    practice, made = PracticeShift.objects.get_or_create(
        agency=agency, officer=officer, defaults={"unit": unit, "started_at": at}
    )
    is_old = at - practice.started_at > dt.timedelta(hours=8)
    if not made and (again or is_old or practice.unit_id != (unit.pk if unit else None)):
        practice.unit, practice.started_at, practice.log = unit, at, []
        practice.save()
    return practice


@transaction.atomic
def practice_apply(*, practice: PracticeShift, presses: Sequence[Press], now: dt.datetime) -> list[Outcome]:
    """Apply presses to the made-up shift by the same rules as in a real one: once each, in order, screened."""
    practice = PracticeShift.objects.select_for_update().get(pk=practice.pk)
    log: list[dict[str, Any]] = practice.log
    told = []
    for press in presses:
        if any(row["uuid"] == str(press.uuid) for row in log):
            told.append(Outcome(str(press.uuid), "again"))
            continue
        try:
            log.append(_row(press, log, now))
            told.append(Outcome(str(press.uuid), "done"))
        except MissionsError as exc:
            told.append(Outcome(str(press.uuid), "refused", str(exc)))
    practice.log = log[-LOG_MAX:]
    practice.save(update_fields=["log"])
    return told


def _row(press: Press, log: list[dict[str, Any]], now: dt.datetime) -> dict[str, Any]:
    if not 1 <= press.mission_id <= MISSIONS:
        raise MissionsError(_("There is no such practice mission."), next_step=_("begin the practice again."))
    if press.at > now + FUTURE_TOLERANCE:
        raise MissionsError(_("This was pressed in the future."), next_step=_("set the phone's clock."))
    arrived = any(row["kind"] == Kind.ARRIVED and row["number"] == press.mission_id for row in log)
    if press.kind != Kind.ARRIVED and not arrived:
        raise MissionsError(_("You have not been here yet."), next_step=_("press Arrived first."))
    return {
        "uuid": str(press.uuid),
        "kind": press.kind,
        "number": press.mission_id,
        "at": min(press.at, now).isoformat(),
        "tactic": press.tactic_id,
        "used": press.is_used,
        "text": text_about_a_place(press.text) if press.kind == Kind.NOTE else "",
    }
