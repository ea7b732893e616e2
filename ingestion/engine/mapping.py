"""How to read one feed: which column is which field, in what format, zone and coordinate system."""

import codecs
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingestion.engine.privacy import screen_columns
from ingestion.engine.timestamps import ISO, format_problem

RecordKind = Literal["incidents", "calls", "gunfire"]
RECORD_KINDS: tuple[RecordKind, ...] = ("incidents", "calls", "gunfire")
DISCOVERIES = ("reported", "sensor", "officer_initiated")
WGS84_EPSG = 4326
DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class FieldInfo:
    """One thing that a column may mean."""

    name: str
    label: str
    help: str
    max_characters: int = 0
    may_be_constant: bool = False


FIELDS: Mapping[str, FieldInfo] = MappingProxyType(
    {
        info.name: info
        for info in (
            FieldInfo(
                "external_id",
                "Identifier",
                "The record's own number. A row that comes again updates it.",
                100,
            ),
            FieldInfo(
                "datasource",
                "Data source",
                "Where several systems share a file: part of the identifier.",
                60,
                True,
            ),
            FieldInfo(
                "code", "Offence or nature code", "The agency's own code; mapped to crime types.", 60, True
            ),
            FieldInfo(
                "nibrs_code", "NIBRS code", "Decides what the row is, whatever its own code says.", 20, True
            ),
            FieldInfo(
                "ucr_code", "UCR or FBI code", "Decides like the NIBRS code where there is none.", 20, True
            ),
            FieldInfo(
                "description",
                "Offence description",
                "Screened for refused offences; never stored with the incident.",
                400,
                True,
            ),
            FieldInfo(
                "occurred_from", "Occurred (from)", "When it happened, or the earliest it can have.", 60
            ),
            FieldInfo(
                "occurred_from_time",
                "Occurred (from): time of day",
                "Where the time of day of “Occurred (from)” has a column of its own. Empty: the whole day.",
                40,
            ),
            FieldInfo(
                "occurred_to", "Occurred (to)", "The latest it can have happened. Empty: a moment.", 60
            ),
            FieldInfo(
                "occurred_to_time",
                "Occurred (to): time of day",
                "Where the time of day of “Occurred (to)” has a column of its own. Empty: the whole day.",
                40,
            ),
            FieldInfo(
                "reported_at", "Reported", "When the agency learnt of it: forecasts see it from then on.", 60
            ),
            FieldInfo(
                "reported_at_time",
                "Reported: time of day",
                "Where the time of day of “Reported” has a column of its own. Empty: the whole day.",
                40,
            ),
            FieldInfo("last_updated", "Last updated", "The newer version of a record wins.", 60),
            FieldInfo(
                "stage",
                "Stage of the alert",
                "Gunfire only: detected, reviewed, reclassified or dismissed. The last wins.",
                40,
            ),
            FieldInfo("stage_at", "Time of the stage", "When the alert reached this stage.", 60),
            FieldInfo("lon", "Longitude", "Degrees east, WGS84.", 40),
            FieldInfo("lat", "Latitude", "Degrees north, WGS84.", 40),
            FieldInfo("x", "X (easting)", "In the coordinate system declared below.", 40),
            FieldInfo("y", "Y (northing)", "In the coordinate system declared below.", 40),
            FieldInfo(
                "unit",
                "Unit",
                "Calls only: the unit's call sign. Kept for officer-initiated calls, where the agency has such a unit; nothing "
                "else that stands there is stored.",
                60,
            ),
            FieldInfo(
                "discovery",
                "How it became known",
                "Officer-initiated incidents never train a model.",
                60,
                True,
            ),
        )
    }
)
TIME_FIELDS = ("occurred_from", "occurred_to", "reported_at", "last_updated", "stage_at")
CLOCK_FIELDS: Mapping[str, str] = MappingProxyType(
    {name: f"{name}_time" for name in ("occurred_from", "occurred_to", "reported_at")}
)
"""Field of a date → field of its time of day, where that has a column of its own."""


@dataclass(frozen=True)
class MappingProblem:
    """What is wrong with a mapping: the setting or field at fault, what, and the next step."""

    setting: str
    message: str

    def __str__(self) -> str:
        return f"{self.setting}: {self.message}"


