"""Kinds of feed that read a whole file of their own format: calendars, tables of events, weather. No mapping is needed."""

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from django.utils.translation import gettext as _

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
from missions_project.lib.lazy import gettext_lazy

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
            _("Files of the kind “%(label)s” are read as a whole and need no mapping.")
            % {"label": self.label},
            _("import the file directly."),
        )

    @abstractmethod
    def items(self, path: Path, context: FileContext) -> Iterable[EventItem | WeatherItem]:
        """Usable rows and rows kept aside, in the file's order, the same each time. Raises ``SourceError``."""

    def _bytes(self, path: Path) -> bytes:
        if not path.is_file():
            raise SourceError(_("There is no file %(name)s.") % {"name": path.name}, _("check the path."))
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise SourceError(
                _("The file has %(size)s MB; at most %(max_file_bytes)s MB are read.")
                % {"size": f"{size / 2**20:.0f}", "max_file_bytes": MAX_FILE_BYTES // 2**20},
                _("export fewer years."),
            )
        if size == 0:
            raise SourceError(_("The file is empty."), _("export it again."))
        return path.read_bytes()

    def _text(self, path: Path) -> str:
        data = self._bytes(path)
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            raise SourceError(
                _("The file is not UTF-8 text."),
                _("export it again as UTF-8."),
                row=data[: exc.start].count(b"\n") + 1,
            ) from exc


def _no_table(error: csv.Error) -> SourceError:
    return SourceError(
        _("The file is no table of text (%(error)s).") % {"error": error},
        _("look for a quote that is never closed, or export it again."),
    )


def whole_file_class(kind: str) -> type[WholeFileSource] | None:
    """The class of this kind if it reads whole files; None for kinds whose rows are mapped. Unknown kinds raise ``SourceError``."""
    found: Any = source_class(kind)
    return found if isinstance(found, type) and issubclass(found, WholeFileSource) else None


_KIND: dict[str, Any] = {
    "label": gettext_lazy("Kind of event where the file does not say"),
    "help": gettext_lazy(
        "One word, such as game or festival: forecasts learn from all events of a kind together."
    ),
}
_DAYS: dict[str, Any] = {
    "label": gettext_lazy("Known so many days ahead"),
    "help": gettext_lazy(
        "For past events of a file that does not say when they were announced. 0: known since they were imported, so that "
        "nothing is learnt from events before that."
    ),
    "minimum": 0,
}
_PLACE: dict[str, Any] = {
    "label": gettext_lazy("Events without coordinates"),
    "help": gettext_lazy(
        "A home game that a calendar gives without a place is an event of the whole city, or is kept aside."
    ),
    "choices": (
        ("city", gettext_lazy("are events of the whole city")),
        ("quarantine", gettext_lazy("are kept aside")),
    ),
}


@dataclass(frozen=True)
class CalendarParameters:
    kind: str = parameter("event", **_KIND)
    unknown_place: str = parameter("city", **_PLACE)
    announced_days: int = parameter(0, **_DAYS)
    use_created: bool = parameter(
        True,
        label=gettext_lazy("CREATED says since when it is known"),
        help=gettext_lazy("Switch off if the calendar writes the moment of its export there."),
    )
    horizon_days: int = parameter(
        400,
        label=gettext_lazy("Write out so many days ahead"),
        help=gettext_lazy(
            "Events that recur for ever are written out until then; import the calendar again from time to time."
        ),
        minimum=1,
    )
    past_days: int = parameter(
        5 * 366,
        label=gettext_lazy("Read so many days back"),
        help=gettext_lazy("Older events teach nothing about today."),
        minimum=0,
    )
    missing_is_cancelled: bool = parameter(
        True,
        label=gettext_lazy("What the file no longer holds is off"),
        help=gettext_lazy(
            "Future events of this feed that a new file does not name are marked as cancelled."
        ),
    )


@register
class ICalFile(WholeFileSource):
    """A calendar as .ics, exported or downloaded."""

    kind = "ical_file"
    label = gettext_lazy("Calendar (iCalendar, .ics)")
    help = gettext_lazy(
        "Scheduled events: games, festivals, markets. Recurrence and time zones are understood."
    )
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
        label=gettext_lazy("What the file no longer holds is off"),
        help=gettext_lazy(
            "Future events of this feed that a new file does not name are marked as cancelled."
        ),
    )


@register
class EventsCsv(WholeFileSource):
    """A table of events."""

    kind = "events_csv"
    label = gettext_lazy("Table of scheduled events (CSV)")
    help = gettext_lazy(
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
        "c",
        label=gettext_lazy("Temperatures are in"),
        help="",
        choices=(("c", "°C"), ("f", "°F"), ("k", "K")),
    )
    precipitation_unit: str = parameter(
        "mm",
        label=gettext_lazy("Rain is in"),
        help=gettext_lazy("Melted snow counts as rain."),
        choices=(
            ("mm", gettext_lazy("mm")),
            ("in", gettext_lazy("inches")),
            ("tenths_mm", gettext_lazy("tenths of a mm")),
        ),
    )
    snow_unit: str = parameter(
        "mm",
        label=gettext_lazy("Fresh snow is in"),
        help=gettext_lazy("NOAA's daily tables give mm."),
        choices=(("mm", gettext_lazy("mm")), ("cm", gettext_lazy("cm")), ("in", gettext_lazy("inches"))),
    )
    wind_unit: str = parameter(
        "ms",
        label=gettext_lazy("Wind is in"),
        help="",
        choices=(
            ("ms", "m/s"),
            ("kmh", gettext_lazy("km/h")),
            ("mph", gettext_lazy("mph")),
            ("kn", gettext_lazy("knots")),
        ),
    )


@register
class WeatherCsv(WholeFileSource):
    """A table of days or hours."""

    kind = "weather_csv"
    label = gettext_lazy("Weather table (CSV)")
    help = gettext_lazy(
        "Days or hours with temperature (or tmax and tmin), prcp, snow, wind; forecasts with issued_at."
    )
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
    label = gettext_lazy("Weather forecast (JSON of Open-Meteo or the US NWS)")
    help = gettext_lazy(
        "A document of hourly figures. Its issue time is that of the import, or the document's own."
    )
    record_kind = "weather"
    Parameters: ClassVar[type] = NoParameters

    def items(self, path: Path, context: FileContext) -> Iterable[WeatherItem]:
        text = self._text(path)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as exc:
            # Not JSONDecodeError alone: a number of five thousand digits is refused by another one.
            raise SourceError(
                _("This is no JSON (%(exc)s).") % {"exc": str(exc)[:80]}, _("download the document again.")
            ) from exc
        try:
            return read_weather_document(document, issued_at=context.now)
        except WeatherProblem as exc:
            raise SourceError(str(exc), exc.next_step) from exc
