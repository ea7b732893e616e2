"""When models are trained anew: every so many days, at a time of day by the agency's own clock."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from agencies.engine.shift_clock import shift_instance


@dataclass(frozen=True)
class Schedule:
    """Every ``every_days`` days at ``at`` on the wall clock of ``zone``; 0 days means never."""

    every_days: int
    at: time
    zone: str

    def instant(self, on: date) -> datetime:
        """The instant (aware, UTC) of this local date: where the wall time happens twice the first, where it is skipped
        the first moment after.

        >>> Schedule(7, time(2, 30), "America/Chicago").instant(date(2026, 3, 8)).isoformat()
        '2026-03-08T08:00:00+00:00'
        """
        return shift_instance(self.at, 0, on, self.zone)[0]

    def local_date(self, instant: datetime) -> date:
        return instant.astimezone(ZoneInfo(self.zone)).date()

    def latest_due(self, last: date, now: datetime) -> datetime | None:
        """The newest due instant up to ``now``, counted in steps from the local date of the last training; None if none is.

        Only the newest: of many that were missed one is caught up. Counting from the date and not from the instant keeps
        the weekday, however late a training began.
        """
        steps = self._steps(last, now)
        return self.instant(last + timedelta(days=steps * self.every_days)) if steps > 0 else None

    def next_after(self, last: date, now: datetime) -> datetime | None:
        """The first due instant after ``now``; None where the schedule is off."""
        if not self.every_days:
            return None
        return self.instant(last + timedelta(days=(max(self._steps(last, now), 0) + 1) * self.every_days))

    def _steps(self, last: date, now: datetime) -> int:
        """How many whole steps lie between the last training and now."""
        if not self.every_days:
            return 0
        steps = (self.local_date(now) - last).days // self.every_days
        # Today is the day, but not yet the time.
        if steps > 0 and self.instant(last + timedelta(days=steps * self.every_days)) > now:
            steps -= 1
        return steps