class MappingError(ValueError):
    """A mapping that cannot be used; ``problems`` says why, one entry a fault."""

    def __init__(self, problems: Sequence[MappingProblem]) -> None:
        super().__init__(" ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


@lru_cache(maxsize=256)
def _crs_problem(epsg: int) -> str:
    if epsg == WGS84_EPSG:
        return ""
    # Only for other systems: it takes a sixth of what opens with this module.
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        CRS.from_epsg(epsg)
    except CRSError:
        return f"EPSG:{epsg} is no coordinate system that we know. Enter its EPSG number, for example 4326 or 3435."
    return ""


@dataclass(frozen=True)
class FeedMapping:
    """Which column of a feed means what. Columns that are not named here are never stored.

    ``columns``: field → column name. ``constants``: field → value for every row. ``date_format``: "iso", "epoch",
    "epoch_ms" or a strptime format. ``time_zone``: IANA name, empty for the agency's. ``crs``: EPSG of
    ``x`` and ``y``; ``lon`` and ``lat`` are always WGS84 degrees. ``delimiter`` and ``encoding``: empty
    means found out from the file. A date and its time of day may stand in two columns (``CLOCK_FIELDS``). ``id_prefix`` is put before every identifier. ``code_separator``: a cell
    may hold several codes joined by it. ``discovery_values``: the feed's words (lower case) → ours.
    ``ignored_codes`` are counted and never stored.
    """

    record_kind: RecordKind = "incidents"
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    date_format: str = ISO
    time_zone: str = ""
    crs: int = WGS84_EPSG
    delimiter: str = ""
    encoding: str = ""
    id_prefix: str = ""
    code_separator: str = ""
    discovery_values: Mapping[str, str] = field(default_factory=dict)
    ignored_codes: tuple[str, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns that are read, each once, in the order of the fields."""
        return tuple(dict.fromkeys(self.columns[name] for name in FIELDS if name in self.columns))

    @property
    def is_projected(self) -> bool:
        """True where the place comes as x and y in ``crs``."""
        return "x" in self.columns

    def replaced(self, **changes: Any) -> "FeedMapping":
        """A copy with these settings changed, for example the CRS that an upload declares."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain data for a JSON field; ``from_json`` gives the same mapping back."""
        data = asdict(self)
        data["ignored_codes"] = list(self.ignored_codes)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FeedMapping":
        """The mapping that was stored. Raises ``MappingError`` for data of another shape; does not validate further."""
        known = {item.name: item for item in fields(cls)}
        problems = [
            MappingProblem(str(name), "is no setting of a mapping. Take it out.")
            for name in data
            if name not in known
        ]
        values: dict[str, Any] = {}
        for name, value in data.items():
            expected: Any = {
                "crs": int,
                "columns": Mapping,
                "constants": Mapping,
                "discovery_values": Mapping,
                "ignored_codes": (list, tuple),
            }.get(name, str)
            if name == "ignored_codes" and isinstance(value, expected):
                values[name] = tuple(str(item) for item in value)
            elif name in known and (not isinstance(value, expected) or isinstance(value, bool)):
                problems.append(
                    MappingProblem(name, f"has a value of the wrong kind ({type(value).__name__}).")
                )
            elif isinstance(value, Mapping):
                values[name] = {str(key): str(item) for key, item in value.items()}
            else:
                values[name] = value
        if problems:
            raise MappingError(problems)
        return cls(**values)

    def problems(self, header: Iterable[str] | None = None) -> list[MappingProblem]:
        """Everything that is wrong with this mapping (and, given a file's header, with it for this file)."""
        found = [*self._field_problems(), *self._place_problems(), *self._setting_problems()]
        found += [
            MappingProblem(violation.column, violation.message)
            for violation in screen_columns(self.column_names)
        ]
        if header is not None:
            there = set(header)
            found += [
                MappingProblem(
                    name, f"column {column!r} is not in the file. Columns there: {', '.join(sorted(there))}."
                )
                for name, column in self.columns.items()
                if column not in there
            ]
        return found

    def validate(self, header: Iterable[str] | None = None) -> None:
        """Raise ``MappingError`` with every problem, or return."""
        problems = self.problems(header)
        if problems:
            raise MappingError(problems)

    def _has(self, name: str) -> bool:
        return bool(self.columns.get(name) or self.constants.get(name))

    def _field_problems(self) -> list[MappingProblem]:
        found = []
        for name in (*self.columns, *self.constants):
            if name not in FIELDS:
                found.append(MappingProblem(name, f"is no field. Fields are {', '.join(FIELDS)}."))
        for name in self.constants:
            if name in self.columns:
                found.append(MappingProblem(name, "is both a column and a constant. Keep one."))
            elif name in FIELDS and not FIELDS[name].may_be_constant:
                found.append(MappingProblem(name, "cannot be the same for every row. Map a column."))
        for name in ("external_id", "occurred_from"):
            if not self.columns.get(name):
                found.append(
                    MappingProblem(name, f"is not mapped. Choose the column of “{FIELDS[name].label}”.")
                )
        for date, clock in CLOCK_FIELDS.items():
            if clock in self.columns and not self.columns.get(date):
                found.append(
                    MappingProblem(
                        clock, f"is a time without a date. Choose the column of “{FIELDS[date].label}” too."
                    )
                )
            elif clock in self.columns and self.columns[clock] == self.columns[date]:
                found.append(
                    MappingProblem(
                        clock, "is the same column as the date. Map the date alone: it may hold both."
                    )
                )
        if "stage" in self.columns and self.record_kind != "gunfire":
            found.append(MappingProblem("stage", "is for gunfire detections only. Take it out."))
        if "unit" in self.columns and self.record_kind != "calls":
            found.append(MappingProblem("unit", "is for calls for service only. Take it out."))
        if "stage_at" in self.columns and "stage" not in self.columns:
            found.append(
                MappingProblem("stage_at", "is the time of a stage. Map the column of the stage too.")
            )
        needs_code = self.record_kind == "incidents" and not any(
            map(self._has, ("code", "nibrs_code", "ucr_code"))
        )
        if needs_code or (
            self.record_kind == "calls" and not (self._has("code") or self._has("description"))
        ):
            found.append(
                MappingProblem("code", "is not mapped. Choose the column of the offence or nature code.")
            )
        return found

    def _place_problems(self) -> list[MappingProblem]:
        degrees = [name for name in ("lon", "lat") if self.columns.get(name)]
        metres = [name for name in ("x", "y") if self.columns.get(name)]
        if len(degrees) == 2 and not metres:
            if self.columns["lon"] == self.columns["lat"]:
                return [MappingProblem("lat", "is the same column as the longitude. Choose two columns.")]
            return []
        if len(metres) == 2 and not degrees:
            problem = _crs_problem(self.crs)
            return [MappingProblem("crs", problem)] if problem else []
        return [
            MappingProblem(
                "lon",
                "the place needs either longitude and latitude, or x and y with their EPSG code: one pair, complete.",
            )
        ]

    def _setting_problems(self) -> list[MappingProblem]:
        found = []
        if self.record_kind not in RECORD_KINDS:
            found.append(MappingProblem("record_kind", f"must be one of {', '.join(RECORD_KINDS)}."))
        problem = format_problem(self.date_format)
        if problem:
            found.append(MappingProblem("date_format", f"{self.date_format!r}: {problem}."))
        if self.time_zone:
            try:
                ZoneInfo(self.time_zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                found.append(
                    MappingProblem(
                        "time_zone",
                        f"{self.time_zone!r} is no time zone. Use a name such as America/Chicago.",
                    )
                )
        if self.delimiter and self.delimiter not in DELIMITERS:
            found.append(
                MappingProblem("delimiter", "must be a comma, semicolon, tab or vertical bar, or empty.")
            )
        if self.encoding:
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                found.append(
                    MappingProblem(
                        "encoding", f"{self.encoding!r} is no encoding. Use utf-8, cp1252 or leave empty."
                    )
                )
        found += [
            MappingProblem(
                "discovery_values", f"{word!r} → {ours!r}: must be one of {', '.join(DISCOVERIES)}."
            )
            for word, ours in self.discovery_values.items()
            if ours not in DISCOVERIES
        ]
        constant = self.constants.get("discovery", "")
        if constant and constant not in DISCOVERIES:
            found.append(
                MappingProblem("discovery", f"the constant must be one of {', '.join(DISCOVERIES)}.")
            )
        return found


def as_record_kind(text: str) -> RecordKind:
    """The record kind of this name. Raises ``MappingError`` for any other."""
    if text not in RECORD_KINDS:
        raise MappingError([MappingProblem("record_kind", f"must be one of {', '.join(RECORD_KINDS)}.")])
    return text
