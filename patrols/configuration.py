"""What of this room is an agency's configuration: how missions are allocated, and when shifts are planned."""

from agencies.configuration import Section, register
from patrols.models import PatrolPolicy, PlanSchedule


def register_own() -> None:
    """Tell the register about this room's tables."""
    register(
        Section(
            "patrol_policies",
            PatrolPolicy,
            ("name",),
            (
                *("is_active", "gamma", "exploration", "cap_max", "visits_per_cell", "min_spacing_minutes"),
                *(
                    "travel_minutes",
                    "dose_min_minutes",
                    "dose_max_minutes",
                    "cooldown_days",
                    "cooldown_factor",
                ),
                *(
                    "saturation_window_days",
                    "saturation_soft_minutes",
                    "saturation_hard_minutes",
                    "unstaffed",
                ),
                *("replans_max", "replan_missions_max", "replans_on_gunfire"),
            ),
            order=40,
        ),
        Section(
            "plan_schedules",
            PlanSchedule,
            ("shift",),
            ("is_on", "lead_minutes", "refresh_minutes", "publishes"),
            order=41,
            switch="is_on",
        ),
    )
