"""What the shift board shows, worked out from rows: states, groups by beat, filters, boxes for the map."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from agencies.clocks import clock_text
from agencies.models import Agency, Beat, CrimeType, District
from forecasting.engine.grid import GridSpec
from patrols.areas import box_rings as box_rings  # other rooms look for it here
from patrols.models import Engagement, Mission

SIGNS = {"planned": "○", "assigned": "◎", "under way": "◐", "done": "●", "missed": "✕", "withdrawn": "⊘"}
STATES = tuple(SIGNS)
UNREAD = object()


LATE = dt.timedelta(minutes=30)
"""A mission nobody went to is missed this long after its last visit should have ended, or when the shift is over."""


def last_chance(mission: Mission) -> dt.datetime:
    """When an unvisited mission counts as missed."""
    last = max(dt.datetime.fromisoformat(text) for text in mission.current_starts)
    return min(mission.plan.period_to, last + dt.timedelta(minutes=mission.dose_minutes) + LATE)


def visits_to(mission: Mission) -> list[Engagement]:
    """The visits made so far, as they were fetched with the mission."""
    made: list[Engagement] | None = getattr(mission, "visits_made", None)
    return list(mission.engagements.all()) if made is None else made


def visit_ends(mission: Mission) -> list[dt.datetime | None]:
    """When each visit made so far ended, None for one that goes on. No query when fetched so."""
    ends: list[dt.datetime | None] | None = getattr(mission, "visit_ends", None)
    return [visit.left_at for visit in visits_to(mission)] if ends is None else ends


def unit_of(mission: Mission) -> tuple[int | None, str]:
    """Return the key and call sign of the unit that is to go; (None, "") where nobody is. No query when fetched so."""
    if (sign := getattr(mission, "unit_sign", UNREAD)) is not UNREAD:
        return getattr(mission, "unit_key", None), str(sign or "")
    unit = mission.assignment.unit if hasattr(mission, "assignment") else None
    return (unit.pk, unit.call_sign) if unit else (None, "")


def mission_state(mission: Mission, now: dt.datetime) -> str:
    """Return one of ``STATES`` from the mission's own rows. No query when fetched with details."""
    if mission.withdrawn_at:
        return "withdrawn"
    ends = visit_ends(mission)
    if None in ends:
        return "under way"
    if ends:
        return "done"
    if now >= last_chance(mission):
        return "missed"
    return "assigned" if unit_of(mission)[0] else "planned"


@dataclass(frozen=True)
class MissionRow:
    """A mission as the list shows it; times in the agency's zone. ``unit`` is a call sign, empty for nobody yet.

    ``label`` is the number on map, list and paper; 1.3 is the third mission of the first decision during the shift.
    """

    mission: Mission
    state: str
    visits: tuple[tuple[dt.datetime, dt.datetime], ...]
    unit: str
    unit_id: int | None
    label: str

    @property
    def css(self) -> str:
        return self.state.replace(" ", "-")

    @property
    def sign(self) -> str:
        return SIGNS[self.state]

    @property
    def marks(self) -> list[str]:
        """What people made of it, in a word or two each."""
        mission = self.mission
        marks = ["added"] if mission.source == Mission.Source.ADDED else []
        marks += ["moved"] if mission.moved_starts else []
        marks += (
            [_("decision %(decision)s") % {"decision": mission.plan.decision}]
            if mission.plan.decision
            else []
        )
        return [*marks, "swapped"] if mission.swapped_for_id else marks

    @property
    def expected(self) -> str:
        return f"{self.mission.expected:.3f}" if self.mission.source == Mission.Source.DRAWN else "–"

    @property
    def harm(self) -> str:
        return f"{self.mission.harm:.2f}" if self.mission.source == Mission.Source.DRAWN else "–"

    @property
    def times(self) -> list[str]:
        return [f"{clock_text(start)}–{clock_text(end)}" for start, end in self.visits]

    @property
    def drawn_times(self) -> list[str]:
        """When the visits were drawn to start, in the zone of ``visits``."""
        zone = self.visits[0][0].tzinfo
        return [
            clock_text(dt.datetime.fromisoformat(text).astimezone(zone)) for text in self.mission.visit_starts
        ]

    @property
    def place(self) -> str:
        return self.mission.place or _("Cell %(cell_id)s") % {"cell_id": self.mission.cell_id}


@dataclass(frozen=True)
class BeatRows:
    """A beat's missions, with the units that carry them out."""

    beat: Beat
    rows: tuple[MissionRow, ...]

    @property
    def harm(self) -> float:
        return sum(row.mission.harm for row in self.rows)

    @property
    def units(self) -> list[str]:
        return sorted({row.unit for row in self.rows if row.unit})

    @property
    def is_crowded(self) -> bool:
        """More missions than fit on a printed page beside a large map."""
        return len(self.rows) > 6


