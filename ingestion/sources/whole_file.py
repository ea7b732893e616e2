"""Kinds of feed that read a whole file of their own format: calendars, tables of events, weather. No mapping is needed."""

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from ingestion.engine.calendars import CalendarReading, read_calendar
from ingestion.engine.events import (
    EventItem,
    EventReading,
    EventTableProblem,
    kind_slug,
    read_events_csv,
)
from ingestion.engine.mapping import FeedMapping
from ingestion.engine.places import Boundary
from ingestion.engine.weather import (
    Units,
    WeatherItem,
    WeatherProblem,
    read_weather_csv,
)
from ingestion.engine.weather_documents import read_weather_document
from ingestion.sources.base import FileReader, SourceError, parameter, register, source_class
from missions_project.lib.lazy import gettext_lazy as _

MAX_FILE_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True)
class FileContext:
    """What a whole file is read against."""

    zone: str
    now: datetime
    boundary: Boundary | None = None


class WholeFileSource(ABC):
    """A kind whose file says itself what it holds. ``record_kind`` is the only one that its feeds can have."""

    kind: ClassVar[str]
    label: ClassVar[str]
    help: ClassVar[str]
    record_kind: ClassVar[str]
    Parameters: ClassVar[type]

    def __init__(self, parameters: Any = None) -> None:
        self.parameters = parameters if parameters is not None else self.Parameters()

    def open(self, path: Path, *, mapping: FeedMapping | None = None) -> FileReader:
        """Such files have no columns to map."""
        raise SourceError(
            f"Files of the kind “{self.label}” are read as a whole and need no mapping.",
            "import the file directly.",
        )

    @abstractmethod
    def items(self, path: Path, context: FileContext) -> Iterable[EventItem | WeatherItem]:
        """Usable rows and rows kept aside, in the file's order, the same each time. Raises ``SourceError``."""

    def _bytes(self, path: Path) -> bytes:
        if not path.is_file():
            raise SourceError(f"There is no file {path.name}.", "check the path.")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise SourceError(
                f"The file has {size / 2**20:.0f} MB; at most {MAX_FILE_BYTES // 2**20} MB are read.",
                "export fewer years.",
            )
        if size == 0:
            raise SourceError("The file is empty.", "export it again.")
        return path.read_bytes()

    def _text(self, path: Path) -> str:
        data = self._bytes(path)
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            raise SourceError(
                "The file is not UTF-8 text.",
                "export it again as UTF-8.",
                row=data[: exc.start].count(b"\n") + 1,
            ) from exc


def _no_table(error: csv.Error) -> SourceError:
    return SourceError(
        f"The file is no table of text ({error}).",
        "look for a quote that is never closed, or export it again.",
    )


def whole_file_class(kind: str) -> type[WholeFileSource] | None:
    """The class of this kind if it reads whole files; None for kinds whose rows are mapped. Unknown kinds raise ``SourceError``."""
    found: Any = source_class(kind)
    return found if isinstance(found, type) and issubclass(found, WholeFileSource) else None


_KIND: dict[str, Any] = {
    "label": _("Kind of event where the file does not say"),
    "help": _("One word, such as game or festival: forecasts learn from all events of a kind together."),
}
_DAYS: dict[str, Any] = {
    "label": _("Known so many days ahead"),
    "help": _(
        "For past events of a file that does not say when they were announced. 0: known since they were imported, so that "
        "nothing is learnt from events before that."
    ),
    "minimum": 0,
}
_PLACE: dict[str, Any] = {
    "label": _("Events without coordinates"),
    "help": _(
        "A home game that a calendar gives without a place is an event of the whole city, or is kept aside."
    ),
    "choices": (("city", _("are events of the whole city")), ("quarantine", _("are kept aside"))),
}


@dataclass(frozen=True)
class CalendarParameters:
    kind: str = parameter("event", **_KIND)
    unknown_place: str = parameter("city", **_PLACE)
    announced_days: int = parameter(0, **_DAYS)
    use_created: bool = parameter(
        True,
        label=_("CREATED says since when it is known"),
        help=_("Switch off if the calendar writes the moment of its export there."),
    )
    horizon_days: int = parameter(
        400,
        label=_("Write out so many days ahead"),
        help=_(
            "Events that recur for ever are written out until then; import the calendar again from time to time."
        ),
        minimum=1,
    )
    past_days: int = parameter(
        5 * 366,
        label=_("Read so many days back"),
        help=_("Older events teach nothing about today."),
        minimum=0,
    )
    missing_is_cancelled: bool = parameter(
        True,
        label=_("What the file no longer holds is off"),
        help=_("Future events of this feed that a new file does not name are marked as cancelled."),
    )


