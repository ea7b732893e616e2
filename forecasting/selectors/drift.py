"""Reading how the models in service have done since: the weeks, their limits, and the alarms."""

import datetime as dt
from dataclasses import dataclass, replace
from math import ceil
from zoneinfo import ZoneInfo

import numpy as np
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from agencies.models import Agency
from forecasting.engine import drift as engine
from forecasting.models import DriftAcknowledgement, ModelPolicy, ModelVersion, ModelWeek
from forecasting.selectors.governance import model_policy


@dataclass(frozen=True)
class DriftWeek:
    """One week: ``low`` to ``high`` holds 95 % of the weeks of a sound model; ``skill`` in nats per crime.

    ``settled`` False: reports still come in, so the week never raises the alarm.
    """

    week_from: dt.date
    n_shifts: int
    expected: float
    observed: int
    low: int
    high: int
    skill: float | None
    settled: bool

    @property
    def is_outside(self) -> bool:
        return self.settled and not self.low <= self.observed <= self.high


@dataclass(frozen=True)
class DriftAlarm:
    """An alarm: the rule, the weeks that led to it, and one sentence with its numbers.

    ``through_week`` is the newest settled week. ``acknowledged`` tells who answered for it: no week since raises it anew.
    """

    rule: str
    week_from: dt.date
    text: str
    through_week: dt.date
    acknowledged: DriftAcknowledgement | None = None

    @property
    def is_open(self) -> bool:
        return self.acknowledged is None


@dataclass(frozen=True)
class Drift:
    """All weeks of one version, oldest first, and its alarms."""

    weeks: tuple[DriftWeek, ...]
    alarms: tuple[DriftAlarm, ...]
    limits: engine.Limits
    settle_days: int

    @property
    def n_settled(self) -> int:
        return sum(week.settled for week in self.weeks)

    @property
    def ratio(self) -> float | None:
        """Expected over observed in all settled weeks; None where nothing was observed."""
        observed = sum(week.observed for week in self.weeks if week.settled)
        return sum(week.expected for week in self.weeks if week.settled) / observed if observed else None

    @property
    def open_alarms(self) -> tuple[DriftAlarm, ...]:
        """The alarms for which nobody has answered yet."""
        return tuple(alarm for alarm in self.alarms if alarm.is_open)


def drift_of(
    version: ModelVersion, *, policy: ModelPolicy | None = None, now: dt.datetime | None = None
) -> Drift:
    """Return what became of one version's forecasts. Three queries, one less where no week is measured."""
    rows = list(ModelWeek.objects.filter(version=version).order_by("week_from"))
    answers = _answers([version] if rows else []).get(version.pk, {})
    return _drift(version, rows, answers, policy or model_policy(version.agency), now or timezone.now())


def live_alarms(agency: Agency, *, now: dt.datetime | None = None) -> dict[int, tuple[DriftAlarm, ...]]:
    """Return the alarms of the agency's live models, by version id; those without are left out. Four queries."""
    live = ModelVersion.objects.live().filter(agency=agency).select_related("agency").defer("summary")
    return alarms_of(list(live), now=now)


def alarms_of(
    versions: list[ModelVersion], *, now: dt.datetime | None = None
) -> dict[int, tuple[DriftAlarm, ...]]:
    """Return the alarms of these versions (read with their agencies), by id; those without are left out. Three queries."""
    by_version: dict[int, list[ModelWeek]] = {}
    for week in ModelWeek.objects.filter(version__in=versions).order_by("week_from"):
        by_version.setdefault(week.version_id, []).append(week)
    measured = [row for row in versions if row.pk in by_version]
    policies = {
        row.agency_id: row for row in ModelPolicy.objects.filter(agency__in={v.agency_id for v in measured})
    }
    now, answers = now or timezone.now(), _answers(measured)
    found = {}
    for row in measured:
        policy = policies.get(row.agency_id) or ModelPolicy(agency=row.agency)
        if alarms := _drift(row, by_version[row.pk], answers.get(row.pk, {}), policy, now).alarms:
            found[row.pk] = alarms
    return found


Answers = dict[str, DriftAcknowledgement]


def _answers(versions: list[ModelVersion]) -> dict[int, Answers]:
    """The newest acknowledgement of each rule, by version id. One query, none without a version."""
    found: dict[int, Answers] = {}
    if versions:
        rows = DriftAcknowledgement.objects.filter(version__in=versions).select_related("actor")
        for row in rows.order_by("through_week"):
            found.setdefault(row.version_id, {})[row.rule] = row
    return found


