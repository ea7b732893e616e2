"""Everything that reads what somebody else wrote: each parser with valid examples and the errors that may come out of it.

A parser reads bytes, as they come from a file or the network, to the last row. Whatever it raises besides its own errors is a
fault: the page or the import would answer with an error of ours instead of what is wrong and the next step.
"""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

NOW = dt.datetime(2024, 5, 1, 12, 30, tzinfo=dt.UTC)
ICAL = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:Here\r\nBEGIN:STANDARD\r\nDTSTART:19701101T020000\r\nTZOFFSETFROM:-0500\r\nTZOFFSETTO:-0600\r\n"
    b"RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20240101T000000Z\r\nCREATED:20240101T000000Z\r\nDTSTART;TZID=Here:20240501T190000\r\n"
    b"DTEND;TZID=Here:20240501T220000\r\nRRULE:FREQ=WEEKLY;COUNT=5;BYDAY=WE\r\nEXDATE;TZID=Here:20240508T190000\r\nSUMMARY:Game\r\nCATEGORIES:game,sport\r\nGEO:41.8;-87.7\r\nEND:VEVENT\r\n"
    b"BEGIN:VEVENT\r\nUID:2\r\nDTSTAMP:20240101T000000Z\r\nDTSTART;VALUE=DATE:20240601\r\nDURATION:P2D\r\nSTATUS:CANCELLED\r\nSUMMARY:Fair\\, of books\r\nEND:VEVENT\r\n"
    b"BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID;TZID=Here:20240515T190000\r\nDTSTART:20240516T000000Z\r\nSUMMARY:Moved\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)  # fmt: skip
EVENTS = b"id,starts_at,ends_at,announced_at,name,kind,lat,lon,attendance,status\r\n1,2024-05-01 19:00,2024-05-01 22:00,2024-01-01,Game,game,41.8,-87.7,20000,\r\n2,2024-06-01,,,Fair,fair,,,,cancelled\r\n"
WEATHER = b"date,tmax,tmin,prcp,snow,wind\r\n2024-05-01,20.1,10,0.5,0,3\r\n2024-05-02,,9,T,,\r\n"
HOURS = b"time,issued_at,temperature,prcp,wind\r\n2024-05-01T05:00,2024-04-30T00:00Z,10,0,3\r\n2024-05-01T06:00,,11,,\r\n"
OVERPASS = b'<?xml version="1.0"?><osm version="0.6"><node id="1" lat="41.81" lon="-87.69" version="1"><tag k="amenity" v="bar"/><tag k="name" v="Moe"/></node></osm>'
KML = b'<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>A</name><Point><coordinates>-87.69,41.81</coordinates></Point></Placemark></Document></kml>'
BIG = "9" * 5_000


@dataclass(frozen=True)
class Parser:
    """One reader. ``read`` raises one of ``allowed``, or nothing, whatever the bytes are. ``suffix`` names the file."""

    name: str
    examples: Callable[[], list[bytes]]
    read: Callable[[bytes], Any]
    allowed: Callable[[], tuple[type[BaseException], ...]]

    def fault(self, data: bytes) -> BaseException | None:
        """What came out that may not."""
        try:
            self.read(data)
        except self.allowed():
            return None
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is what is looked for
            return exc
        return None


