"""Errors that a person can act on."""

from django.utils.translation import gettext as _


class MissionsError(Exception):
    """Something went wrong that the person in front of it can mend.

    ``message`` says what happened and what was kept; ``next_step`` says what to do. Interfaces show both
    and never a stack trace.
    """

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(
            _("%(message)s Next step: %(next_step)s") % {"message": message, "next_step": next_step}
        )
        self.message = message
        self.next_step = next_step
