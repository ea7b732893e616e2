"""Writing a few words about a place, after they were screened for persons."""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from agencies.models import User
from ingestion.engine.private_text import TextFinding, refusal, screen_text
from missions_project.lib.errors import MissionsError
from patrols.models import Engagement
from tactics.models import VisitNote
from tactics.services.uses import TICKABLE_HOURS, is_tickable

NOTE_MAX = 500


class TextRefused(MissionsError):
    """A text about a person. ``findings`` says where; the words themselves are kept nowhere."""

    def __init__(self, findings: list[TextFinding]) -> None:
        super().__init__(
            refusal(findings), next_step=_("take it out of the text, which is still in the field.")
        )
        self.findings = findings


def text_about_a_place(text: str) -> str:
    """Return the text, tidied, as it may be stored. Raises ``MissionsError`` where it is empty, too long or about a person."""
    text = " ".join(text.replace("\x00", "").split())
    if not text:
        raise MissionsError(_("There are no words in it."), next_step=_("write a few, or leave it."))
    if len(text) > NOTE_MAX:
        raise MissionsError(
            _("The text has %(count)s characters; %(note_max)s fit.")
            % {"count": len(text), "note_max": NOTE_MAX},
            next_step=_("shorten it, it is still in the field."),
        )
    if findings := screen_text(text):
        raise TextRefused(findings)
    return text


@transaction.atomic
def visit_note_record(
    *, engagement: Engagement, text: str, officer: User | None, at: dt.datetime
) -> VisitNote:
    """Keep a note about the place of a visit; the same words a second time change nothing.

    Raises ``TextRefused`` for a text about a person, ``MissionsError`` for none, a long one, or a visit that ended more than
    four hours before ``at``.
    """
    text = text_about_a_place(text)
    if not is_tickable(engagement, at):
        raise MissionsError(
            _("This visit ended more than %(tickable_hours)s hours before.")
            % {"tickable_hours": f"{TICKABLE_HOURS:g}"},
            next_step=_("tell your supervisor."),
        )
    # Two phones of one unit: the second waits here and finds the first one's row.
    Engagement.objects.select_for_update().get(pk=engagement.pk)
    if (found := VisitNote.objects.filter(engagement=engagement, text=text).first()) is not None:
        return found
    note = VisitNote(
        agency_id=engagement.agency_id, engagement=engagement, text=text, officer=officer, written_at=at
    )
    note.full_clean()
    note.save()
    return note
