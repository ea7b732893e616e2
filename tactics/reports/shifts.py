"""The shift report: what was planned, what was done, and who was where."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, overload
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, F, Func, IntegerField, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.access import SEES_PLANS
from agencies.models import Agency
from missions_project.lib.lazy import gettext_lazy
from patrols.models import Engagement, Mission, MissionPlan, Presence
from patrols.units_told import units_are_told, why_untold
from tactics.reports.asked import Asked
from tactics.reports.kinds import ReportKind
from tactics.reports.shapes import Cell, Chart, Column, Figure, Report, Table
from tactics.reports.shifts_chart import whereabouts_svg

MOST_VISITS = 2_000
"""Stays that the page and its chart show; files hold all."""
ROWS_AT_ONCE = 2_000
CHART_DAYS = 1
FILTERS = {
    "district": "beat__district__code",
    "beat": "beat__code",
    "shift": "plan__shift__slug",
    "type": "crime_type__slug",
}


class JSONLength(Func):
    """How many elements a JSON list has, counted by the database."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="json_array_length", **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="jsonb_array_length", **extra)


def missions_asked(agency: Agency, asked: Asked) -> QuerySet[Mission]:
    """Return the missions of published plans whose shift began on the days asked for, inside the choice. Lazy."""
    rows = Mission.objects.filter(
        agency=agency, plan__state=MissionPlan.State.PUBLISHED, plan__on__range=(asked.first, asked.last)
    )
    chosen = {f"{path}__in": getattr(asked, name) for name, path in FILTERS.items() if getattr(asked, name)}
    return rows.filter(**chosen)


class ShiftReport(ReportKind):
    """Missions planned, done and missed, dose recommended and delivered, by shift and beat; visits one by one."""

    slug: ClassVar[str] = "shifts"
    title: ClassVar[str] = gettext_lazy("Shift report")
    what: ClassVar[str] = gettext_lazy(
        "Missions planned, done and missed; minutes recommended and delivered by beat; who was where and when."
    )
    roles: ClassVar[frozenset[str]] = SEES_PLANS
    days: ClassVar[int] = 1

    def make(self, agency: Agency, asked: Asked) -> Report:
        """Read the missions, what was delivered at them, and the visits. Four queries, five where there are more visits than a page shows."""
        now = timezone.now()
        groups = _groups(missions_asked(agency, asked), now)
        delivered = _delivered(agency, asked)
        instances, beats = _by_instance(groups, delivered), _by_beat(groups, delivered)
        visits = _visits(agency, asked)
        total = _sum(groups)
        minutes = sum(delivered.values())
        done = _("%(done)s of %(standing)s") % {
            "done": f"{total['done']:,}",
            "standing": f"{total['standing']:,}",
        }
        return Report(
            slug=self.slug,
            title=self.title,
            agency=agency.name,
            agency_slug=agency.slug,
            zone=agency.time_zone,
            asked=asked,
            made_at=now,
            sentence=_sentence(total, minutes),
            figures=(
                Figure(_("Missions done"), done, _("without those that were withdrawn")),
                Figure(_("Missed"), f"{total['missed']:,}", _("nobody came, and the shift is over")),
                Figure(_("Added by people"), f"{total['added']:,}"),
                Figure(_("Withdrawn"), f"{total['withdrawn']:,}"),
                Figure(_("Minutes recommended"), f"{total['recommended']:,}"),
                Figure(_("Minutes delivered"), f"{minutes:,.0f}", _("on record, from all sources")),
            ),
            tables=(instances, beats, visits),
            charts=(
                Chart(
                    "whereabouts",
                    _("Who was where"),
                    _("Each unit's visits over the day: the first %(most)s.") % {"most": f"{MOST_VISITS:,}"}
                    if visits.is_cut
                    else _("Each unit's visits over the day."),
                    "visits",
                    720,
                    100 + 22 * max(3, len({row[2] for row in visits.rows[:MOST_VISITS]})),
                ),
            )
            if visits.rows and asked.days <= CHART_DAYS
            else (),
            notes=(
                _(
                    "A mission counts as done when anybody was there; minutes come from vehicle positions, timers, dispatch records "
                    "and entries by hand, each minute once."
                ),
            ),
            about=(_("Missions of published plans, by the local date on which their shift began"),),
        )

    def chart(self, report: Report, slug: str) -> bytes | None:
        return whereabouts_svg(report.table("visits")) if slug == "whereabouts" else None


