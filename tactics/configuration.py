"""What of this room is an agency's configuration: tactics, when they are recommended, the officer's page."""

from agencies.configuration import Section, register
from tactics.models import (
    OfficerPageSettings,
    ReportPolicy,
    Tactic,
    TacticPolicy,
    TacticRule,
    TransparencyPolicy,
)


def register_own() -> None:
    """Tell the register about this room's tables."""
    register(
        Section(
            "tactics",
            Tactic,
            ("slug",),
            (
                *(
                    "name",
                    "steps",
                    "evidence_note",
                    "evidence_source",
                    "evidence_effect",
                    "evidence_strength",
                ),
                *("places", "hours_from", "hours_to", "community_note", "is_enforcement", "is_active"),
            ),
            order=50,
        ),
        Section(
            "tactic_rules",
            TacticRule,
            ("crime_type", "tactic", "shift", "context"),
            ("preference",),
            order=51,
        ),
        Section(
            "tactic_policies",
            TacticPolicy,
            ("name",),
            (
                *("is_active", "method", "floor", "drawn_among", "batch_days", "window_hours", "settle_days"),
                "prior_crimes",
            ),
            order=52,
        ),
        Section("officer_page", OfficerPageSettings, (), ("near_me",), order=53),
        Section("report_policy", ReportPolicy, (), ("unit_activity",), order=54, switch="unit_activity"),
        Section(
            "transparency_policy",
            TransparencyPolicy,
            (),
            ("disparity_threshold", "is_public"),
            order=55,
            switch="is_public",
        ),
    )
