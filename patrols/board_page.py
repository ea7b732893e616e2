"""What the shift board's templates are given, worked out once for the page, its list, its map and its print-out."""

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from agencies.access import Access
from agencies.lookups import date_from_text
from agencies.models import Shift
from agencies.selectors import shift_instance_of, shifts
from forecasting.engine.grid import GridSpec
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols import board
from patrols.board_selectors import UnitOnDuty, units_on_duty
from patrols.meter import meter_of
from patrols.models import Mission, MissionPlan
from patrols.no_plan import no_plan
from patrols.rows_html import chip_html, drawer_address, rows_html
from patrols.selectors import missions_of_plans, plans_of
from patrols.timeline import LANES, timeline


@dataclass(frozen=True)
class Instance:
    """The shift and date of an address, with all shifts of the agency."""

    shift: Shift
    on: dt.date
    all_shifts: list[Shift]

    @property
    def address(self) -> tuple[str, str]:
        return self.on.isoformat(), self.shift.slug


def instance_of(access: Access, on: str, shift_slug: str) -> Instance:
    """Return the shift instance that an address names, or raise ``Http404``. One query."""
    rows = shifts(access.agency)
    try:
        date = date_from_text(on)
    except MissionsError as exc:
        raise Http404(str(exc)) from exc
    shift = next((row for row in rows if row.slug == shift_slug), None)
    if shift is None:
        raise Http404(_("No such shift."))
    return Instance(shift, date, rows)


@dataclass(frozen=True)
class UnitChip:
    """A unit on duty as the list shows it: where missions can be dropped. ``load`` missions of ``capacity``."""

    unit: UnitOnDuty
    load: int

    @property
    def html(self) -> str:
        return chip_html(self.unit.pk, self.unit.call_sign, self.load, self.unit.capacity)


@dataclass(frozen=True)
class Loaded:
    """The plans of a shift instance and their missions; ``rows`` all of them, ``shown`` those that the filter lets through."""

    instance: Instance
    plans: list[MissionPlan]
    missions: list[Mission]
    rows: list[board.MissionRow]
    shown: list[board.MissionRow]
    filter: board.Filter
    looks: list[board.TypePattern]

    @property
    def plan(self) -> MissionPlan | None:
        return self.plans[0] if self.plans else None

    def features(self) -> dict[str, object]:
        """The shown missions' boxes for the map, plan by plan, for each has its own grid. One query a plan."""
        features: list[object] = []
        for plan in self.plans:
            own = [row for row in self.shown if row.mission.plan_id == plan.pk]
            if plan.grid is not None and own:
                spec = GridSpec.from_bytes(bytes(plan.grid.spec))
                features += board.missions_geojson(spec, own)["features"]
        return {"type": "FeatureCollection", "features": features}


def load(request: HttpRequest, access: Access, instance: Instance) -> Loaded:
    """Read the shift instance's plans and missions as they are now. Five queries."""
    plans = plans_of(access.agency, instance.shift, instance.on)
    looks = board.type_patterns(access.agency)
    types = {look.crime_type.pk: look.crime_type for look in looks}
    missions = missions_of_plans(access.agency, plans, types) if plans else []
    rows = board.mission_rows(missions, zone=access.agency.time_zone, now=timezone.now())
    shows = board.Filter(frozenset(request.GET.getlist("district")), frozenset(request.GET.getlist("type")))
    return Loaded(instance, plans, missions, rows, [row for row in rows if shows.shows(row)], shows, looks)


