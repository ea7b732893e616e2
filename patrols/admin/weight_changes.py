"""What other weights would do: each type's share of harm, and which missions the next draw would tend to."""

from dataclasses import replace

import numpy as np
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from agencies import previews
from agencies.dashboards import Cell, Panel
from agencies.models import Agency, CrimeType, DistrictPriority
from forecasting.models import ForecastRun
from forecasting.selectors import expected_by_type, type_weights
from missions_project.lib.errors import MissionsError
from missions_project.lib.lazy import gettext_lazy
from patrols.engine.preview import PreviewInputs, design_preview
from patrols.models import PatrolPolicy
from patrols.preview import preview_inputs, preview_runs
from patrols.selectors import active_policy

Priorities = dict[tuple[int, int], float]
COLUMNS = (
    gettext_lazy("Crime type"),
    gettext_lazy("Weight"),
    gettext_lazy("Harm now"),
    gettext_lazy("Harm with this form"),
    gettext_lazy("Missions now"),
    gettext_lazy("Missions with this form"),
)


def crime_type_panels(agency: Agency, before: CrimeType | None, after: CrimeType) -> list[Panel]:
    """Harm and missions by type with the form's weight. About three dozen queries."""
    return _panels(agency, after if before is not None else None, _priorities(agency))


def priority_panels(agency: Agency, before: DistrictPriority | None, after: DistrictPriority) -> list[Panel]:
    """The same with the form's district priority."""
    priorities = _priorities(agency)
    if before is not None:
        priorities.pop((before.district_id, before.crime_type_id), None)
    priorities[after.district_id, after.crime_type_id] = after.multiplier
    return _panels(agency, None, priorities)


def _priorities(agency: Agency) -> Priorities:
    rows = DistrictPriority.objects.filter(agency=agency)
    return {(row.district_id, row.crime_type_id): row.multiplier for row in rows}


def _panels(agency: Agency, changed: CrimeType | None, priorities: Priorities) -> list[Panel]:
    title = _("Harm and missions by type")
    runs = preview_runs(agency)
    if not runs:
        return [
            Panel(
                title, (), [], _("There is no forecast to try it on yet: forecast a shift, then come back.")
            )
        ]
    run, policy, notes = runs[0], active_policy(agency), []
    inputs = None
    if policy is None:
        notes.append(_("Missions are not told: there is no active patrol policy."))
    else:
        try:
            inputs = preview_inputs(run, policy)
        except MissionsError as exc:
            notes.append(_("Missions are not told: %(exc)s") % {"exc": exc})
    notes.insert(
        0,
        _("Tried on the forecast of %(shift)s, %(on)s. Missions: how many a draw has on average.")
        % {"shift": run.shift, "on": date_format(run.on)},
    )
    return [Panel(title, COLUMNS, type_rows(run, changed, priorities, inputs, policy), "", notes=notes)]


def type_rows(
    run: ForecastRun,
    changed: CrimeType | None,
    priorities: Priorities,
    inputs: PreviewInputs | None,
    policy: PatrolPolicy | None,
) -> list[list[Cell]]:
    """One row a forecast type: weight, share of harm and expected missions, now and tried. Shares sum to 100 %."""
    expected = expected_by_type(run)
    now = list(expected)
    tried = [_as_tried(row, changed) for row in now]
    values = np.array([expected[row] for row in now], dtype=np.float64)
    was = values * np.array(list(type_weights(run, now).values()))
    new = values * np.array(list(type_weights(run, tried, priorities=priorities).values()))
    shares, missions = [], []
    for types, harm in ((now, was), (tried, new)):
        total = harm.sum()
        shares.append(harm.sum(axis=1) / total if total > 0 else np.zeros(len(types)))
        plain = values * np.array([row.weight for row in types])[:, None]
        missions.append(_missions(inputs, policy, harm.sum(axis=0), np.argmax(plain, axis=0), len(types)))
    return [
        [
            Cell(str(row)),
            Cell(_moved(f"{now[n].weight:g}", f"{row.weight:g}"), number=True),
            Cell(f"{100 * shares[0][n]:.1f} %", number=True),
            _beside(f"{100 * shares[0][n]:.1f} %", f"{100 * shares[1][n]:.1f} %"),
            Cell(missions[0][n], number=True),
            _beside(missions[0][n], missions[1][n]),
        ]
        for n, row in enumerate(tried)
    ]


def _as_tried(row: CrimeType, changed: CrimeType | None) -> CrimeType:
    if changed is None or row.pk != changed.pk:
        return row
    tried = CrimeType(pk=row.pk, agency=row.agency, name=changed.name, weight=changed.weight)
    if not changed.is_active:
        # Neither forecast nor planned any more: it counts for nothing.
        tried.weight = 0.0
    return tried


def _missions(
    inputs: PreviewInputs | None,
    policy: PatrolPolicy | None,
    harm: np.ndarray,  # type: ignore[type-arg]
    leading: np.ndarray,  # type: ignore[type-arg]
    n_types: int,
) -> list[str]:
    """Expected missions by the type that leads in their box, as a plan names them; “–” where nothing can be planned."""
    if inputs is None or policy is None:
        return ["–"] * n_types
    pi = design_preview(replace(inputs, harm=harm), policy.as_design_policy()).pi
    return [f"{number:.1f}" for number in np.bincount(leading, weights=pi, minlength=n_types)]


def _moved(was: str, new: str) -> str:
    return was if was == new else f"{was} → {new}"


def _beside(was: str, new: str) -> Cell:
    return Cell(new, tone="" if was == new else "warn", number=True)


previews.register(CrimeType, crime_type_panels, order=40)
previews.register(DistrictPriority, priority_panels, order=40)
