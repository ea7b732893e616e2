"""The unit activity report: time in missions by tactic, for the unit's own people and its supervisors. It ranks nobody."""

import datetime as dt
from collections import defaultdict
from dataclasses import replace
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.db.models import Count, FloatField, Func, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agencies.access import EVERYONE, Access
from agencies.models import Agency, Role
from missions_project.lib.errors import MissionsError
from missions_project.lib.lazy import gettext_lazy
from patrols.models import Engagement, Presence
from tactics.models import ReportPolicy, Tactic, TacticUse
from tactics.reports.asked import Asked, Whose
from tactics.reports.kinds import ReportKind
from tactics.reports.shapes import Cell, Chart, Column, Figure, Report, Table
from tactics.reports.tactics_read import lookups
from tactics.reports.tactics_used_chart import uses_svg

NOTHING = gettext_lazy(
    "No visit of these units is on record in this period. Choose other days; visits come from the officer's page, or from vehicle positions where the agency sends them."
)
_USE = (
    Column("visits", gettext_lazy("Visits"), "int"),
    Column("minutes", gettext_lazy("Minutes"), "number", unit="min", digits=0),
)


def activity_is_open(access: Access) -> bool:
    """Whether this person can open the report on their unit's time: to show its link only where it leads somewhere. One query."""
    kind = UnitActivity()
    return kind.may_see(access) and not kind.why_off(access.agency)


