"""Proof that a plan is what its seed gave: drawn again, and compared with the missions that officers saw."""

import datetime as dt
import hashlib
from collections.abc import Mapping

import numpy as np
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from agencies.models import Agency
from forecasting.engine.grid import GridSpec
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.engine.design import Floats
from patrols.engine.plan import replay
from patrols.models import Mission, MissionPlan
from patrols.selectors import plan_draw_of

REPLAY_VERSION = "1"
"""Raised whenever ``patrols.engine.replay`` checks something else: every plan is then drawn again once."""


def replay_mark(*, plan_id: int, seed: int, design_hash: str, design: bytes) -> str:
    """The mark of a plan that was drawn again and found as stored: 64 hex digits. No query.

    Signed with the installation's secret key, so that whoever can only write to the database cannot make one; anything of
    the plan that changes, changes it.
    """
    content = hashlib.sha256(design).hexdigest()
    text = f"{REPLAY_VERSION}|{plan_id}|{seed}|{design_hash}|{content}"
    return salted_hmac("patrols.replays", text, algorithm="sha256").hexdigest()


def replay_marks_keep(agency: Agency, marks: Mapping[int, str]) -> None:
    """Keep the marks of plans that were just drawn again, by plan. One query; none without marks."""
    now = timezone.now()
    plans = [MissionPlan(pk=pk, replay_mark=mark, replayed_at=now) for pk, mark in marks.items()]
    if plans:
        MissionPlan.objects.filter(agency=agency).bulk_update(plans, ["replay_mark", "replayed_at"])


def plan_differences(plan: MissionPlan) -> list[str]:
    """Return where a plan is not what its stored design and seed give, in words; empty when it is. Two queries.

    Compares draw, start times, doses and probabilities, the seed and digest kept in the plan's row, and the drawn
    missions: cell, start times, dose and probability. Raises ``MissionsError`` for a plan that never finished.
    """
    if plan.status != RunStatus.SUCCEEDED or plan.grid is None:
        raise MissionsError(
            _("This plan was never finished: there is nothing to draw again."),
            next_step=_("choose a finished plan."),
        )
    result = replay(bytes(plan.design), seed=plan.seed, digest=plan.design_hash)
    if not result:
        return list(result.differences)
    draw, spec = plan_draw_of(plan), GridSpec.from_bytes(bytes(plan.grid.spec))
    rows = draw.drawn_rows
    drawn = {
        cell: (dose, pi, _instants(plan, minutes))
        for cell, dose, pi, minutes in zip(
            spec.cells[draw.cell[rows]].tolist(),
            draw.dose_minutes[rows].tolist(),
            draw.pi[rows].tolist(),
            draw.visit_start_minutes[rows],
            strict=True,
        )
    }
    missions = Mission.objects.filter(plan=plan, source=Mission.Source.DRAWN)
    stored = {m.cell_id: (m.number, m.dose_minutes, m.probability, list(m.visit_starts)) for m in missions}
    found = [
        f"Cell {cell} was drawn, but there is no mission." for cell in sorted(drawn.keys() - stored.keys())
    ]
    for cell, (number, dose, pi, starts) in sorted(stored.items()):
        if cell not in drawn:
            found.append(f"Mission {number} stands as drawn, but its cell {cell} was not.")
        elif (dose, pi, starts) != drawn[cell]:
            found.append(f"Mission {number}: times, minutes or probability are not those that were drawn.")
    return found


def _instants(plan: MissionPlan, minutes: Floats) -> list[str]:
    return [
        (plan.period_from + dt.timedelta(minutes=int(at))).isoformat() for at in minutes if not np.isnan(at)
    ]