def mission_rows(missions: Iterable[Mission], *, zone: str, now: dt.datetime) -> list[MissionRow]:
    """Return the missions with their state and visit times. No query when fetched with details."""
    tz = ZoneInfo(zone)
    made = []
    for mission in missions:
        starts = [dt.datetime.fromisoformat(text).astimezone(tz) for text in mission.current_starts]
        dose = dt.timedelta(minutes=mission.dose_minutes)
        visits = tuple((start, start + dose) for start in starts)
        unit_id, unit = unit_of(mission)
        decision = mission.plan.decision
        label = f"{decision}.{mission.number}" if decision else str(mission.number)
        made.append(MissionRow(mission, mission_state(mission, now), visits, unit, unit_id, label))
    return made


def rows_by_beat(rows: list[MissionRow]) -> list[BeatRows]:
    """Group rows by beat, beats by code."""
    ordered = sorted(
        rows, key=lambda row: (row.mission.beat.code, row.mission.plan.decision, row.mission.number)
    )
    return [
        BeatRows(next(iter(group)).mission.beat, tuple(group))
        for group in (list(items) for _, items in groupby(ordered, key=lambda row: row.mission.beat_id))
    ]


def state_counts(rows: list[MissionRow]) -> list[tuple[str, int]]:
    """How many missions are in each state, only those that occur."""
    counts = {state: sum(row.state == state for row in rows) for state in STATES}
    return [(state, n) for state, n in counts.items() if n]


@dataclass(frozen=True)
class Filter:
    """Which missions are shown: districts by code and crime types by slug; empty means all."""

    districts: frozenset[str]
    types: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.districts or self.types)

    def shows(self, row: MissionRow) -> bool:
        return (not self.districts or row.mission.beat.district.code in self.districts) and (
            not self.types or row.mission.crime_type.slug in self.types
        )


def districts_of(rows: list[MissionRow]) -> list[District]:
    """The districts that occur among the missions, by code."""
    found = {row.mission.beat.district_id: row.mission.beat.district for row in rows}
    return sorted(found.values(), key=lambda district: district.code)


def missions_geojson(spec: GridSpec, rows: list[MissionRow]) -> dict[str, Any]:
    """Return the missions' boxes as a FeatureCollection, numbered as in the list. No query."""
    rings = box_rings(spec, [row.mission.cell_id for row in rows])
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": row.mission.pk,
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": mission_properties(row),
            }
            for row, ring in zip(rows, rings, strict=True)
        ],
    }


def mission_properties(row: MissionRow) -> dict[str, Any]:
    """A mission's facts as plain data, for maps and exports."""
    mission = row.mission
    return {
        "number": mission.number,
        "text": row.label,
        "decision": mission.plan.decision,
        "beat": mission.beat.code,
        "place": row.place,
        "crime_type": mission.crime_type.slug,
        "label": mission.crime_type.name,
        "letter": mission.crime_type.letter,
        "colour": mission.crime_type.colour,
        "state": row.state,
        "unit": row.unit,
        "starts": [start.isoformat(timespec="minutes") for start, _ in row.visits],
        "dose_minutes": mission.dose_minutes,
        "expected": float(f"{mission.expected:.4g}"),
        "harm": float(f"{mission.harm:.4g}"),
        "probability": float(f"{mission.probability:.4g}"),
        "source": mission.source,
    }


PATTERNS = ("up", "dots", "down", "level", "upright", "cross", "grid", "rings")
"""Hatchings by name, in the order in which an agency's crime types get them; templates/patrols/_patterns.html draws them."""


@dataclass(frozen=True)
class TypePattern:
    """How boxes of a crime type are filled: its colour, a hatching, and the ink that can be read on the colour."""

    crime_type: CrimeType
    pattern: str
    ink: str


def ink_on(colour: str) -> str:
    """Black or white, whichever can be read on this colour ("#rrggbb")."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#fff"


def type_patterns(agency: Agency) -> list[TypePattern]:
    """Return every crime type's look; a type keeps its pattern for good, as keys do not change. One query."""
    return [
        TypePattern(crime_type, PATTERNS[position % len(PATTERNS)], ink_on(crime_type.colour))
        for position, crime_type in enumerate(CrimeType.objects.filter(agency=agency).order_by("pk"))
    ]


def type_style_sheet(agency: Agency) -> str:
    """Return CSS that gives each crime type's box its colour: inline styles are blocked by the page's policy."""
    return "\n".join(
        f".type-{look.crime_type.slug}{{background:{look.crime_type.colour};border-color:{look.crime_type.colour};"
        f"color:{look.ink};fill:{look.crime_type.colour}}}"
        for look in type_patterns(agency)
    )
