"""What of this room is an agency's configuration: when models are trained and who lets them go live."""

from agencies.configuration import Section, register
from forecasting.models import ModelPolicy


def register_own() -> None:
    """Tell the register about this room's tables."""
    register(
        Section(
            "model_policy",
            ModelPolicy,
            (),
            (
                *("go_live", "refit_days", "refit_time", "settle_days", "departure_percent"),
                *("tolerated_percent", "false_alarm_percent"),
            ),
            order=30,
            left_out={"drift_measured_at": "the installation's own state"},
        ),
    )
