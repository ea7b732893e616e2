"""What a person says a code means, from the data page."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from agencies.models import CrimeType, User
from agencies.services import audit_record
from ingestion.models import Feed, ImportRun, OffenceCode
from ingestion.selectors.unmapped import WAITING_CODES
from ingestion.services.quarantine import REPLAY, quarantine_replay_queue
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus

IGNORE = "-"
"""The choice "count rows with this code and never store them"."""


def offence_code_choose(
    *, feed: Feed, code: str, choice: str, description: str = "", written_reason: str = "", actor: User
) -> OffenceCode:
    """Map a code to a crime type (by slug), or ignore it ("-"); the choice is audited.

    Raises ``MissionsError`` with the policy's own words where it refuses; nothing is changed then.
    """
    crime_type = CrimeType.objects.filter(agency=feed.agency, slug=choice).first()
    if not code or (crime_type is None and choice != IGNORE):
        raise MissionsError(
            _("Nothing was chosen for the code."),
            next_step=_("choose one of the agency's crime types, or “ignore”."),
        )
    with transaction.atomic():
        entry = OffenceCode.objects.filter(feed=feed, code=code).first()
        entry = entry or OffenceCode(agency=feed.agency, feed=feed, code=code)
        before = [entry.crime_type.slug if entry.crime_type else "", entry.is_ignored]
        entry.description = entry.description or description[:200]
        entry.crime_type, entry.is_ignored = crime_type, crime_type is None
        entry.written_reason = written_reason.strip() or entry.written_reason
        try:
            entry.full_clean(exclude=["agency", "feed"])
        except ValidationError as exc:
            raise MissionsError(
                _("Code “%(code)s” was not mapped. %(messages)s")
                % {"code": code, "messages": " ".join(exc.messages)},
                next_step=_("choose another crime type, write the reason, or ignore the code."),
            ) from exc
        entry.save()
        audit_record(
            agency=feed.agency,
            actor=actor,
            action="offencecode.chosen",
            subject=f"{feed.slug}: {entry}",
            detail={
                "before": before,
                "crime_type": crime_type.slug if crime_type else "",
                "is_ignored": entry.is_ignored,
                "reason": entry.written_reason,
            },
            row=entry,
        )
    return entry


def unmapped_replay_queue(*, feed: Feed, requested_by: User) -> ImportRun | None:
    """Have the rows that wait for a mapping read again; None where a replay of them waits already: it will see today's codes."""
    for run in ImportRun.objects.filter(feed=feed, status=RunStatus.QUEUED):
        wanted = run.config_snapshot.get("codes")
        if run.config_snapshot.get(REPLAY) and (not wanted or set(WAITING_CODES) <= set(wanted)):
            return None
    return quarantine_replay_queue(feed=feed, codes=WAITING_CODES, requested_by=requested_by)
