"""What the tour's pictures need of the past and the demo does not hold: some evenings that were carried out, a pack that was published."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

HERE, PAST = "riverton", "riverton-study"
EVENINGS = 4
CARRIED_OUT = 0.8
"""Share of the evenings' visits that were made: the rest is missed, as on real evenings."""
ANSWER = (
    "Every beat has a car of its own, quiet ones too: per crime they get more of it. We keep that, because people there wait "
    "longest for help, and look at it again with the next pack."
)


def past_ensure() -> None:
    """Make both where they are not there yet; the second time nothing. Needs ``manage.py demo`` and ``manage.py demo_history``."""
    evenings_ensure()
    pack_ensure()


def told_of_the_past() -> dict[str, str]:
    """What addresses name: the last four weeks with plans in the made-up history, the days of the evenings, the published pack."""
    from patrols.models import Engagement, MissionPlan
    from tactics.models import TransparencyPack

    last = MissionPlan.objects.filter(agency__slug=PAST).latest("on").on
    visited = Engagement.objects.filter(agency__slug=HERE).order_by("mission__plan__on")
    days = visited.values_list("mission__plan__on", flat=True)
    state = TransparencyPack.State.PUBLISHED
    pack = TransparencyPack.objects.filter(agency__slug=PAST, state=state).latest("number")
    return {
        "first": str(last - dt.timedelta(days=27)), "last": str(last), "pack": str(pack.number),
        "begun": str(days[0]), "ended": str(days.reverse()[0]),
    }  # fmt: skip


def evenings_ensure() -> None:
    """Evenings of the last days in the demo city: forecast, planned, published, carried out by the beats' units, tactics ticked."""
    from django.utils import timezone

    from agencies.models import Agency, Shift, Unit, User
    from forecasting.services import forecast_run, forecast_run_queue
    from patrols.models import Engagement, PresenceAccount
    from patrols.services import plan_missions, plan_publish, plan_queue, presence_count, presence_due
    from tactics.models import ReportPolicy

    agency = Agency.objects.get(slug=HERE)
    ReportPolicy.objects.update_or_create(agency=agency, defaults={"unit_activity": True})
    if Engagement.objects.filter(agency=agency).exists():
        return
    supervisor, officer = (User.objects.get(username=name) for name in ("supervisor", "officer"))
    shift = Shift.objects.filter(agency=agency).latest("starts_at")
    units: dict[int, list[Any]] = {}
    for unit in Unit.objects.filter(agency=agency, is_active=True).order_by("call_sign"):
        units.setdefault(unit.beat_id or 0, []).append(unit)
    rng = np.random.default_rng(4)
    for back in range(EVENINGS + 1, 1, -1):
        on = timezone.localdate() - dt.timedelta(days=back)
        forecast_run(run=forecast_run_queue(agency=agency, shift=shift, on=on))
        plan = plan_queue(agency=agency, shift=shift, on=on, seed=on.toordinal())
        plan = plan_publish(plan=plan_missions(plan=plan), actor=supervisor)
        for mission in plan.missions.select_related("beat", "plan", "crime_type"):
            if rng.random() < CARRIED_OUT and mission.beat_id in units:
                _visit(
                    mission,
                    units[mission.beat_id][mission.number % len(units[mission.beat_id])],
                    officer,
                    rng,
                )
    # As a worker does each minute: what was delivered, from all records.
    for key in presence_due(now=timezone.now()):
        presence_count(account=PresenceAccount.objects.get(pk=key))


def _visit(mission: Any, unit: Any, officer: Any, rng: np.random.Generator) -> None:
    from patrols.models import Engagement
    from patrols.services import engagement_record
    from tactics.selectors import recommended_tactics
    from tactics.services import tactic_use_record

    arrived = mission.starts_at + dt.timedelta(minutes=float(rng.uniform(0, 6)))
    left = arrived + dt.timedelta(minutes=max(4.0, float(rng.normal(mission.dose_minutes, 2))))
    visit = engagement_record(
        mission=mission,
        unit=unit,
        officer=officer,
        arrived_at=arrived,
        left_at=left,
        source=Engagement.Source.TIMER,
    )
    suited = recommended_tactics(mission)
    if suited and rng.random() < CARRIED_OUT:
        tactic = suited[int(rng.integers(min(3, len(suited))))].tactic
        tactic_use_record(engagement=visit, tactic=tactic, is_used=True, officer=officer, at=left)


def pack_ensure() -> None:
    """A public pack of the made-up history, made and published by its administrator, with one of its findings answered."""
    from agencies.models import Agency, User
    from patrols.models import MissionPlan
    from tactics.models import TransparencyPack, TransparencyPolicy
    from tactics.transparency.services import finding_answer, pack_make, pack_publish, pack_queue

    agency = Agency.objects.get(slug=PAST)
    if TransparencyPack.objects.filter(agency=agency, state=TransparencyPack.State.PUBLISHED).exists():
        return
    admin = User.objects.get(username="admin")
    TransparencyPolicy.objects.update_or_create(agency=agency, defaults={"is_public": True})
    last = MissionPlan.objects.filter(agency=agency).latest("on").on
    pack = pack_queue(agency=agency, first=last - dt.timedelta(days=90), last=last, requested_by=admin)
    pack = pack_publish(pack=pack_make(pack=pack), actor=admin)
    for finding in pack.findings.filter(answer="")[:1]:
        finding_answer(finding=finding, actor=admin, answer=ANSWER)
