"""How the agency administrator steers patrols: policy, suppressions, plans, and what was done."""

from patrols.admin import additions, dashboard, plans, policies, records, schedules, setup

__all__ = ["additions", "dashboard", "plans", "policies", "records", "schedules", "setup"]