def _groups(missions: QuerySet[Mission], now: dt.datetime) -> list[dict[str, Any]]:
    """Counts by shift instance and beat, added up by the database. One query."""
    stands, over = Q(withdrawn_at=None), Q(plan__period_to__lte=now)
    rows = missions.annotate(
        was_visited=Exists(Engagement.objects.filter(mission=OuterRef("pk"))),
        was_seen=Exists(Presence.objects.filter(mission=OuterRef("pk"))),
        visits=JSONLength(Coalesce("moved_starts", "visit_starts")),
    )
    been = Q(was_visited=True) | Q(was_seen=True)
    grouped: Any = (
        rows.order_by()
        .values(
            "plan__on", "plan__shift__name", "plan__shift__starts_at", "beat__code", "beat__district__code"
        )
        .annotate(
            standing=Count("pk", filter=stands),
            done=Count("pk", filter=stands & been),
            missed=Count("pk", filter=stands & over & ~been),
            added=Count("pk", filter=stands & Q(source=Mission.Source.ADDED)),
            withdrawn=Count("pk", filter=~stands),
            recommended=Coalesce(Sum(F("dose_minutes") * F("visits"), filter=stands), 0),
        )
    )
    return list(grouped)


_COUNTED = ("standing", "done", "missed", "added", "withdrawn", "recommended")


def _sum(groups: Iterable[dict[str, Any]]) -> dict[str, int]:
    total = dict.fromkeys(_COUNTED, 0)
    for group in groups:
        for name in _COUNTED:
            total[name] += group[name]
    return total


def _delivered(agency: Agency, asked: Asked) -> dict[tuple[dt.date, str, str], float]:
    """Minutes on record at standing missions by date, shift and beat. One query."""
    chosen = {
        f"mission__{path}__in": getattr(asked, name) for name, path in FILTERS.items() if getattr(asked, name)
    }
    rows = (
        Presence.objects.filter(
            agency=agency,
            mission__withdrawn_at=None,
            mission__plan__on__range=(asked.first, asked.last),
            **chosen,
        )
        .exclude(mission=None)
        .order_by()
        .values_list("mission__plan__on", "mission__plan__shift__name", "mission__beat__code")
        .annotate(spent=Sum("minutes"))
    )
    return {(on, shift, beat): float(spent) for on, shift, beat, spent in rows}


_LINE = (
    Column("missions", gettext_lazy("Missions"), "int"),
    Column("done", gettext_lazy("Done"), "int"),
    Column("missed", gettext_lazy("Missed"), "int"),
    Column("added", gettext_lazy("Added"), "int"),
    Column("withdrawn", gettext_lazy("Withdrawn"), "int"),
    Column("recommended_minutes", gettext_lazy("Recommended"), "int", unit="min"),
    Column("delivered_minutes", gettext_lazy("Delivered"), "number", unit="min", digits=0),
    Column("share_delivered", gettext_lazy("Share"), "share", digits=0),
)


def _line(total: dict[str, int], minutes: float) -> tuple[Cell, ...]:
    share = minutes / total["recommended"] if total["recommended"] else None
    return (*(total[name] for name in _COUNTED), minutes, share)


def _by_instance(groups: list[dict[str, Any]], delivered: dict[tuple[dt.date, str, str], float]) -> Table:
    parts: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for group in groups:
        parts[group["plan__on"], group["plan__shift__starts_at"], group["plan__shift__name"]].append(group)
    spent: dict[tuple[dt.date, str], float] = defaultdict(float)
    for (on, shift, __), minutes in delivered.items():
        spent[on, shift] += minutes
    rows = [
        (on.isoformat(), shift, *_line(_sum(parts[on, starts, shift]), spent[on, shift]))
        for on, starts, shift in sorted(parts)
    ]
    return Table(
        "shifts",
        _("By shift"),
        (Column("on", _("Date")), Column("shift", _("Shift")), *_LINE),
        rows,
        empty=NO_MISSIONS,
    )


def _by_beat(groups: list[dict[str, Any]], delivered: dict[tuple[dt.date, str, str], float]) -> Table:
    parts: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for group in groups:
        parts[group["beat__district__code"], group["beat__code"]].append(group)
    spent: dict[str, float] = defaultdict(float)
    for (_on, _shift, beat), minutes in delivered.items():
        spent[beat] += minutes
    rows = [
        (district, beat, *_line(_sum(parts[district, beat]), spent[beat])) for district, beat in sorted(parts)
    ]
    return Table(
        "beats",
        _("By beat"),
        (Column("district", _("District")), Column("beat", _("Beat")), *_LINE),
        rows,
        empty=NO_MISSIONS,
    )


NO_MISSIONS = gettext_lazy("No published plan has missions on these days.")


