"""Files of places and areas in every format that cities hand out, read into shapes in WGS84 and the columns asked for."""

import csv
import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from agencies.engine.geometry import GeometryProblem
from agencies.engine.geometry_files import PLACE_FORMATS, check_driver, vector_source
from ingestion.engine.osm import OSM_CHOICES, osm_configuration
from ingestion.engine.privacy import tidy_column
from missions_project.lib.errors import MissionsError

MAX_FEATURES = 200_000
MAX_FILE_BYTES = 300 * 1024 * 1024
MAX_CSV_BYTES = 100 * 1024 * 1024
# A seventh decimal is a centimetre; places need a metre, and the browser loads every digit.
DECIMALS = 6
LON_NAMES = ("lon", "lng", "long", "longitude", "x", "pointx", "point x", "x coordinate")
LAT_NAMES = ("lat", "latitude", "y", "pointy", "point y", "y coordinate")
FORMATS = gettext_lazy(
    "GeoJSON, GeoPackage, KML, FlatGeobuf, CSV with latitude and longitude, an OpenStreetMap extract (.osm.pbf), or a zip \
that holds one Shapefile with its .dbf, .shx and .prj"
)

Chooser = Callable[[list[str]], Sequence[str]]


@dataclass(frozen=True)
class PlacesFile:
    """What was read: the file's columns, its shapes in WGS84 (missing ones None), and the values of the chosen columns."""

    columns: tuple[str, ...]
    shapes: Any
    values: dict[str, Any]


