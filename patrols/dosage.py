"""Recommended against delivered dose, and how complete the records are: one reading for page, chart and file."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import Count, Q, Sum, TextField
from django.db.models.functions import Cast, TruncWeek
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency
from patrols.engine.reconcile import SOURCES
from patrols.models import Mission, MissionPlan, Presence, PresenceAccount

Floats = npt.NDArray[Any]
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
    accounts = list(
        PresenceAccount.objects.filter(agency=agency, on__range=(first, last)).values_list(
            "pk", "period_to", "done_at", "counts"
        )
    )
    # Named one by one: asked for by their days, the database reads the records of every year there is.
    over = [pk for pk, period_to, _done, _counts in accounts if period_to <= now]
    withdrawn = _missions_count(agency, first, last, now, over, lines)
    passive = (
        Presence.objects.filter(agency=agency, mission__isnull=True, account__in=over)
        .order_by()
        .values_list("beat__code", "account__shift__name", TruncWeek("account__on"))
        .annotate(minutes=Sum("minutes"))
    )
    for beat, shift, monday, minutes in passive:
        for line in lines.of(beat or _("no beat"), shift, monday):
            line.passive = (line.passive or 0.0) + minutes
    done = [counts for _pk, _period_to, done_at, counts in accounts if done_at is not None]
    instances = MissionPlan.objects.filter(
        agency=agency,
        state=MissionPlan.State.PUBLISHED,
        decision=0,
        on__range=(first, last),
        period_to__lte=now,
    ).aggregate(n=Count("pk"))["n"]
    clocks: dict[str, int] = {}
    for counts in done:
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
        counted_shifts=min(len(done), instances),
        contradicted_minutes=sum(sum(c.get("contradicted_minutes", {}).values()) for c in done),
        clocks=clocks,
        dispatch_records=sum(counts.get("dispatch_records", 0) for counts in done),
        dispatch_without_unit=sum(counts.get("dispatch_without_unit", 0) for counts in done),
    )


def _missions_count(
    agency: Agency, first: dt.date, last: dt.date, now: dt.datetime, over: list[int], lines: "_Lines"
) -> int:
    """Count the missions and what was spent at them (records of the accounts ``over``) into ``lines``; how many were withdrawn.

    Two queries.
    """
    rows = list(
        Mission.objects.filter(
            agency=agency,
            plan__agency=agency,
            plan__state=MissionPlan.State.PUBLISHED,
            plan__on__range=(first, last),
            plan__period_to__lte=now,
        )
        .order_by()
        .values_list(
            "pk", "beat__code", "plan__shift__name", "crime_type__name", "plan__on", "dose_minutes",
            Cast("visit_starts", TextField()), Cast("moved_starts", TextField()), "withdrawn_at",
        )
    )  # fmt: skip
    kept = [row for row in rows if not row[8]]
    asked = np.array([row[5] * (times_listed(row[7]) or times_listed(row[6])) for row in kept], dtype=float)
    spent = list(
        # Those without a mission too, one line a source: left out, the database would read the missions of every year.
        Presence.objects.filter(agency=agency, account__in=over)
        .order_by()
        .values_list("mission_id", "source")
        .annotate(minutes=Sum("minutes"))
    )
    # Records of withdrawn missions, and of none, stand beside none: -1.
    index = {row[0]: at for at, row in enumerate(kept)}
    place = np.array([index.get(row[0], -1) for row in spent], dtype=np.int64)
    minutes: dict[str, Floats] = {source: np.zeros(len(kept)) for source in SOURCES}
    records: dict[str, Floats] = {source: np.zeros(len(kept)) for source in SOURCES}
    of_source = np.array([row[1] for row in spent], dtype=np.str_)
    value = np.array([row[2] for row in spent], dtype=float)
    for source in SOURCES:
        # A mission has one row a source: no place is met twice.
        here = (place >= 0) & (of_source == source)
        minutes[source][place[here]] = value[here]
        records[source][place[here]] = 1
    for at, wanted in ((1, lines.beats), (2, lines.shifts), (3, lines.crime_types), (4, lines.weeks)):
        if at == 4:
            mondays = {on: lines.week_name(on) for on in {row[4] for row in kept}}
            names = [mondays[row[4]] for row in kept]
        else:
            names = [row[at] for row in kept]
        lines.add(wanted, names, asked, minutes, records, passive=None if at == 3 else 0.0)
    lines.add({lines.total.name: lines.total}, [lines.total.name] * len(kept), asked, minutes, records)
    return len(rows) - len(kept)


def times_listed(text: str | None) -> int:
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
    """Return what is on record in these boxes from the shifts of the window before a plan, by cell. Two queries.

    For people to see beside the planned minutes. Never for a draw: what was delivered depends on what happened, and plans that
    depended on it could not be drawn again.
    """
    since = plan.on - dt.timedelta(days=max(days - 1, 0))
    accounts = PresenceAccount.objects.filter(
        agency=agency, on__range=(since, plan.on), period_to__lte=plan.period_from
    )
    rows = (
        Presence.objects.filter(
            agency=agency,
            grid=plan.grid,
            cell_id__in=cells,
            account__in=list(accounts.values_list("pk", flat=True)),
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

    def of(self, beat: str, shift: str, monday: dt.date) -> tuple[DoseLine, ...]:
        """The lines that time without a mission counts in; nobody can say for which crime type."""
        return (
            self.total,
            self._line(self.beats, beat),
            self._line(self.shifts, shift),
            self._line(self.weeks, self.week_name(monday)),
        )

    @staticmethod
    def week_name(on: dt.date) -> str:
        """A week is named by its Monday."""
        return (on - dt.timedelta(days=on.weekday())).isoformat()

    def add(
        self,
        lines: dict[str, DoseLine],
        names: list[str],
        asked: Floats,
        minutes: dict[str, Floats],
        records: dict[str, Floats],
        *,
        passive: float | None = 0.0,
    ) -> None:
        """Add missions to the lines of these names. All at once: one by one, a year's take seconds."""
        number: dict[str, int] = {}
        places = np.array([number.setdefault(name, len(number)) for name in names], dtype=np.int64)

        def summed(values: Floats) -> list[float]:
            return np.bincount(places, weights=values, minlength=len(number)).tolist()  # type: ignore[no-any-return]

        recorded = summed(sum(records.values(), np.zeros(len(asked))) > 0)
        missions, recommended = summed(np.ones(len(asked))), summed(asked)
        by_source = {source: summed(values) for source, values in minutes.items()}
        counted = {source: summed(values) for source, values in records.items()}
        for name, at in number.items():
            line = self._line(lines, name, passive=passive)
            line.missions += int(missions[at])
            line.recorded += int(recorded[at])
            line.recommended += recommended[at]
            for source in SOURCES:
                line.delivered += by_source[source][at]
                line.by_source[source] += by_source[source][at]
                line.recorded_by_source[source] += int(counted[source][at])

    @staticmethod
    def _line(lines: dict[str, DoseLine], name: str, *, passive: float | None = 0.0) -> DoseLine:
        if name not in lines:
            lines[name] = DoseLine(name, passive=passive)
        return lines[name]

    @staticmethod
    def sorted(lines: dict[str, DoseLine]) -> list[DoseLine]:
        return [lines[name] for name in sorted(lines)]
