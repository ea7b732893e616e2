"""Telling open boards that there is something new."""

from django.db import transaction

from ingestion.live_views import live_nudge


def boards_nudge(agency_id: int) -> None:
    """Have open boards of the agency look anew, once what was written is written for good."""
    transaction.on_commit(lambda: live_nudge(agency_id))