@register
class ICalFile(WholeFileSource):
    """A calendar as .ics, exported or downloaded."""

    kind = "ical_file"
    label = _("Calendar (iCalendar, .ics)")
    help = _("Scheduled events: games, festivals, markets. Recurrence and time zones are understood.")
    record_kind = "events"
    Parameters: ClassVar[type] = CalendarParameters

    def items(self, path: Path, context: FileContext) -> Iterable[EventItem]:
        given: CalendarParameters = self.parameters
        how = CalendarReading(
            past_days=min(given.past_days, 20 * 366),
            horizon_days=min(given.horizon_days, 3 * 366),
            use_created=given.use_created,
        )
        try:
            # All of it before the first is handed on: a calendar that is too large leaves nothing behind.
            return list(read_calendar(self._bytes(path), _event_reading(given, context), how))
        except EventTableProblem as exc:
            raise SourceError(str(exc), exc.next_step) from exc


@dataclass(frozen=True)
class EventTableParameters:
    kind: str = parameter("event", **_KIND)
    unknown_place: str = parameter("city", **_PLACE)
    announced_days: int = parameter(0, **_DAYS)
    missing_is_cancelled: bool = parameter(
        False,
        label=_("What the file no longer holds is off"),
        help=_("Future events of this feed that a new file does not name are marked as cancelled."),
    )


@register
class EventsCsv(WholeFileSource):
    """A table of events."""

    kind = "events_csv"
    label = _("Table of scheduled events (CSV)")
    help = _(
        "Columns starts_at, and if known ends_at, announced_at, id, name, kind, lat, lon, attendance, status."
    )
    record_kind = "events"
    Parameters: ClassVar[type] = EventTableParameters

    def items(self, path: Path, context: FileContext) -> Iterable[EventItem]:
        try:
            return list(read_events_csv(self._text(path), _event_reading(self.parameters, context)))
        except EventTableProblem as exc:
            raise SourceError(str(exc), exc.next_step) from exc
        except csv.Error as exc:
            raise _no_table(exc) from exc


def _event_reading(given: Any, context: FileContext) -> EventReading:
    return EventReading(
        zone=context.zone,
        now=context.now,
        boundary=context.boundary,
        kind=kind_slug(given.kind) or "event",
        announced_days=given.announced_days,
        place_needed=given.unknown_place == "quarantine",
    )


@dataclass(frozen=True)
class WeatherTableParameters:
    temperature_unit: str = parameter(
        "c", label=_("Temperatures are in"), help="", choices=(("c", "°C"), ("f", "°F"), ("k", "K"))
    )
    precipitation_unit: str = parameter(
        "mm",
        label=_("Rain is in"),
        help=_("Melted snow counts as rain."),
        choices=(("mm", "mm"), ("in", "inches"), ("tenths_mm", _("tenths of a mm"))),
    )
    snow_unit: str = parameter(
        "mm",
        label=_("Fresh snow is in"),
        help=_("NOAA's daily tables give mm."),
        choices=(("mm", "mm"), ("cm", "cm"), ("in", "inches")),
    )
    wind_unit: str = parameter(
        "ms",
        label=_("Wind is in"),
        help="",
        choices=(("ms", "m/s"), ("kmh", "km/h"), ("mph", "mph"), ("kn", "knots")),
    )


@register
class WeatherCsv(WholeFileSource):
    """A table of days or hours."""

    kind = "weather_csv"
    label = _("Weather table (CSV)")
    help = _("Days or hours with temperature (or tmax and tmin), prcp, snow, wind; forecasts with issued_at.")
    record_kind = "weather"
    Parameters: ClassVar[type] = WeatherTableParameters

    def items(self, path: Path, context: FileContext) -> Iterable[WeatherItem]:
        given: WeatherTableParameters = self.parameters
        units = Units(given.temperature_unit, given.precipitation_unit, given.snow_unit, given.wind_unit)
        try:
            return list(read_weather_csv(self._text(path), zone=context.zone, now=context.now, units=units))
        except WeatherProblem as exc:
            raise SourceError(str(exc), exc.next_step) from exc
        except csv.Error as exc:
            raise _no_table(exc) from exc


@dataclass(frozen=True)
class NoParameters:
    """Nothing to set: units and times stand in the document."""


@register
class WeatherJson(WholeFileSource):
    """A forecast as a public service hands it out."""

    kind = "weather_json"
    label = _("Weather forecast (JSON of Open-Meteo or the US NWS)")
    help = _("A document of hourly figures. Its issue time is that of the import, or the document's own.")
    record_kind = "weather"
    Parameters: ClassVar[type] = NoParameters

    def items(self, path: Path, context: FileContext) -> Iterable[WeatherItem]:
        try:
            return read_weather_document(json.loads(self._text(path)), issued_at=context.now)
        except WeatherProblem as exc:
            raise SourceError(str(exc), exc.next_step) from exc
        except (json.JSONDecodeError, RecursionError) as exc:
            raise SourceError(f"This is no JSON ({str(exc)[:80]}).", "download the document again.") from exc