def board_context(request: HttpRequest, access: Access, instance: Instance) -> dict[str, object]:
    """Everything that the board's list, status line and timeline show. At most seven queries."""
    loaded = load(request, access, instance)
    plan, rows = loaded.plan, loaded.rows
    by = request.GET.get("lanes") if request.GET.get("lanes") in LANES else "unit"
    on_duty = units_on_duty(access.agency, instance.shift, instance.on) if rows else []
    meter = meter_of(loaded.missions)
    return {
        **_dates(access, instance),
        "access": access,
        "plan": plan,
        "decisions": loaded.plans[1:],
        "no_plan": no_plan(access.agency, instance.shift, instance.on, plan, now=timezone.now()),
        "is_ready": bool(plan and plan.status == RunStatus.SUCCEEDED),
        "is_draft": bool(plan and plan.state == MissionPlan.State.DRAFT),
        "is_running": bool(plan and plan.period_from <= timezone.now() < plan.period_to),
        "version": f"{[one.pk for one in loaded.plans]} {plan.status if plan else ''}",
        "beats": beats_with_units(access.agency.slug, loaded.shown, on_duty, rows),
        "has_rows": bool(rows),
        "elsewhere": mark_safe("".join(unit.html for unit in _elsewhere(loaded.shown, on_duty, rows))),  # nosec B308 B703 - every text in it is escaped
        "states": board.state_counts(loaded.shown),
        "n_shown": len(loaded.shown),
        "n_hidden": len(rows) - len(loaded.shown),
        "filter": loaded.filter,
        "districts": board.districts_of(rows),
        "looks": loaded.looks,
        # Worked out where a template asks for it: the page itself loads its boxes when its map is there.
        "features": loaded.features,
        "types_present": {row.mission.crime_type_id for row in rows},
        "query": _query(request),
        "lanes_query": {name: _query(request, lanes=name) for name in LANES},
        "meter": meter,
        "timeline": _timeline(loaded, by, access) if loaded.shown else None,
    }


def _dates(access: Access, instance: Instance) -> dict[str, object]:
    try:
        shift_instance_of(access.agency, instance.shift, instance.on)
        runs_today = True
    except MissionsError:
        runs_today = False
    return {
        "tab": "shift",
        "shift": instance.shift,
        "shifts": instance.all_shifts,
        "on": instance.on,
        "previous": instance.on - dt.timedelta(days=1),
        "next": instance.on + dt.timedelta(days=1),
        "runs_today": runs_today,
    }


def _query(request: HttpRequest, **changes: str) -> str:
    """The page's filter as the tail of an address, with a question mark; empty without one."""
    pairs = [
        (name, value)
        for name in ("district", "type", "lanes")
        if name not in changes
        for value in request.GET.getlist(name)
    ]
    text = urlencode(pairs + list(changes.items()))
    return f"?{text}" if text else ""


@dataclass(frozen=True)
class BeatGroup:
    """A beat of the list: its missions and the units that work it."""

    rows: board.BeatRows
    units: list[UnitChip]
    drawer: str

    @property
    def html(self) -> str:
        return rows_html(self.rows.rows, self.drawer)

    @property
    def units_html(self) -> str:
        return mark_safe("".join(unit.html for unit in self.units))  # nosec B308 B703 - every text in it is escaped


def beats_with_units(
    agency_slug: str,
    shown: list[board.MissionRow],
    on_duty: list[UnitOnDuty],
    rows: list[board.MissionRow],
) -> list[BeatGroup]:
    """Return the shown missions by beat, each beat with its units on duty and how many missions each has. No query."""
    chips, drawer = _chips(on_duty, rows), drawer_address(agency_slug)
    return [BeatGroup(group, chips[group.beat.pk], drawer) for group in board.rows_by_beat(shown)]


def _chips(on_duty: list[UnitOnDuty], rows: list[board.MissionRow]) -> dict[int | None, list[UnitChip]]:
    load_of = Counter(row.unit_id for row in rows if row.state != "withdrawn")
    chips: dict[int | None, list[UnitChip]] = defaultdict(list)
    for unit in on_duty:
        chips[unit.beat_id].append(UnitChip(unit, load_of[unit.pk]))
    return chips


def _elsewhere(
    shown: list[board.MissionRow], on_duty: list[UnitOnDuty], rows: list[board.MissionRow]
) -> list[UnitChip]:
    """Units on duty whose beat is not in the list: they can be sent as well."""
    listed = {row.mission.beat_id for row in shown}
    chips = _chips(on_duty, rows)
    return [chip for beat, group in chips.items() if beat not in listed for chip in group]


def _timeline(loaded: Loaded, by: str | None, access: Access) -> object:
    first = loaded.plans[0]
    began = min(plan.period_from for plan in loaded.plans)
    return timeline(
        (began, first.period_to),
        loaded.shown,
        by=by or "unit",
        zone=access.agency.time_zone,
        now=timezone.now(),
    )