def places_read(
    path: Path, *, shown: str = "", choose: Chooser, crs: str = "", osm: str = "", layer: str = ""
) -> PlacesFile:
    """Read a file of places, whatever its format; only the columns that ``choose`` names among the file's leave the file.

    ``crs`` (e.g. "EPSG:3435") is used only where the file does not say. ``osm`` names one of ``OSM_CHOICES`` and is
    needed for an OpenStreetMap extract. ``layer`` names a layer of a GeoPackage or KML; it must be named where there are several.
    Raises ``MissionsError`` with the next step.
    """
    shown = shown or path.name
    if not path.is_file():
        raise MissionsError(
            _("There is no file %(shown)s.") % {"shown": shown}, next_step=_("check the path.")
        )
    if path.stat().st_size > MAX_FILE_BYTES:
        raise MissionsError(
            _("%(shown)s is larger than %(max_file_bytes)s MB.")
            % {"shown": shown, "max_file_bytes": MAX_FILE_BYTES // 2**20},
            next_step=_("cut it to the agency's area first."),
        )
    try:
        if (table := _csv_table(path, shown)) is not None:
            return _csv_places(table, shown, choose, crs)
        with tempfile.TemporaryDirectory(prefix="layer-") as folder:
            kind, source = vector_source(path, Path(folder), PLACE_FORMATS)
            if kind == "osm.pbf":
                return _osm_places(source, Path(folder), shown, osm, choose)
            chosen = layer or _only_layer(source, shown)
            info = pyogrio.read_info(source, layer=chosen)
            check_driver(kind, info["driver"])
            columns = [str(column) for column in info["fields"]]
            keep = list(dict.fromkeys(choose(columns)))
            meta, __, geometry, values = pyogrio.raw.read(
                source, columns=keep, max_features=MAX_FEATURES + 1, force_2d=True, layer=chosen
            )
    except (
        GeometryProblem,
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        csv.Error,
        ValueError,
        KeyError,
    ) as exc:
        raise MissionsError(
            _("%(shown)s cannot be read as a layer (%(plain)s).")
            % {"shown": shown, "plain": _plain(exc, shown)},
            next_step=_("use %(formats)s.") % {"formats": FORMATS},
        ) from exc
    _check_number(len(geometry), shown)
    # A ring that somebody left open is closed; what is no shape at all is a place without one.
    found = shapely.from_wkb(geometry, on_invalid="fix")
    shapes = shapes_in_degrees(found, meta["crs"] or crs or None, shown)
    order = {str(name): index for index, name in enumerate(meta["fields"])}
    return PlacesFile(tuple(columns), shapes, {column: values[order[column]] for column in keep})


def shapes_in_degrees(shapes: Any, crs: str | None, file_name: str) -> Any:
    """A file's shapes in WGS84, to a metre. Raises ``MissionsError`` where they are not on the globe."""
    if crs is None:
        raise MissionsError(
            _("%(file_name)s does not say in which coordinate system it is (a Shapefile's .prj is missing).")
            % {"file_name": file_name},
            next_step=_("add the .prj file to the zip, give its EPSG code, or export as GeoJSON in WGS84."),
        )
    try:
        turn = Transformer.from_crs(CRS.from_user_input(crs), 4326, always_xy=True)
    except CRSError as exc:
        raise MissionsError(
            _("“%(crs)s” is not a coordinate system.") % {"crs": crs[:40]},
            next_step=_("give an EPSG code, e.g. EPSG:3435."),
        ) from exc
    if not len(shapes) or shapely.is_missing(shapes).all():
        return shapes
    degrees = shapely.transform(
        shapes, lambda xy: np.column_stack(turn.transform(xy[:, 0], xy[:, 1])).round(DECIMALS)
    )
    west, south, east, north = shapely.total_bounds(degrees)
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        if np.isnan(west):
            return degrees
        raise MissionsError(
            _("%(file_name)s: coordinates up to (%(east)s, %(north)s) are not longitude and latitude.")
            % {"file_name": file_name, "east": f"{east:.0f}", "north": f"{north:.0f}"},
            next_step=_("correct the file's coordinate system."),
        )
    return degrees


def _only_layer(source: Path, shown: str) -> str:
    names = [str(name) for name, _ in pyogrio.list_layers(source)]
    if len(names) > 1:
        raise MissionsError(
            _("%(shown)s holds %(count)s layers: %(names)s.")
            % {"shown": shown, "count": len(names), "names": ", ".join(names[:20])},
            next_step=_("name the one to read (--file-layer on the command line)."),
        )
    return names[0] if names else ""


def _check_number(found: int, shown: str) -> None:
    if found > MAX_FEATURES:
        raise MissionsError(
            _("%(shown)s holds more than %(max_features)s places.")
            % {"shown": shown, "max_features": f"{MAX_FEATURES:,}"},
            next_step=_("cut it to the agency's area."),
        )


def _plain(error: Exception, shown: str) -> str:
    """The reader's words without our temporary names."""
    return " ".join(word if "/layer-" not in word else shown for word in str(error).split())[:300]


def _osm_places(source: Path, folder: Path, shown: str, osm: str, choose: Chooser) -> PlacesFile:
    choice = OSM_CHOICES.get(osm)
    if choice is None:
        raise MissionsError(
            _("%(shown)s is an OpenStreetMap extract: it holds everything that is on the map.")
            % {"shown": shown},
            next_step=_("say what to take from it: %(osm_choices)s.")
            % {"osm_choices": ", ".join(OSM_CHOICES)},
        )
    settings = folder / "osm.ini"
    settings.write_text(osm_configuration())
    keep = [name for name in choose(["name"]) if name == "name"]
    parts, names = [], []
    for layer in choice.layers:
        __, __, geometry, values = pyogrio.raw.read(
            source,
            layer=layer,
            columns=keep,
            where=choice.where,
            max_features=MAX_FEATURES + 1,
            CONFIG_FILE=str(settings),
        )
        shapes = shapely.from_wkb(geometry)
        areas = shapely.get_dimensions(shapes) == 2
        parts.append(
            np.where(areas, shapely.point_on_surface(shapes), shapes) if choice.as_points else shapes
        )
        names.append(values[0] if keep else np.full(len(shapes), None, dtype=object))
    found = np.concatenate(parts)
    _check_number(len(found), shown)
    return PlacesFile(
        ("name",), shapes_in_degrees(found, "EPSG:4326", shown), dict.fromkeys(keep, np.concatenate(names))
    )


@dataclass(frozen=True)
class _Table:
    header: list[str]
    rows: list[list[str]]
    x: int
    y: int
    in_degrees: bool


def _csv_table(path: Path, shown: str) -> _Table | None:
    """The file as a table of points, if its first line names two coordinates; None for any other file."""
    with path.open("rb") as file:
        head = file.read(64 * 1024)
    first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]
    if b"\x00" in head or first.lstrip()[:1] in (b"{", b"<", b"["):
        return None
    try:
        line = first.decode("utf-8-sig").strip("\r")
    except UnicodeDecodeError:
        line = first.decode("cp1252", "replace").strip("\r")
    delimiter = max(",;\t|", key=line.count)
    header = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    words = [tidy_column(cell) for cell in header]
    x = next((words.index(name) for name in LON_NAMES if name in words), -1)
    y = next((words.index(name) for name in LAT_NAMES if name in words), -1)
    if len(header) < 2 or x < 0 or y < 0:
        return None
    if path.stat().st_size > MAX_CSV_BYTES:
        raise MissionsError(
            _("%(shown)s is larger than %(max_csv_bytes)s MB.")
            % {"shown": shown, "max_csv_bytes": MAX_CSV_BYTES // 2**20},
            next_step=_("cut it to the agency's area."),
        )
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))[1:]
    in_degrees = words[x] in ("lon", "lng", "long", "longitude")
    return _Table(header, [row for row in rows if any(cell.strip() for cell in row)], x, y, in_degrees)


