"""When a shift really starts and ends: a wall-clock start, an elapsed length, whatever the clocks do that night."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def shift_instance(
    start_time: time, duration_minutes: int, on: date, zone: ZoneInfo
) -> tuple[datetime, datetime]:
    """Return the instants (aware, UTC) between which the shift that starts on this local date runs.

    A start that happens twice (autumn) is the first one; one that does not exist (spring) is the first moment
    after the gap. The length is elapsed time: an eight-hour shift lasts eight hours on a 25-hour day too.
    """
    naive = datetime.combine(on, start_time)
    start = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if start.astimezone(zone).replace(tzinfo=None) != naive:
        # In the gap: fold 0 lands before or after it depending on the rule; the moment of change is meant.
        before = naive.replace(tzinfo=zone, fold=1).astimezone(UTC)
        start = max(start, before) - (max(start, before) - min(start, before))
        while start.astimezone(zone).replace(tzinfo=None) < naive:
            start += timedelta(minutes=1)
    return start, start + timedelta(minutes=duration_minutes)
