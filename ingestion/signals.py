"""What later rooms may listen to without this one knowing them."""

from django.dispatch import Signal

facts_stored = Signal()
"""Sent once an import, replay or push that wrote facts or positions: ``agency_id``, ``record_kind``, ``since`` (what was
written has ``imported_at`` at or after it) and ``hours``, whole hours since 1970 (UTC) in which what was written happened;
None where that is not known any more; ``hours_before``: those in which records that were changed stood before, as far as
this process changed them. The sender is ``Feed``.
"""

facts_pushed = Signal()
"""Sent after a push that changed something was stored: ``agency_id``, ``record_kind``. The sender is ``Feed``."""