def _csv_places(table: _Table, shown: str, choose: Chooser, crs: str) -> PlacesFile:
    others = [name for index, name in enumerate(table.header) if index not in (table.x, table.y)]
    keep = list(dict.fromkeys(choose(others)))
    _check_number(len(table.rows), shown)
    for number, row in enumerate(table.rows, 2):
        if len(row) != len(table.header):
            raise MissionsError(
                _("%(shown)s, line %(number)s: %(count)s cells where the header has %(count_2)s.")
                % {"shown": shown, "number": number, "count": len(row), "count_2": len(table.header)},
                next_step=_("mend that line (usually an unquoted delimiter) and load the file again."),
            )
    x, y = (_coordinates(table, column, shown) for column in (table.x, table.y))
    known = np.isfinite(x) & np.isfinite(y)
    shapes = np.full(len(x), None, dtype=object)
    shapes[known] = shapely.points(x[known], y[known])
    if (
        not crs
        and not table.in_degrees
        and known.any()
        and not (np.abs(x[known]).max() <= 180 and np.abs(y[known]).max() <= 90)
    ):
        raise MissionsError(
            _("%(shown)s does not say in which coordinate system its %(header)s and %(header_2)s are.")
            % {"shown": shown, "header": table.header[table.x], "header_2": table.header[table.y]},
            next_step=_("give its EPSG code, e.g. EPSG:3435."),
        )
    # Longitude and latitude are what they say, whatever coordinate system the rest of the agency uses.
    placed = shapes_in_degrees(shapes, "EPSG:4326" if table.in_degrees or not crs else crs, shown)
    at = {name: table.header.index(name) for name in keep}
    return PlacesFile(
        tuple(others),
        placed,
        {name: np.array([row[at[name]] for row in table.rows], dtype=object) for name in keep},
    )


def _coordinates(table: _Table, column: int, shown: str) -> Any:
    out = np.full(len(table.rows), np.nan)
    for index, row in enumerate(table.rows):
        text = row[column].strip()
        if not text:
            continue
        try:
            out[index] = float(text)
        except ValueError as exc:
            raise MissionsError(
                _("%(shown)s, line %(index)s: %(header)s is %(text)s, not a number.")
                % {
                    "shown": shown,
                    "index": index + 2,
                    "header": table.header[column],
                    "text": f"{text[:40]!r}",
                },
                next_step=_("mend that line; decimals need a point and no unit."),
            ) from exc
    return out