def _drift(
    version: ModelVersion, rows: list[ModelWeek], answers: Answers, policy: ModelPolicy, now: dt.datetime
) -> Drift:
    limits = engine.Limits(
        departure=policy.departure_percent / 100,
        tolerated=policy.tolerated_percent / 100,
        false_alarms=policy.false_alarm_percent / 100,
        dispersion=float(np.clip(version.dispersion, engine.MIN_DISPERSION, engine.MAX_DISPERSION)),
    )
    today = now.astimezone(ZoneInfo(version.agency.time_zone)).date()
    settle = dt.timedelta(days=7 + policy.settle_days)
    expected = np.array([row.expected for row in rows])
    # Weeks that vary more than chance have wider limits: counts over the dispersion are about Poisson.
    low, high = (limits.dispersion * end for end in engine.poisson_limits(expected / limits.dispersion, 0.95))
    weeks = tuple(
        DriftWeek(
            week_from=row.week_from,
            n_shifts=row.n_shifts,
            expected=row.expected,
            observed=row.observed,
            low=int(low[number]),
            high=ceil(high[number]),
            skill=_skill(row),
            settled=row.week_from + settle <= today,
        )
        for number, row in enumerate(rows)
    )
    settled = [number for number, week in enumerate(weeks) if week.settled]
    found = _alarms([rows[number] for number in settled], version, answers, limits)
    return Drift(weeks, found, limits, policy.settle_days)


def _gain(row: ModelWeek) -> float:
    """Nats by which the model beat the plain count in this week; NaN where there is nothing to compare with."""
    return float("nan") if row.baseline_log_score is None else row.log_score - row.baseline_log_score


def _skill(row: ModelWeek) -> float | None:
    return None if row.baseline_log_score is None or not row.observed else _gain(row) / row.observed


def _alarms(
    rows: list[ModelWeek], version: ModelVersion, answers: Answers, limits: engine.Limits
) -> tuple[DriftAlarm, ...]:
    after = {
        rule: sum(row.week_from <= answer.through_week for row in rows) for rule, answer in answers.items()
    }
    new = _raised(rows, version, limits, after)
    raised = {alarm.rule for alarm in new}
    old = [
        replace(alarm, acknowledged=answer)
        for rule, answer in answers.items()
        if rule not in raised
        # As the weeks up to the answer tell it now: reports that came since may have taken the alarm away.
        for alarm in _raised(rows[: after[rule]], version, limits, {})
        if alarm.rule == rule
    ]
    return (*new, *old)


def _raised(
    rows: list[ModelWeek], version: ModelVersion, limits: engine.Limits, after: dict[str, int]
) -> list[DriftAlarm]:
    expected, observed = (
        np.array([getattr(row, name) for row in rows], float) for name in ("expected", "observed")
    )
    gain = None if version.is_baseline else np.array([_gain(row) for row in rows])
    found, sums = engine.alarms(expected, observed, gain, limits, after)
    out = []
    for alarm in found:
        zero = np.flatnonzero(sums[alarm.rule][: alarm.week] <= 0)
        part = rows[int(zero[-1]) + 1 if len(zero) else 0 : alarm.week + 1]
        text = _sentence(alarm.rule, part)
        out.append(DriftAlarm(alarm.rule, rows[alarm.week].week_from, text, rows[-1].week_from))
    return out


def _sentence(rule: str, part: list[ModelWeek]) -> str:
    first, last = part[0].week_from, part[-1].week_from
    when = (
        _("in the week of %(day)s") % {"day": _day(first)}
        if first == last
        else _("in the weeks of %(day)s to %(day_2)s") % {"day": _day(first), "day_2": _day(last)}
    )
    observed, expected = sum(row.observed for row in part), sum(row.expected for row in part)
    if rule == "skill":
        lost = -sum(_gain(row) for row in part if row.baseline_log_score is not None)
        return _(
            "The best plain count forecast better: by %(lost)s nats over %(observed)s crimes %(when)s."
        ) % {"lost": f"{lost:.1f}", "observed": observed, "when": when}
    words = (
        _("More than expected: %(observed)s where %(expected)s were expected %(when)s.")
        if rule == "more"
        else _("Fewer than expected: %(observed)s where %(expected)s were expected %(when)s.")
    )
    return words % {
        "observed": observed,
        "expected": f"{expected:.1f}",
        "when": when,
    }


def _day(on: dt.date) -> str:
    return date_format(on, "j M Y")
