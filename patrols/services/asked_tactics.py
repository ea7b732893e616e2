"""The tactic that a person asks for by name; whether there is one of that name is known to the room of tactics alone."""

from agencies.models import Agency
from patrols.signals import tactic_asked


def tactic_check(*, agency: Agency, slug: str) -> None:
    """Refuse a name that the agency's catalogue does not have. Raises ``MissionsError``. One query, none for an empty name."""
    if slug:
        tactic_asked.send(sender=Agency, agency=agency, slug=slug)
