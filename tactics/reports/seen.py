"""Who looked at figures about people is written down: a report on one's colleagues is nobody's secret reading."""

import hashlib

from django.core.cache import cache

from agencies.access import Access
from agencies.services import audit_record
from tactics.reports.asked import Asked
from tactics.reports.kinds import ReportKind

SEEN, MAILED = "personal report seen", "personal report mailed"
ONCE_S = 60
"""A page, its charts and its files ask for the same within moments: one line for all of them."""


def personal_report_seen(kind: ReportKind, asked: Asked, access: Access, *, action: str = SEEN) -> None:
    """Write into the audit log who sees whose figures, before they do. Three queries; none for reports about places.

    ``asked`` is what the person gets: narrowed to their own unit or districts.
    """
    if not kind.is_personal:
        return
    question = hashlib.sha256(f"{action} {asked.query} {asked.whose}".encode()).hexdigest()[:32]
    key = f"report-seen:{access.agency.pk}:{access.user.pk}:{kind.slug}:{question}"
    if cache.get(key):
        return
    whose = asked.whose
    audit_record(
        agency=access.agency,
        actor=access.user,
        action=action,
        subject=f"{kind.slug}, {asked.first} to {asked.last}",
        detail={
            "report": kind.slug,
            "asked": asked.query,
            "unit": whose.unit if whose else None,
            "districts": list(whose.districts) if whose else [],
        },
    )
    # After the row: a log that could not be written must not pass for one that was.
    cache.set(key, 1, ONCE_S)