def _with_file(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
    """The bytes as a file in a folder of its own."""

    def reading(data: bytes) -> Any:
        with tempfile.TemporaryDirectory(prefix="missions-fuzz-") as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            return read(path)

    return reading


def _source_errors() -> tuple[type[BaseException], ...]:
    from ingestion.sources import SourceError

    return (SourceError,)


def _missions_errors() -> tuple[type[BaseException], ...]:
    from missions_project.lib.errors import MissionsError

    return (MissionsError,)


def _geometry_problems() -> tuple[type[BaseException], ...]:
    from agencies.engine.geometry import GeometryProblem

    return (GeometryProblem,)


# Tables of incidents


def _rows_of(kind: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        from ingestion.sources import source_from
        from tests.ingestion.test_every_kind_of_file import mapping_of

        mapping = mapping_of(kind)
        reader = source_from(kind, {}).open(path, mapping=mapping)
        reader.sample()
        reader.survey(mapping)
        list(reader.head(mapping, 5))
        return list(reader.chunks(mapping, chunk_rows=7))

    return read


@cache
def _table(kind: str) -> bytes:
    from tests.ingestion.files import dirty_rows
    from tests.ingestion.reports import SUFFIX, WRITERS

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{SUFFIX[kind]}"
        WRITERS[kind](path, dirty_rows(12))
        return path.read_bytes()


def _zipped(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return target.getvalue()


def _tables(kind: str) -> list[bytes]:
    from tests.ingestion.reports import SUFFIX

    plain = _table(kind)
    found = [plain]
    if kind in ("csv_file", "json_lines_file", "ndex_xml_file"):
        found += [
            gzip.compress(plain, mtime=0),
            _zipped(f"a.{SUFFIX[kind]}", plain),
            plain.decode().encode("utf-16"),
        ]
    if kind == "json_lines_file":
        rows = [json.loads(line) for line in plain.splitlines()]
        found += [
            json.dumps(rows).encode(),
            json.dumps({"features": [{"properties": row} for row in rows]}, indent=1).encode(),
        ]
        found += [
            b'{"id": %s, "lat": 1e999}\n' % BIG.encode(),
            b'[{"id": "\\ud800", "lat": -0.0}]',
            b'{"id": {"a": [1, {"b": null}]}}\n',
        ]
    if kind == "csv_file":
        found += [b'id;occurred_at;lat;lon\r\n"1;2";"a\r\nb""c";1,5;\r\n', b"\xef\xbb\xbfid\tlat\n1\t2\n"]
    return found


# Areas and places


@cache
def _areas() -> list[bytes]:
    import geopandas
    import shapely

    shapes = [shapely.box(-87.70, 41.80, -87.69, 41.81), shapely.box(-87.69, 41.80, -87.68, 41.81)]
    table = geopandas.GeoDataFrame(
        {"CODE": ["11", "12"], "name": ["A", "B"], "n": [1.0, 2.0]}, geometry=shapes, crs=4326
    )
    found = [table.to_json().encode(), table.to_crs(32616).to_json().encode()]
    with tempfile.TemporaryDirectory() as folder:
        table.to_file(Path(folder) / "a.shp")
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(Path(folder).glob("a.*")):
                archive.writestr(part.name, part.read_bytes())
        found.append(target.getvalue())
        table.to_file(Path(folder) / "b.gpkg", driver="GPKG")
        found.append((Path(folder) / "b.gpkg").read_bytes())
    return found


def _read_areas(path: Path) -> Any:
    from agencies.engine.area_guesses import guess_code, guess_district, guess_name
    from agencies.engine.area_sets import areas_by_code
    from agencies.engine.geometry_files import areas_from_file

    file = areas_from_file(path)
    code = guess_code(file, "beats")
    guess_name(file, code)
    guess_district(file, code)
    return areas_by_code(file, code_property=code, repair=True) if code else None


def _read_here(path: Path, **given: Any) -> Any:
    """As ``places_read``, in this process: what is fuzzed has to be watched, and not confined."""
    from ingestion.places.base import PlacesProblem
    from ingestion.places.packing import packed, unpacked
    from ingestion.places.reading import places_from_file
    from missions_project.lib.errors import MissionsError

    try:
        return unpacked(json.loads(json.dumps(packed(places_from_file(path, **given)))))
    except PlacesProblem as exc:
        raise MissionsError(exc.message, next_step=exc.next_step) from exc


def _read_layer(path: Path) -> Any:
    from unittest.mock import patch

    from ingestion.services import layer_geojson

    with patch("ingestion.services.layers.places_read", _read_here):
        return layer_geojson(path, file_name="layer")


def _read_census(path: Path) -> Any:
    from unittest.mock import patch

    from ingestion.audit.services import audit_table_read

    with patch("ingestion.audit.services.places_read", _read_here):
        return audit_table_read(path=path, file_name="census")


# Whole files


def _items_of(kind: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        from ingestion.sources import whole_file_class
        from ingestion.sources.whole_file import FileContext

        found = whole_file_class(kind)
        assert found is not None
        return list(found().items(path, FileContext("America/Chicago", NOW)))

    return read


def _documents() -> list[bytes]:
    from tests.ingestion.test_weather_feeds import GRID_POINT, OPEN_METEO

    return [
        json.dumps(OPEN_METEO).encode(),
        json.dumps(GRID_POINT).encode(),
        b'{"hourly": {"time": [%s]}}' % BIG.encode(),
        b"[" * 5_000,
    ]


def _recognised(path: Path) -> Any:
    from ingestion.sources import recognised_kind
    from ingestion.sources.recognise import check_kind

    recognised_kind(path)
    check_kind(path, "csv_file")


# What the network brings


def _batch(data: bytes) -> Any:
    from ingestion.engine.batches import batch_from_csv, batch_from_json

    columns = ("id", "occurred_at", "code", "lat", "lon")
    if data[:1] in b"[{ ":
        return batch_from_json(data, columns)
    return batch_from_csv(data, columns, ("id",))


def _batch_errors() -> tuple[type[BaseException], ...]:
    from ingestion.engine.batches import BatchError

    return (BatchError,)


def _phone(data: bytes) -> Any:
    from tactics.phone import batch_from

    return batch_from(data, now=NOW)


def _presses() -> list[bytes]:
    press = {"uuid": "4f0ed6a5-8d2e-4d23-9d9e-0c9fb4f0a111", "kind": "note", "mission": 3, "device_at": 1.7145e12, "skew_ms": 5, "text": "Lamp", "tactic": 1, "used": True}  # fmt: skip
    whole = {"person": 7, "unit": "R11", "device_now": 1.7145e12, "actions": [press, press]}
    odd = {
        "device_at": [1e400, -1e18, True, "x"],
        "skew_ms": [1e300, BIG],
        "uuid": [None, 5],
        "kind": [None, []],
        "mission": [{}],
        "text": [["a"]],
    }
    spoilt = [
        json.dumps({**whole, "actions": [{**press, name: value}]}).encode()
        for name, values in odd.items()
        for value in values
    ]
    return [json.dumps(whole).encode(), *spoilt]


def _cursor(data: bytes) -> Any:
    from missions_project.lib.rest.paging import cursor_from_text

    # As it comes: a text of an address, decoded by Django.
    return cursor_from_text(data.decode("utf-8", "replace"), (dt.datetime, int))


def _cursors() -> list[bytes]:
    import base64

    from missions_project.lib.rest.paging import cursor_to_text

    plain = [
        b"[1e999, 1]",
        b'["2024-05-01T00:00:00+00:00", 1e999]',
        b'["2024-05-01T00:00:00+00:00", NaN]',
        b"[null, {}]",
        b"[" * 900,
        b'["9999-12-31T23:59:59-14:00", 1]',
    ]
    return [cursor_to_text([NOW, 7]).encode(), *(base64.urlsafe_b64encode(text) for text in plain)]


def _cursor_errors() -> tuple[type[BaseException], ...]:
    from rest_framework.exceptions import ValidationError

    return (ValidationError,)


def _configuration(data: bytes) -> Any:
    from agencies.configuration.documents import configuration_parse

    return configuration_parse(data)


def _configurations() -> list[bytes]:
    from agencies.configuration.documents import KIND, SCHEMA

    document: dict[str, Any] = {
        "kind": KIND,
        "schema": SCHEMA,
        "agency": {"slug": "riverton", "name": "Riverton"},
        "sections": {"shifts": [{"slug": "night"}]},
    }
    return [
        json.dumps(document, indent=1).encode(),
        b"[" * 5_000,
        b'{"schema": %s}' % BIG.encode(),
        b'{"kind": NaN}',
        json.dumps({**document, "schema": [1]}).encode(),
    ]


def _times(data: bytes) -> Any:
    from ingestion.engine.timestamps import parse_times

    texts = data.decode("utf-8", "replace").split("\n")
    return [
        parse_times(texts, date_format=form, zone="America/Chicago")
        for form in ("iso", "epoch", "epoch_ms", "%m/%d/%Y %H:%M")
    ]


def _none() -> tuple[type[BaseException], ...]:
    return ()


TABLES = ("csv_file", "excel_file", "json_lines_file", "parquet_file", "ndex_xml_file")


def parsers() -> Iterator[Parser]:
    """Every parser. The readers of tables and whole files are those that are registered, so that a new one cannot be forgotten."""
    from tests.ingestion.reports import SUFFIX

    for kind in TABLES:
        yield Parser(
            kind,
            lambda kind=kind: _tables(kind),
            _with_file(f"a.{SUFFIX[kind]}", _rows_of(kind)),
            _source_errors,
        )
    for kind, examples in WHOLE.items():
        yield Parser(kind, examples, _with_file("a", _items_of(kind)), _source_errors)
    yield Parser(
        "recognise",
        lambda: [_table(kind)[:3_000] for kind in TABLES],
        _with_file("a", _recognised),
        _source_errors,
    )
    yield Parser("areas", _areas, _with_file("a", _read_areas), _geometry_problems)
    yield Parser("layer", lambda: [*_areas(), OVERPASS, KML], _with_file("a", _read_layer), _missions_errors)
    yield Parser("census table", _areas, _with_file("a", _read_census), _missions_errors)
    yield Parser("configuration", _configurations, _configuration, _missions_errors)
    yield Parser(
        "pushed batch",
        lambda: [*_tables("json_lines_file")[4:], *_tables("csv_file")[:1]],
        _batch,
        _batch_errors,
    )
    yield Parser("phone's presses", _presses, _phone, _missions_errors)
    yield Parser(
        "times",
        lambda: [
            b"2024-03-10T02:30:00\n2024-05-01 12:00:00.5+02:00\n20240501T1200\n05/01/2024 12:00\n1714521600\n\n9999-12-31T23:59:59Z"
        ],
        _times,
        _none,
    )
    yield Parser("cursor", _cursors, _cursor, _cursor_errors)


WHOLE: dict[str, Callable[[], list[bytes]]] = {
    "ical_file": lambda: [ICAL],
    "events_csv": lambda: [EVENTS],
    "weather_csv": lambda: [WEATHER, HOURS],
    "weather_json": _documents,
}
