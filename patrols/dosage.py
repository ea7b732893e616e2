"""Recommended against delivered dose, and how complete the records are: one reading for page, chart and file."""

import datetime as dt
from dataclasses import dataclass, field

from django.db.models import Count, Q, Sum, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency
from patrols.engine.reconcile import SOURCES
from patrols.models import Mission, MissionPlan, Presence, PresenceAccount

SOURCE_LABELS = {source.value: source.label for source in Presence.Source}


@dataclass
class DoseLine:
    """One beat, shift, crime type or week (or all): what was asked for, what was delivered, what is on record.

    Minutes are unit-minutes. ``by_source`` sums to ``delivered``. ``passive`` is time in candidate boxes without a
    mission (by crime type nobody can say: ``None``).
    """

    name: str
    missions: int = 0
    recorded: int = 0
    recommended: float = 0.0
    delivered: float = 0.0
    passive: float | None = 0.0
    by_source: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SOURCES, 0.0))
    recorded_by_source: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOURCES, 0))

    @property
    def share_recorded(self) -> float | None:
        """Missions with any record, of 100; None without missions."""
        return 100 * self.recorded / self.missions if self.missions else None

    @property
    def share_delivered(self) -> float | None:
        """Delivered of recommended minutes, of 100; None where nothing was recommended."""
        return 100 * self.delivered / self.recommended if self.recommended else None

    @property
    def records_in_order(self) -> list[tuple[int, float | None]]:
        """(missions with a record of it, share of 100) by source, in the order of precedence."""
        return [
            (n, 100 * n / self.missions if self.missions else None)
            for n in (self.recorded_by_source[source] for source in SOURCES)
        ]

    @property
    def minutes_in_order(self) -> list[float]:
        """Minutes by source, in the order of precedence, for templates."""
        return [self.by_source[source] for source in SOURCES]


@dataclass(frozen=True)
class DosageReport:
    """The dose of the missions of ended shifts that started on these local dates."""

    first: dt.date
    last: dt.date
    total: DoseLine
    beats: list[DoseLine]
    shifts: list[DoseLine]
    crime_types: list[DoseLine]
    weeks: list[DoseLine]
    withdrawn: int
    ended_shifts: int
    counted_shifts: int
    contradicted_minutes: float
    clocks: dict[str, int]
    dispatch_records: int = 0
    dispatch_without_unit: int = 0

    @property
    def waiting_shifts(self) -> int:
        return self.ended_shifts - self.counted_shifts

    @property
    def groups(self) -> list[tuple[str, list[DoseLine]]]:
        return [(_("Beat"), self.beats), (_("Shift"), self.shifts), (_("Crime type"), self.crime_types)]

    @property
    def record_groups(self) -> list[tuple[str, list[DoseLine]]]:
        """The lines of the completeness report: by week first, for gaps in the records are gaps in time."""
        return [(_("Week of"), self.weeks), *self.groups]

    @property
    def sources(self) -> list[tuple[str, int, float]]:
        """(label, missions with a record of it, minutes at missions), in order of precedence."""
        return [
            (str(SOURCE_LABELS[s]), self.total.recorded_by_source[s], self.total.by_source[s])
            for s in SOURCES
        ]


