"""What a command that cannot go on says: what is wrong and what to do, never a stack trace."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import OperationalError, ProgrammingError

from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError


def failing(error: Exception) -> MissionsCommand:
    class Command(MissionsCommand):
        def work(self, **options: object) -> None:
            raise error

    return Command()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MissionsError("No grid.", next_step="build one."), "build one"),
        (ValidationError({"slug": ["Already taken."]}), "slug: Already taken."),
        (OperationalError("no such table: agencies_agency"), "manage.py migrate"),
        (ProgrammingError('relation "agencies_agency" does not exist'), "manage.py migrate"),
    ],
)
def test_an_error_that_somebody_can_mend_names_the_next_step(error: Exception, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command(failing(error))


def test_any_other_fault_of_the_database_is_not_explained_away() -> None:
    with pytest.raises(OperationalError, match="disk I/O error"):
        call_command(failing(OperationalError("disk I/O error")))
