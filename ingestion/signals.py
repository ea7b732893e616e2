"""What later rooms may listen to without this one knowing them."""

from django.dispatch import Signal

facts_pushed = Signal()
"""Sent after a push that changed something was stored: ``agency_id``, ``record_kind``. The sender is ``Feed``."""
