"""How the agency administrator steers patrols: policy, suppressions, plans, and what was done."""

from patrols.admin import plans, policies, records, setup

__all__ = ["plans", "policies", "records", "setup"]
