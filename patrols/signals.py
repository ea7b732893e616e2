"""What later rooms may listen to without this one knowing them."""

from django.dispatch import Signal

plan_made = Signal()
"""Sent inside the transaction that writes a plan's missions: ``plan_id``. The sender is ``MissionPlan``.

What a receiver writes stands or falls with the missions; what it raises undoes them.
"""

tactic_asked = Signal()
"""Sent before a tactic's slug is kept with what a person adds: ``agency``, ``slug``. The sender is ``Agency``.

A receiver raises ``MissionsError`` where the agency has no tactic of that name; nothing is kept then.
"""