def dosage_report(
    agency: Agency, first: dt.date, last: dt.date, *, now: dt.datetime | None = None
) -> DosageReport:
    """Return the report for shifts that start on these local dates, both included. Five queries.

    Only shifts that are over count: a mission that nobody could have reached yet is not a missing record. Withdrawn missions
    are left out and counted apart, with whatever was spent at them.
    """
    now = now or timezone.now()
    lines = _Lines()
    ended = {
        "plan__agency": agency,
        "plan__state": MissionPlan.State.PUBLISHED,
        "plan__on__range": (first, last),
        "plan__period_to__lte": now,
    }
    withdrawn = 0
    places: dict[int, tuple[DoseLine, ...]] = {}
    rows = Mission.objects.filter(agency=agency, **ended).values_list(
        "pk", "beat__code", "plan__shift__name", "crime_type__name", "dose_minutes", Cast("visit_starts", TextField()),
        Cast("moved_starts", TextField()), "withdrawn_at", "plan__on",
    )  # fmt: skip
    for pk, beat, shift, crime_type, dose, starts, moved, withdrawn_at, on in rows:
        if withdrawn_at:
            withdrawn += 1
            continue
        places[pk] = own = lines.of(beat, shift, crime_type, on)
        minutes = dose * (_times(moved) or _times(starts))
        for line in own:
            line.missions += 1
            line.recommended += minutes
    seen: set[int] = set()
    spent = (
        Presence.objects.filter(
            agency=agency,
            mission__isnull=False,
            account__on__range=(first, last),
            account__period_to__lte=now,
        )
        .order_by()
        .values_list("mission_id", "source")
        .annotate(minutes=Sum("minutes"))
    )
    for mission_id, source, minutes in spent:
        is_first = mission_id not in seen
        for line in places.get(mission_id, ()):
            line.delivered += minutes
            line.by_source[source] += minutes
            line.recorded_by_source[source] += 1
            line.recorded += is_first
        seen.add(mission_id)
    passive = (
        Presence.objects.filter(
            agency=agency, mission__isnull=True, account__on__range=(first, last), account__period_to__lte=now
        )
        .order_by()
        .values_list("beat__code", "account__shift__name", "account__on")
        .annotate(minutes=Sum("minutes"))
    )
    for beat, shift, on, minutes in passive:
        for line in lines.of(beat or _("no beat"), shift, None, on):
            line.passive = (line.passive or 0.0) + minutes
    accounts = list(
        PresenceAccount.objects.filter(
            agency=agency, on__range=(first, last), done_at__isnull=False
        ).values_list("counts", flat=True)
    )
    instances = MissionPlan.objects.filter(
        agency=agency,
        state=MissionPlan.State.PUBLISHED,
        decision=0,
        on__range=(first, last),
        period_to__lte=now,
    ).aggregate(n=Count("pk"))["n"]
    clocks: dict[str, int] = {}
    for counts in accounts:
        for sign in counts.get("clocks_unusable", []) + list(counts.get("clocks_ahead_s", {})):
            clocks[sign] = clocks.get(sign, 0) + 1
    return DosageReport(
        first=first,
        last=last,
        total=lines.total,
        beats=lines.sorted(lines.beats),
        shifts=lines.sorted(lines.shifts),
        crime_types=lines.sorted(lines.crime_types),
        weeks=lines.sorted(lines.weeks),
        withdrawn=withdrawn,
        ended_shifts=instances,
        counted_shifts=min(len(accounts), instances),
        contradicted_minutes=sum(sum(c.get("contradicted_minutes", {}).values()) for c in accounts),
        clocks=clocks,
        dispatch_records=sum(counts.get("dispatch_records", 0) for counts in accounts),
        dispatch_without_unit=sum(counts.get("dispatch_without_unit", 0) for counts in accounts),
    )


def _times(text: str | None) -> int:
    """How many times a JSON list holds. To read tens of thousands of lists takes longer than all the rest of the report."""
    return text.count('"') // 2 if text else 0


@dataclass(frozen=True)
class BoxMinutes:
    """Unit-minutes on record in one box: at missions, and by units that passed or stayed without one."""

    delivered: float = 0.0
    passive: float = 0.0


def minutes_on_record(
    agency: Agency, plan: MissionPlan, cells: list[int], days: int
) -> dict[int, BoxMinutes]:
    """Return what is on record in these boxes from the shifts of the window before a plan, by cell. One query.

    For people to see beside the planned minutes. Never for a draw: what was delivered depends on what happened, and plans that
    depended on it could not be drawn again.
    """
    rows = (
        Presence.objects.filter(
            agency=agency,
            grid=plan.grid,
            cell_id__in=cells,
            account__on__range=(plan.on - dt.timedelta(days=max(days - 1, 0)), plan.on),
            account__period_to__lte=plan.period_from,
        )
        .order_by()
        .values_list("cell_id")
        .annotate(
            delivered=Sum("minutes", filter=Q(mission__isnull=False), default=0.0),
            passive=Sum("minutes", filter=Q(mission__isnull=True), default=0.0),
        )
    )
    return {cell: BoxMinutes(delivered, passive) for cell, delivered, passive in rows}


class _Lines:
    """The lines of the report, made when first met."""

    def __init__(self) -> None:
        self.total = DoseLine(_("All"))
        self.beats: dict[str, DoseLine] = {}
        self.shifts: dict[str, DoseLine] = {}
        self.crime_types: dict[str, DoseLine] = {}
        self.weeks: dict[str, DoseLine] = {}
        self._met: dict[tuple[str, str, str | None, dt.date], tuple[DoseLine, ...]] = {}

    def of(self, beat: str, shift: str, crime_type: str | None, on: dt.date) -> tuple[DoseLine, ...]:
        """The lines that a mission counts in; the week is named by its Monday."""
        # Of tens of thousands of missions many share all four: their lines are looked up once.
        key = (beat, shift, crime_type, on)
        if key not in self._met:
            found = [
                self.total,
                self._line(self.beats, beat),
                self._line(self.shifts, shift),
                self._line(self.weeks, (on - dt.timedelta(days=on.weekday())).isoformat()),
            ]
            if crime_type is not None:
                found.append(self._line(self.crime_types, crime_type, passive=None))
            self._met[key] = tuple(found)
        return self._met[key]

    @staticmethod
    def _line(lines: dict[str, DoseLine], name: str, *, passive: float | None = 0.0) -> DoseLine:
        if name not in lines:
            lines[name] = DoseLine(name, passive=passive)
        return lines[name]

    @staticmethod
    def sorted(lines: dict[str, DoseLine]) -> list[DoseLine]:
        return [lines[name] for name in sorted(lines)]
