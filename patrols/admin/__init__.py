"""How the agency administrator steers patrols: policy, suppressions, plans, and what was done."""

from patrols.admin import (
    additions,
    dashboard,
    plans,
    policies,
    records,
    schedules,
    setup,
    shift_changes,
    weight_changes,
)

__all__ = [
    "additions",
    "dashboard",
    "plans",
    "policies",
    "records",
    "schedules",
    "setup",
    "shift_changes",
    "weight_changes",
]
