"""Answering for a drift alarm: who looked at it, when, and why the model stays in service."""

import datetime as dt

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import User
from agencies.services import audit_record
from forecasting.models import DriftAcknowledgement, ModelVersion
from forecasting.selectors.drift import drift_of
from missions_project.lib.errors import MissionsError

LOOK_AGAIN = gettext_lazy("look at the weeks again, then decide.")


def drift_acknowledge(
    *, version: ModelVersion, rule: str, through_week: dt.date | None, reason: str, actor: User | None
) -> DriftAcknowledgement:
    """Answer for an alarm as the person saw it: its rule, and the newest week that stood on the page.

    The alarm is shown as acknowledged until weeks after that one raise it anew. The audit log keeps who, when and why.
    Raises ``MissionsError``, and changes nothing, without a reason, where no such alarm is open, or where a newer week
    has settled since the page was opened.
    """
    if not reason.strip():
        raise MissionsError(
            _("An acknowledgement needs its reason."), next_step=_("write one sentence, then acknowledge.")
        )
    with transaction.atomic():
        # One answer at a time: two would each see the alarm open.
        ModelVersion.objects.select_for_update().only("pk").get(pk=version.pk)
        alarm = next((row for row in drift_of(version).open_alarms if row.rule == rule), None)
        if alarm is None:
            raise MissionsError(
                _("%(version)s has no open alarm of this kind.") % {"version": version},
                next_step=str(LOOK_AGAIN),
            )
        if alarm.through_week != through_week:
            raise MissionsError(
                _("A newer week has settled since you opened the page."), next_step=str(LOOK_AGAIN)
            )
        row = DriftAcknowledgement(
            agency_id=version.agency_id,
            version=version,
            rule=rule,
            through_week=alarm.through_week,
            alarm=alarm.text[:300],
            reason=reason.strip()[:500],
            actor=actor,
            at=timezone.now(),
        )
        row.full_clean()
        row.save()
        audit_record(
            agency=version.agency,
            actor=actor,
            action="modelversion.drift_acknowledged",
            subject=version,
            detail={
                "id": version.pk,
                "rule": rule,
                "alarm": alarm.text,
                "through_week": alarm.through_week.isoformat(),
                "note": row.reason,
            },
        )
    return row