class UnitActivity(ReportKind):
    """Visits, minutes and tactics by unit; a person sees their own unit, a supervisor the units of their districts."""

    slug: ClassVar[str] = "unit-activity"
    title: ClassVar[str] = gettext_lazy("Unit activity")
    what: ClassVar[str] = gettext_lazy(
        "Time in missions by tactic: your own unit's, or those of the districts that you supervise."
    )
    roles: ClassVar[frozenset[str]] = frozenset({Role.OFFICER, Role.SUPERVISOR})
    exports: ClassVar[frozenset[str]] = EVERYONE
    is_personal: ClassVar[bool] = True

    def may_see(self, access: Access) -> bool:
        """A unit's members and supervisors; no machine, nobody else, not the operator."""
        member = access.membership
        return member is not None and (member.role == Role.SUPERVISOR or member.unit_id is not None)

    def why_off(self, agency: Agency) -> str:
        """One query."""
        if ReportPolicy.objects.filter(agency=agency, unit_activity=True).exists():
            return ""
        return _(
            "This agency does not have the unit activity report. Next step: if it should, an administrator switches it on "
            "under Admin → Report policies, having agreed on it with those concerned."
        )

    def narrowed(self, asked: Asked, access: Access | None) -> Asked:
        """Cut to the person's unit, or to the districts of a supervisor. One query for a supervisor."""
        if access is None or access.membership is None or not self.may_see(access):
            raise PermissionDenied(
                _("This report is for a unit's members and its supervisors. Next step: ask one of them.")
            )
        member = access.membership
        whose = (
            Whose(districts=tuple(sorted(access.district_ids)))
            if member.role == Role.SUPERVISOR
            else Whose(unit=member.unit_id)
        )
        return replace(asked, whose=whose)

    def make(self, agency: Agency, asked: Asked) -> Report:
        """Read visits, minutes on record and tactics of the units in ``asked.whose``. Four queries.

        Raises ``MissionsError`` where nobody said whose: that must not mean everybody's.
        """
        if asked.whose is None:
            raise MissionsError(
                _("This report is made for one person at a time."),
                next_step=_("open it on its page, signed in."),
            )
        visits = _visits(agency, asked, asked.whose)
        uses = _uses(agency, asked, asked.whose)
        units = _units(visits, uses, _on_record(agency, asked, asked.whose))
        minutes = sum(float(row["minutes"]) for row in visits)
        weeks = _weeks(uses)
        total = ngettext(
            "%(visits)s visits of %(units)s unit: %(minutes)s minutes in missions.",
            "%(visits)s visits of %(units)s units: %(minutes)s minutes in missions.",
            len(units.rows),
        ) % {"visits": f"{len(visits):,}", "units": f"{len(units.rows):,}", "minutes": f"{minutes:,.0f}"}
        return Report(
            slug=self.slug,
            title=self.title,
            agency=agency.name,
            agency_slug=agency.slug,
            zone=agency.time_zone,
            asked=asked,
            made_at=timezone.now(),
            sentence=total if visits else NOTHING,
            figures=(
                Figure(_("Visits"), f"{len(visits):,}"),
                Figure(_("Missions visited"), f"{len({row['mission'] for row in visits}):,}"),
                Figure(_("Minutes"), f"{minutes:,.0f}", _("from arrival to departure")),
            ),
            tables=(units, _tactics(uses), weeks),
            charts=(
                Chart(
                    "weeks", _("Hours a week by tactic"), _("Unit-hours a week at visits with each tactic."), "weeks", 720,
                    60 + 130 * ((len({row[1] for row in weeks.rows}) + 2) // 3),
                ),
            )
            if weeks.rows
            else (),
            notes=(
                _("Units stand in the order of their call signs. How long a unit is in missions depends on its calls, its beat and its "
                "shift: the figures say nothing about how well anybody works, and must not be used to compare people."),
                _("For members of the unit and supervisors of its district only."),
            ),
            about=(_("Visits with a unit on record, by the local date on which the shift began"),),
        )  # fmt: skip

    def chart(self, report: Report, slug: str) -> bytes | None:
        table = report.table("weeks")
        return uses_svg(table) if slug == "weeks" and table is not None and table.rows else None


def _mine(whose: Whose, unit: str) -> dict[str, Any]:
    """The lookups that keep to the units that the person may see."""
    if whose.unit is not None:
        return {unit: whose.unit}
    return {f"{unit}__beat__district__in": whose.districts} if whose.districts else {f"{unit}__isnull": False}


class VisitMinutes(Func):
    """Minutes from arrival to departure, worked out by the database: reading two instants takes it ten times as long. Null while a timer runs."""

    output_field = FloatField()
    arity = 2
    # A float already: Django would look at each.
    convert_value = staticmethod(Func._convert_value_noop)  # type: ignore[attr-defined]

    def __init__(self, visit: str = "") -> None:
        super().__init__(f"{visit}left_at", f"{visit}arrived_at")

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # A Julian day is exact to some 40 microseconds: ten minutes are to read as 10, not as 10.00000007.
        return self.as_sql(
            compiler,
            connection,
            template="ROUND((julianday(%(expressions)s)) * 86400.0, 3) / 60.0",
            arg_joiner=") - julianday(",
            **extra,
        )

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "DATE_PART('epoch', %(expressions)s) / 60.0"
        return self.as_sql(compiler, connection, template=template, arg_joiner=" - ", **extra)


def _visits(agency: Agency, asked: Asked, whose: Whose) -> list[dict[str, Any]]:
    """Visits with their unit and minutes. One query."""
    rows = Engagement.objects.filter(**lookups(agency, asked, "mission"), **_mine(whose, "unit"))
    found = rows.order_by().values_list("pk", "mission_id", "unit__call_sign", VisitMinutes())
    return [
        {"visit": pk, "mission": mission, "unit": unit, "minutes": spent or 0.0}
        for pk, mission, unit, spent in found.iterator(chunk_size=20_000)
    ]


def _uses(agency: Agency, asked: Asked, whose: Whose) -> list[tuple[int, str, str, dt.date, float]]:
    """Ticks: (visit, unit, tactic, week, minutes of the visit). Two queries."""
    names = dict(Tactic.objects.filter(agency=agency).values_list("pk", "name"))
    rows = TacticUse.objects.filter(
        **lookups(agency, asked, "engagement__mission"), **_mine(whose, "engagement__unit")
    )
    found = rows.order_by().values_list(
        "engagement_id", "engagement__unit__call_sign", "tactic_id", "engagement__mission__plan__on",
        VisitMinutes("engagement__"),
    )  # fmt: skip
    return [
        (visit, unit, names[tactic], on - dt.timedelta(days=on.weekday()), spent or 0.0)
        for visit, unit, tactic, on, spent in found.iterator(chunk_size=20_000)
    ]


def _on_record(agency: Agency, asked: Asked, whose: Whose) -> dict[str, float]:
    """Minutes at missions by unit, from all sources, each minute once. One query."""
    # The days once more, with room for zones and nights: else all presence on record is gone through to find a month's.
    begin = dt.datetime.combine(asked.first, dt.time(), tzinfo=dt.UTC) - dt.timedelta(days=2)
    end = dt.datetime.combine(asked.last, dt.time(), tzinfo=dt.UTC) + dt.timedelta(days=4)
    rows = Presence.objects.filter(
        **lookups(agency, asked, "mission"), **_mine(whose, "unit"), arrived_at__range=(begin, end)
    )
    found = rows.order_by().values_list("unit__call_sign").annotate(n=Count("pk"), spent=Sum("minutes"))
    return {unit: float(spent) for unit, __, spent in found}


def _units(visits: list[dict[str, Any]], uses: list[Any], on_record: dict[str, float]) -> Table:
    ticked = {visit for visit, *__ in uses}
    own: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in visits:
        own[row["unit"]].append(row)
    lines: list[tuple[Cell, ...]] = []
    for unit in sorted(set(own) | set(on_record)):
        rows = own[unit]
        lines.append(
            (unit, len({row["mission"] for row in rows}), len(rows), sum(row["minutes"] for row in rows),
             sum(row["minutes"] for row in rows if row["visit"] not in ticked), on_record.get(unit))
        )  # fmt: skip
    return Table(
        "units",
        _("By unit"),
        (
            Column("unit", _("Unit")), Column("missions", _("Missions visited"), "int"), *_USE,
            Column("minutes_without_tactic", _("Without a tactic ticked"), "number", unit="min", digits=0),
            Column("minutes_on_record", _("On record, all sources"), "number", unit="min", digits=0),
        ),
        lines,
        note=_("Minutes: from arrival to departure as pressed or entered. On record: with vehicle positions and dispatch records, each "
        "minute once."),
        empty=NOTHING,
    )  # fmt: skip


def _summed(keyed: list[tuple[tuple[str, ...], float]]) -> list[tuple[Cell, ...]]:
    total: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for key, minutes in keyed:
        total[key].append(minutes)
    return [(*key, len(total[key]), sum(total[key])) for key in sorted(total)]


def _tactics(uses: list[tuple[int, str, str, dt.date, float]]) -> Table:
    rows = _summed([((unit, tactic), minutes) for _visit, unit, tactic, _week, minutes in uses])
    return Table(
        "tactics",
        _("By unit and tactic"),
        (Column("unit", _("Unit")), Column("tactic", _("Tactic")), *_USE),
        rows,
        note=_("A visit with two tactics counts for both."),
        empty=NOTHING,
    )


def _weeks(uses: list[tuple[int, str, str, dt.date, float]]) -> Table:
    rows = _summed([((week.isoformat(), tactic), minutes) for _visit, _unit, tactic, week, minutes in uses])
    return Table(
        "weeks",
        _("By week and tactic, all these units"),
        (Column("week_from", _("Week from")), Column("tactic", _("Tactic")), *_USE),
        rows,
        empty=NOTHING,
    )
