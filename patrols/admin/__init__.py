"""How the agency administrator steers patrols: policy, suppressions, plans, and what was done."""

from patrols.admin import plans, policies, records, schedules, setup

__all__ = ["plans", "policies", "records", "schedules", "setup"]
