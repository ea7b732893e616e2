"""From what a person pointed at and wrote to services, and the same as a preview that changes nothing."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agencies.access import Access
from agencies.lookups import pk_from_text
from agencies.models import Beat
from forecasting.engine.grid import GridSpec
from forecasting.selectors import cell_beats
from missions_project.lib.errors import MissionsError
from patrols.areas import area_of_cells, box_rings, cells_of_area
from patrols.board_page import Loaded
from patrols.forms import MissionAddForm, SuppressForm
from patrols.meter import Meter, meter_of
from patrols.models import MissionPlan, Suppression
from patrols.services import addition_create, area_suppress, missions_add
from patrols.services.changes import MOST_CELLS, missions_in


def _spec(plan: MissionPlan | None) -> GridSpec:
    if plan is None or plan.grid is None:
        raise MissionsError(
            _("There is no plan for this shift yet."), next_step=_("forecast and plan it first.")
        )
    return GridSpec.from_bytes(bytes(plan.grid.spec))


def _cells_as_area(spec: GridSpec, area: dict[str, Any]) -> dict[str, Any]:
    """A click as the outline of its cell; what was drawn stays as drawn."""
    if area.get("type") != "Point":
        return area
    cells = cells_of_area(spec, area)
    if not cells:
        raise MissionsError(_("This place lies in no cell."), next_step=_("click inside the agency's area."))
    return area_of_cells(spec, cells)


def add_missions(access: Access, plan: MissionPlan, form: MissionAddForm) -> str:
    """Add what the valid form asks for; beyond this shift as an addition to later ones as well. Returns what was done."""
    arguments = form.for_service()
    expires_at = form.expires_at(plan.period_to, access.agency.time_zone)
    if expires_at < plan.period_to:
        raise MissionsError(_("This ends before the shift does."), next_step=_("choose a later day."))
    missions = missions_add(plan=plan, actor=access.user, **arguments)
    words = ngettext("Mission %(names)s added.", "Missions %(names)s added.", len(missions)) % {
        "names": ", ".join(str(row.number) for row in missions)
    }
    if expires_at > plan.period_to:
        addition_create(
            agency=access.agency, shift=plan.shift, crime_type=arguments["crime_type"],
            geometry=area_of_cells(_spec(plan), [row.cell_id for row in missions]),
            dose_minutes=arguments["dose_minutes"], tactic=arguments["tactic"], reason=arguments["reason"],
            starts_at=plan.period_to, expires_at=expires_at, actor=access.user,
        )  # fmt: skip
        words += " " + _("Later %(shift)s shifts visit the place as well, until it expires.") % {
            "shift": plan.shift.name.lower()
        }
    return words


def suppress(
    access: Access, loaded: Loaded, form: SuppressForm, period_to: dt.datetime
) -> tuple[str, list[str]]:
    """Suppress what the valid form asks for. Returns what was done, and notes on what it means for this shift."""
    data, area = form.cleaned_data, None
    if data["kind"] == "area":
        area = (
            data["area"]
            if data["area"].get("type") != "Point"
            else _cells_as_area(_spec(loaded.plan), data["area"])
        )
    _made, withdrawn = area_suppress(
        agency=access.agency,
        beat=data["beat"] if data["kind"] == "beat" else None,
        geometry=area,
        reason=data["reason"],
        expires_at=form.expires_at(period_to, access.agency.time_zone),
        actor=access.user,
        withdraw_from=loaded.missions if data["withdraw"] else (),
        plans=loaded.plans,
    )
    numbers = ", ".join(str(row.number) for row in withdrawn)
    notes = (
        [
            ngettext("Withdrawn: mission %(numbers)s.", "Withdrawn: missions %(numbers)s.", len(withdrawn))
            % {"numbers": numbers}
        ]
        if withdrawn
        else []
    )
    if loaded.plan and loaded.plan.state == MissionPlan.State.DRAFT:
        notes.append(_("“Draw again” makes a plan that leaves the area out from the start."))
    return _("Suppressed. Draws leave the area out until it expires."), notes


@dataclass(frozen=True)
class Preview:
    """What a change would do: the meter now and then, the cells it means (JSON rings for the map), and remarks."""

    now: Meter
    then: Meter
    rings: str = "[]"
    remarks: list[str] = field(default_factory=list)


def preview(access: Access, loaded: Loaded, sent: Mapping[str, str]) -> Preview | None:
    """Return what the half-filled form would do to the shift's plan; None while nothing is pointed at. No row is changed.

    Raises ``MissionsError`` for what is no area.
    """
    now = meter_of(loaded.missions)
    change, area = sent.get("change", ""), _area(sent)
    if change == "withdraw":
        return Preview(now, meter_of(loaded.missions, withdrawn=[pk_from_text(sent.get("mission"))]))
    if change in ("add", "swap"):
        return _preview_cells(loaded, area, now, sent) if area else None
    if change == "suppress":
        return _preview_suppression(access, loaded, area, now, sent)
    return None


def _area(sent: Mapping[str, str]) -> dict[str, Any] | None:
    try:
        area = json.loads(sent.get("area") or "null")
    except ValueError as exc:
        raise MissionsError(_("What was drawn is no area."), next_step=_("click or draw again.")) from exc
    return area if isinstance(area, dict) else None


def _preview_cells(loaded: Loaded, area: dict[str, Any], now: Meter, sent: Mapping[str, str]) -> Preview:
    spec = _spec(loaded.plan)
    assert loaded.plan is not None and loaded.plan.grid is not None  # noqa: PT018 - _spec has seen to it
    cells = cells_of_area(spec, area)
    if not cells:
        raise MissionsError(_("This place lies in no cell."), next_step=_("click inside the agency's area."))
    taken = {row.cell_id: row.number for row in loaded.missions if row.plan_id == loaded.plan.pk}
    new = [cell for cell in cells if cell not in taken]
    remarks = [
        _("Mission %(taken)s is there already.") % {"taken": taken[cell]} for cell in cells if cell in taken
    ][:3]
    if len(cells) > MOST_CELLS:
        remarks.append(
            _("%(count)s cells; at most %(most_cells)s can be added at once. Draw a smaller box.")
            % {"count": len(cells), "most_cells": MOST_CELLS}
        )
    elif (cell_beats(loaded.plan.grid)[spec.index_of(cells)] < 0).any():
        remarks.append(_("A cell lies in no beat."))
    else:
        remarks.append(f"{len(new)} cell{'' if len(new) == 1 else 's'}.")
    gone = [pk_from_text(sent.get("mission"))] if sent.get("change") == "swap" else []
    then = meter_of(loaded.missions, added=len(new[:MOST_CELLS]), withdrawn=gone)
    return Preview(now, then, json.dumps(box_rings(spec, cells[:200])), remarks)


def _preview_suppression(
    access: Access, loaded: Loaded, area: dict[str, Any] | None, now: Meter, sent: Mapping[str, str]
) -> Preview | None:
    spec, beat = _spec(loaded.plan), None
    if sent.get("kind") == "beat":
        beat = Beat.objects.filter(agency=access.agency, pk=pk_from_text(sent.get("beat"))).first()
        if beat is None:
            return None
    elif area is None:
        return None
    shape = None if beat else _cells_as_area(spec, area or {})
    suppression = Suppression(agency=access.agency, beat=beat, geometry=shape)
    inside = missions_in(loaded.missions, loaded.plans, suppression)
    numbers = ", ".join(str(row.number) for row in inside)
    remarks = [_("Missions there that nobody has visited: %(numbers)s.") % {"numbers": numbers or _("none")}]
    rings: list[Any] = []
    if shape is not None:
        cells = cells_of_area(spec, shape)
        rings = box_rings(spec, cells[:200])
        remarks.insert(0, ngettext("%(count)s cell.", "%(count)s cells.", len(cells)) % {"count": len(cells)})
    gone = [row.pk for row in inside] if sent.get("withdraw") else []
    return Preview(now, meter_of(loaded.missions, withdrawn=gone), json.dumps(rings), remarks)
