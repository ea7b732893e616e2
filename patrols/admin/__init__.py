"""How the agency administrator steers patrols: policy, suppressions, plans, and what was done."""

from patrols.admin import additions, plans, policies, records, schedules, setup

__all__ = ["additions", "plans", "policies", "records", "schedules", "setup"]
