"""The forecast's reasons, written beside the missions that it led to."""

from collections import defaultdict

from django.utils import timezone

from agencies.models import CrimeType
from forecasting.engine.grid import GridSpec
from forecasting.selectors import why_here_many
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress, no_progress
from patrols.models import Mission, MissionPlan
from patrols.selectors import mission_why


def plan_reasons_write(*, plan: MissionPlan, progress: Progress | None = None) -> int:
    """Write why the forecast rates each drawn mission's box as it does, and return how many were written.

    All missions are explained together: one walk through the history, about 15 queries. Raises ``MissionsError`` where
    the forecast's models cannot be read; the missions then stay without reasons, and the drawer says why.
    """
    say = progress or no_progress
    run, grid = plan.forecast_run, plan.grid
    if run is None or grid is None:
        raise MissionsError("This plan is not drawn yet.", next_step="wait for it, or plan again.")
    missions = list(
        Mission.objects.filter(plan=plan, source=Mission.Source.DRAWN).select_related("crime_type")
    )
    # Marked at the start: reasons that cannot be given are not tried again each minute.
    MissionPlan.objects.filter(pk=plan.pk).update(reasons_at=timezone.now())
    say(0, 2, "Working out reasons")
    found = GridSpec.from_bytes(bytes(grid.spec)).index_of([row.cell_id for row in missions])
    position = dict(zip((row.pk for row in missions), found.tolist(), strict=True))
    wanted: dict[CrimeType, list[int]] = defaultdict(list)
    for row in missions:
        wanted[row.crime_type].append(position[row.pk])
    why = why_here_many(run, wanted)
    say(1, 2, "Storing reasons")
    for row in missions:
        told = why[row.crime_type][position[row.pk]]
        row.why = mission_why(told)
    Mission.objects.bulk_update(missions, ["why"], batch_size=500)
    say(2, 2, "Done")
    return len(missions)
