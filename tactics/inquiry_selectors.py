"""Reading questions that were asked of the history, and their answers."""

from collections.abc import Mapping
from typing import Any

from agencies.models import Agency
from missions_project.lib.runs import RunStatus
from tactics.models import Inquiry


def inquiry_for(
    agency: Agency, kind: str, choices: Mapping[str, Any]
) -> tuple[Inquiry | None, Inquiry | None]:
    """Return the newest answered question with these choices, and the newest one whatever became of it. Two queries."""
    mark = Inquiry.mark_of(choices)
    rows = Inquiry.objects.filter(agency=agency, kind=kind, choices_hash=mark).select_related("requested_by")
    return rows.filter(status=RunStatus.SUCCEEDED).first(), rows.defer("answer").first()