class LongRows(Sequence[tuple[Cell, ...]]):
    """Rows of a table too long to be kept: the first ones at hand, all of them read from the database whenever they are gone through.

    ``head`` and ``known``, how many there are, are of when the report was made. A slice or a row beyond the head costs a query, going through all one.
    """

    def __init__(self, stays: "Stays", head: list[tuple[Cell, ...]], known: int) -> None:
        self.stays, self.head, self.known = stays, head, known

    def __len__(self) -> int:
        return self.known

    def __iter__(self) -> Iterator[tuple[Cell, ...]]:
        return self.stays.read()

    @overload
    def __getitem__(self, at: int) -> tuple[Cell, ...]: ...

    @overload
    def __getitem__(self, at: slice) -> list[tuple[Cell, ...]]: ...

    def __getitem__(self, at: int | slice) -> tuple[Cell, ...] | list[tuple[Cell, ...]]:
        places = range(self.known)[at]
        if isinstance(places, int):
            return self[places : places + 1][0]
        if not places or max(places) < len(self.head):
            return [self.head[place] for place in places]
        first = min(places)
        found = list(self.stays.read(first, max(places) + 1))
        # Fewer where rows have gone since they were counted.
        return [found[place - first] for place in places if place - first < len(found)]


@dataclass(frozen=True)
class Stays:
    """Stretches of presence at the missions asked for, in order of arrival, as rows of a table. Read part by part."""

    agency: int
    zone: str
    asked: Asked
    sources: dict[str, str]
    """What each source is called, in the language of whoever asked: a file may leave when no language is set any more."""

    @property
    def found(self) -> QuerySet[Presence]:
        chosen = {
            f"mission__{path}__in": getattr(self.asked, name)
            for name, path in FILTERS.items()
            if getattr(self.asked, name)
        }
        return Presence.objects.filter(
            agency=self.agency,
            mission__plan__on__range=(self.asked.first, self.asked.last),
            mission__isnull=False,
            **chosen,
        )

    def read(self, first: int = 0, until: int | None = None) -> Iterator[tuple[Cell, ...]]:
        """Yield the rows from one place up to another. One query, with flat memory."""
        found = self.found.order_by("arrived_at", "pk").values_list(
            "mission__plan__on", "mission__plan__shift__name", "unit__call_sign", "mission__beat__code", "mission__number",
            "mission__place", "arrived_at", "left_at", "minutes", "source",
        )[first:until]  # fmt: skip
        zone, told = ZoneInfo(self.zone), units_are_told(self.asked.first, self.asked.last)
        for on, shift, unit, beat, number, place, arrived, left, minutes, source in found.iterator(
            chunk_size=ROWS_AT_ONCE
        ):
            yield (
                on.isoformat(), shift, (told and unit) or "–", beat, number, place, f"{arrived.astimezone(zone):%H:%M}",
                f"{left.astimezone(zone):%H:%M}", float(minutes), self.sources[source],
            )  # fmt: skip


def _visits(agency: Agency, asked: Asked) -> Table:
    """Stretches of presence at missions, one by one: kept up to two thousand, read again for files where there are more.

    One query, two where there are more.
    """
    sources = {value: str(label) for value, label in Presence.Source.choices}
    stays = Stays(agency.pk, agency.time_zone, asked, sources)
    head = list(stays.read(until=MOST_VISITS + 1))
    is_long = len(head) > MOST_VISITS
    return Table(
        "visits",
        _("Who was where"),
        (
            Column("on", _("Date")), Column("shift", _("Shift")), Column("unit", _("Unit")), Column("beat", _("Beat")),
            Column("mission", _("Mission"), "int"), Column("place", _("Place")), Column("arrived", _("Arrived"), reads="clock"), Column("left", _("Left"), reads="clock"),
            Column("minutes", _("Minutes"), "number"), Column("source", _("Known from")),
        ),
        LongRows(stays, head[:MOST_VISITS], stays.found.count()) if is_long else head,
        note="" if units_are_told(asked.first, asked.last) else why_untold(),
        empty=_("Nothing is on record. Presence is counted half an hour after a shift, and once more the next day."),
        most_shown=MOST_VISITS,
    )  # fmt: skip


def _sentence(total: dict[str, int], minutes: float) -> str:
    if not total["standing"]:
        return _("No missions were planned.")
    told = {"done": f"{total['done']:,}", "standing": f"{total['standing']:,}"}
    if not total["recommended"]:
        return _("%(done)s of %(standing)s missions were done.") % told
    told["part"] = f"{100 * minutes / total['recommended']:.0f} %"
    return (
        _("%(done)s of %(standing)s missions were done; %(part)s of the recommended minutes are on record.")
        % told
    )
