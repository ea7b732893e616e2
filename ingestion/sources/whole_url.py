"""Kinds of feed that fetch a whole file from an address: calendars, tables of events, weather. No mapping is needed."""

import csv
import json
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from ingestion.engine import events, weather
from ingestion.engine.slim import slim_calendar, slim_table, slim_weather
from ingestion.sources.base import SourceError, register
from ingestion.sources.containers import check_is_text
from ingestion.sources.url import UrlParameters, checked_address, request_headers, request_query
from ingestion.sources.whole_file import (
    CalendarParameters,
    EventsCsv,
    EventTableParameters,
    ICalFile,
    WeatherCsv,
    WeatherJson,
    WeatherTableParameters,
    WholeFileSource,
)
from missions_project.lib.http import Fetched, Fetcher, TryAgain, conditional_headers, shown_address
from missions_project.lib.lazy import gettext_lazy

Clock = Callable[[], datetime]
REREAD_AFTER = timedelta(days=6)
"""A calendar that is unchanged is read anew so often: rules without an end are written out further each time."""


@dataclass(frozen=True)
class WholeAnswer:
    """What an address gave: the file as it may be kept (None: unchanged), what to ask with next time, and when it came."""

    body: bytes | None
    cursor: dict[str, Any]
    read_at: datetime


class WholeUrlSource(WholeFileSource):
    """A file behind an address, fetched as a whole. The cursor holds the answer's validators and when it was read."""

    accept: ClassVar[str]
    rereads: ClassVar[bool] = False

    def __init__(self, parameters: Any = None) -> None:
        super().__init__(parameters)
        checked_address(self.parameters)

    def where(self) -> str:
        """The server and path, without anything secret, for logs and lists."""
        return shown_address(self.parameters.url).partition("://")[2]

    def fetch(self, cursor: Mapping[str, Any], fetcher: Fetcher, clock: Clock) -> WholeAnswer:
        """Ask the address for the file. What is never read of it is taken out before anybody can write it down.

        ``clock`` is read when the answer is there: waits for a busy server must not make a forecast older than it is.
        Raises ``MissionsError`` for an address that gives no such file.
        """
        old = self._is_old(cursor, clock())
        conditional = {} if old else conditional_headers(cursor.get("validators") or {})
        kept: list[bytes] = [b""]

        def check(fetched: Fetched) -> None:
            if not fetched.body.strip():
                # A server that is just starting answers so; the feed's last rows must not be called off for it.
                raise TryAgain(_("the answer is empty"))
            kept[0] = self.slim(fetched.body)

        fetched = fetcher.get(
            self.parameters.url,
            query=request_query(self.parameters),
            headers={**request_headers(self.parameters, self.accept), **conditional},
            check=check,
        )
        read_at = clock()
        if fetched.status == 304:
            return WholeAnswer(None, dict(cursor), read_at)
        return WholeAnswer(
            kept[0], {"validators": fetched.validators, "read_at": read_at.isoformat()}, read_at
        )

    def _is_old(self, cursor: Mapping[str, Any], now: datetime) -> bool:
        read_at = cursor.get("read_at")
        return self.rereads and (not read_at or now - datetime.fromisoformat(read_at) > REREAD_AFTER)

    @abstractmethod
    def slim(self, body: bytes) -> bytes:
        """The file without what is never read. Raises ``SourceError`` for one of another kind, ``TryAgain`` for half of one."""

    def _as_text(self, body: bytes) -> str:
        check_is_text(body[:4096])
        try:
            return body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise SourceError(
                _("%(where)s answered with text that is not UTF-8.") % {"where": self.where()},
                _("have it published as UTF-8."),
            ) from None

    def _table(self, body: bytes, words: Mapping[str, tuple[str, ...]]) -> bytes:
        try:
            return slim_table(self._as_text(body), words).encode()
        except csv.Error as exc:
            raise SourceError(
                _("%(where)s answered with no table of text (%(exc)s).")
                % {"where": self.where(), "exc": exc},
                _("check the address in a browser."),
            ) from exc


