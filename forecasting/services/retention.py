"""What the forecast loses where an agency keeps its records for less time than models learn from."""

from django.utils.translation import gettext as _

from agencies.models import Agency
from forecasting.selectors.inputs import HISTORY_DAYS, TRAINING_YEARS
from ingestion.models import RecordKind

LEARNED_FROM = frozenset({RecordKind.INCIDENTS.value, RecordKind.CALLS.value, RecordKind.GUNFIRE.value})
SURROUNDINGS = frozenset({RecordKind.EVENTS.value, RecordKind.WEATHER.value})
TRAINING_DAYS = round(365.25 * TRAINING_YEARS)


def retention_notice(agency: Agency, kind: str, action: str, days: int) -> str:
    """Warn where models would no longer see what they learn from; nothing where they would. No query."""
    if kind in SURROUNDINGS and days < TRAINING_DAYS:
        return _(
            "Models learn what events and weather change from the last %(training_days)s days; after %(days)s days these are missing, and what is left of them counts as a time without any."
        ) % {"training_days": f"{TRAINING_DAYS:,}", "days": f"{days:,}"}
    if kind not in LEARNED_FROM or days >= HISTORY_DAYS:
        return ""
    if action == "coarse":
        return _(
            "Forecasts count records of the last %(history_days)s days: those older than %(days)s days will be up to 70 metres and an hour off, which moves some across the edge of a cell or shift."
        ) % {"history_days": f"{HISTORY_DAYS:,}", "days": f"{days:,}"}
    if days < TRAINING_DAYS:
        return _(
            "Models learn from the last %(training_days)s days; with deletion after %(days)s days they see less, and their forecasts, tests and impact studies get weaker. Make records coarse instead, or keep them longer."
        ) % {"training_days": f"{TRAINING_DAYS:,}", "days": f"{days:,}"}
    return _(
        "Forecasts count records of the last %(history_days)s days: those older than %(days)s days will be missing from the long-run counts."
    ) % {"history_days": f"{HISTORY_DAYS:,}", "days": f"{days:,}"}
