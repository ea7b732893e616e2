"""What one shift tells the next."""

import datetime as dt

from django.utils.translation import gettext as _

from agencies.models import Agency, Shift, User
from agencies.selectors import shift_instance_of
from agencies.services import audit_record
from missions_project.lib.errors import MissionsError
from patrols.models import HandOverNote
from patrols.services.live import boards_nudge


def hand_over_write(*, agency: Agency, shift: Shift, on: dt.date, text: str, actor: User) -> HandOverNote:
    """Leave a note to the next shift. What was written stays; a second note follows it.

    Raises ``MissionsError`` for an empty note or a day on which the shift does not start, ``ValidationError`` for
    one that seems to be about a person.
    """
    shift_instance_of(agency, shift, on)
    if not text.strip():
        raise MissionsError(_("The note is empty."), next_step=_("write what the next shift should know."))
    note = HandOverNote(agency=agency, shift=shift, on=on, text=text.strip(), author=actor)
    note.full_clean()
    note.save()
    audit_record(
        agency=agency,
        actor=actor,
        action="hand-over note written",
        subject=note,
        detail={"note": note.pk},
    )
    boards_nudge(agency.pk)
    return note