@dataclass(frozen=True)
class CalendarUrlParameters(CalendarParameters, UrlParameters):
    """An address, and how its calendar is read."""


@dataclass(frozen=True)
class EventsUrlParameters(EventTableParameters, UrlParameters):
    """An address, and how its table of events is read."""


@dataclass(frozen=True)
class WeatherTableUrlParameters(WeatherTableParameters, UrlParameters):
    """An address, and the units of its table."""


@register
class ICalUrl(WholeUrlSource, ICalFile):
    """A published calendar: a stadium's, a city's, a school district's."""

    kind = "ical_url"
    label = gettext_lazy("Calendar from an address (iCalendar)")
    help = gettext_lazy(
        "A published calendar (.ics), fetched by schedule. webcal:// addresses are https:// ones."
    )
    accept = "text/calendar, */*;q=0.5"
    rereads = True
    Parameters: ClassVar[type] = CalendarUrlParameters

    def slim(self, body: bytes) -> bytes:
        text = body.lstrip(b"\xef\xbb\xbf \t\r\n")
        if not text[:15].upper().startswith(b"BEGIN:VCALENDAR"):
            raise SourceError(
                _("%(where)s answered with something that is no calendar%(guess)s.")
                % {"where": self.where(), "guess": _guess(text)},
                _("open the address in a browser; it must give a file that begins with BEGIN:VCALENDAR."),
            )
        if not text.rstrip()[-13:].upper().endswith(b"END:VCALENDAR"):
            raise TryAgain(_("the calendar is cut off"))
        return slim_calendar(text)


@register
class EventsCsvUrl(WholeUrlSource, EventsCsv):
    """A published table of events."""

    kind = "events_csv_url"
    label = gettext_lazy("Table of scheduled events from an address (CSV)")
    help = gettext_lazy(
        "A published table, fetched by schedule, with the columns of the kind “Table of scheduled events”."
    )
    accept = "text/csv, */*;q=0.5"
    Parameters: ClassVar[type] = EventsUrlParameters

    def slim(self, body: bytes) -> bytes:
        return self._table(body, events.COLUMNS)


@register
class WeatherCsvUrl(WholeUrlSource, WeatherCsv):
    """A published table of days or hours."""

    kind = "weather_csv_url"
    label = gettext_lazy("Weather table from an address (CSV)")
    help = gettext_lazy(
        "A published table, fetched by schedule, with the columns of the kind “Weather table”."
    )
    accept = "text/csv, */*;q=0.5"
    Parameters: ClassVar[type] = WeatherTableUrlParameters

    def slim(self, body: bytes) -> bytes:
        return self._table(body, weather.COLUMNS)


@register
class WeatherJsonUrl(WholeUrlSource, WeatherJson):
    """A public weather service: what is foreseen, what was measured, or both."""

    kind = "weather_json_url"
    label = gettext_lazy("Weather service (JSON of Open-Meteo or the US NWS)")
    help = gettext_lazy(
        "Forecasts and observations of a public service, fetched by schedule; each forecast keeps its issue time."
    )
    accept = "application/geo+json, application/json"
    Parameters: ClassVar[type] = UrlParameters

    def slim(self, body: bytes) -> bytes:
        head = body[:400].lstrip(b"\xef\xbb\xbf \t\r\n")
        if head[:1] not in (b"{", b"["):
            raise SourceError(
                _("%(where)s answered with something that is not JSON%(guess)s.")
                % {"where": self.where(), "guess": _guess(head)},
                _("open the address in a browser; check it, and the feed's key."),
            )
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise TryAgain(_("the answer's JSON is cut off or damaged")) from None
        return json.dumps(slim_weather(document)).encode()


def _guess(head: bytes) -> str:
    return _(", but a web page: probably a sign-in or error page") if head[:1] == b"<" else ""
