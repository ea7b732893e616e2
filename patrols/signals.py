"""What later rooms may listen to without this one knowing them."""

from django.dispatch import Signal

plan_made = Signal()
"""Sent inside the transaction that writes a plan's missions: ``plan_id``. The sender is ``MissionPlan``.

What a receiver writes stands or falls with the missions; what it raises undoes them.
"""
