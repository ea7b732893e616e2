"""Files of areas as cities hand them out (GeoJSON, zipped Shapefile, GeoPackage), read into shapes in WGS84."""

import re
import tempfile
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyogrio
import pyproj
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from shapely.validation import explain_validity

from agencies.engine.geometry import GeometryProblem
from agencies.engine.untrusted_archives import DAMAGED_ZIP, files_of, geopackage_problem, unbounded_members

if TYPE_CHECKING:
    import geopandas

MAX_FILE_BYTES = 100 * 1024**2
# A zip of a few kilobytes can unpack to a full disk.
MAX_UNPACKED_BYTES = 400 * 1024**2
MAX_ZIP_MEMBERS = 200
MAX_AREAS = 20_000
MAX_VERTICES = 3_000_000
COORDINATE_STEP_DEGREES = 1e-7
"""About one centimetre: finer digits are noise of the reprojection and treble the size of every map layer."""

_SHAPEFILE_PARTS = frozenset({".shp", ".shx", ".dbf", ".prj", ".cpg"})
_DRIVERS = {
    "geojson": ("GeoJSON", "ESRIJSON", "TopoJSON"),
    "shp": ("ESRI Shapefile",),
    "gpkg": ("GPKG",),
    "kml": ("LIBKML", "KML"),
    "fgb": ("FlatGeobuf",),
    "osm.pbf": ("OSM",),
}
AREA_FORMATS = frozenset({"geojson", "shp", "gpkg"})
PLACE_FORMATS = frozenset(_DRIVERS)
_HEAD_BYTES = 64 * 1024
READERS_OWN = (
    DataSourceError,
    DataLayerError,
    pyproj.exceptions.ProjError,
    shapely.errors.ShapelyError,
    OSError,
    ValueError,
    LookupError,
    # What pyogrio itself stumbles over where a file's coordinate system is damaged.
    UnboundLocalError,
)
"""What libraries raise for a damaged file of areas or places."""
# GDAL's recipe files: opened, they read whatever files and addresses of the server they name.
_JSON_RECIPE = b"gdal_streamed_alg"
_SHAPEFILE_MAGIC = b"\x00\x00\x27\x0a"
_FLATGEOBUF_MAGIC = b"fgb\x03fgb"
_OSM_MAGIC = b"\n\tOSMHeader"
_KML_ROOT = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>)?\s*(?:<!--.*?-->\s*)*<kml[\s>]", re.DOTALL)
_KIND_LABELS = {
    "geojson": "GeoJSON",
    "shp": "Shapefile",
    "gpkg": "GeoPackage",
    "kml": "KML",
    "fgb": "FlatGeobuf",
    "osm.pbf": "OpenStreetMap extract",
}


@dataclass(frozen=True)
class FileArea:
    """One area of a file: its row (from 1), its properties, its shape in WGS84, and what is wrong with it, if anything."""

    row: int
    properties: dict[str, Any]
    shape: shapely.Polygon | shapely.MultiPolygon | None
    fault: str = ""
    """Why the shape cannot be used as it is. Empty for a good one."""
    repaired: shapely.MultiPolygon | None = None
    """What ``make_valid`` makes of a faulty outline; None where it cannot be mended."""


@dataclass(frozen=True)
class AreaFile:
    """A file's areas in file order, with what the reader had to decide."""

    kind: str
    layer: str
    layers: tuple[str, ...]
    crs: str
    columns: tuple[str, ...]
    areas: tuple[FileArea, ...] = field(repr=False)


def areas_from_file(path: Path, *, layer: str = "", crs: str = "") -> AreaFile:
    """Read the file's areas, in WGS84, whatever coordinate system they come in.

    The format is told by the content, not the name. ``layer`` names a layer of a GeoPackage; without it the
    first layer of polygons is taken. ``crs`` (e.g. "EPSG:3435") is used only where the file does not say.
    Raises ``GeometryProblem`` for a file that is not one of the three formats, holds no areas, is too large,
    or does not say its coordinate system. Faulty single areas are values (``FileArea.fault``), not errors.
    """
    if not path.is_file():
        raise GeometryProblem(f"There is no file {path.name}. Check the name.")
    size = path.stat().st_size
    if size == 0:
        raise GeometryProblem("The file is empty. Export it again.")
    if size > MAX_FILE_BYTES:
        raise GeometryProblem(
            f"The file has {size / 1024**2:.0f} MB; at most {MAX_FILE_BYTES // 1024**2} MB are read. Export only "
            "the areas, or simplify their outlines."
        )
    with tempfile.TemporaryDirectory(prefix="areas-") as folder:
        kind, source = vector_source(path, Path(folder))
        return _read(kind, source, layer=layer, crs=crs)


def vector_source(path: Path, folder: Path, formats: frozenset[str] = AREA_FORMATS) -> tuple[str, Path]:
    """Tell an upload's format by its first bytes, and give GDAL a name in ``folder`` that it takes for that format.

    Every upload goes through here before GDAL opens it: GDAL also knows formats that are recipes (a virtual layer
    names a database and a query), and would read the server's own files for whoever sends one. Raises
    ``GeometryProblem`` for anything that is none of ``formats`` (GeoJSON, one zipped Shapefile or a GeoPackage where
    areas are asked for; ``PLACE_FORMATS`` has KML, FlatGeobuf and OpenStreetMap extracts besides).
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if (other := _other_kind(head)) in formats:
        return other, _other_source(path, folder, other)
    if head.startswith(b"PK\x03\x04"):
        return "shp", _unpack(path, folder)
    if head.startswith(b"SQLite format 3\x00"):
        kind = "gpkg"
        if problem := geopackage_problem(path):
            raise GeometryProblem(
                f"The GeoPackage cannot be read: {problem}. Export the layer itself into a new GeoPackage."
            )
    elif head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") and _JSON_RECIPE not in head:
        kind = "geojson"
    else:
        raise GeometryProblem(
            "This is not GeoJSON, a zipped Shapefile or a GeoPackage. Export the areas in one of these formats; a "
            "Shapefile's parts (.shp, .shx, .dbf, .prj) go into one zip."
        )
    named = folder / f"areas.{kind}"
    named.symlink_to(path.resolve())
    return kind, named


def _other_kind(head: bytes) -> str:
    if head.startswith(_FLATGEOBUF_MAGIC):
        return "fgb"
    # Four bytes of length stand before the first block's name.
    if head[4 : 4 + len(_OSM_MAGIC)] == _OSM_MAGIC:
        return "osm.pbf"
    return "kml" if _KML_ROOT.match(head) else ""


def _other_source(path: Path, folder: Path, kind: str) -> Path:
    if kind == "kml":
        # Entities can name files of the server, or unfold a kilobyte into the whole memory.
        data = path.read_bytes() if path.stat().st_size <= MAX_FILE_BYTES else b"<!ENTITY"
        if b"<!ENTITY" in data or b"<!DOCTYPE" in data:
            raise GeometryProblem(
                f"The KML declares entities, or has more than {MAX_FILE_BYTES // 1024**2} MB; neither is read. "
                "Export it again, or as GeoPackage."
            )
    drivers = pyogrio.list_drivers(read=True)
    if not any(driver in drivers for driver in _DRIVERS[kind]):
        raise GeometryProblem(
            f"This installation's GDAL cannot read {_KIND_LABELS[kind]} (driver {_DRIVERS[kind][0]} is missing). "
            "Export the places as GeoPackage or GeoJSON."
        )
    named = folder / f"places.{kind}"
    named.symlink_to(path.resolve())
    return named


def _unpack(path: Path, folder: Path) -> Path:
    """Unpack the one shapefile of a zip under fixed names; nothing else, and never more than the limit."""
    try:
        with zipfile.ZipFile(path) as archive:
            if strange := unbounded_members(archive):
                raise GeometryProblem(
                    f"The zip is packed by a method that is not read ({strange[0][:60]}). Zip the Shapefile with the usual method (Deflate)."
                )
            members = files_of(archive)
            if len(members) > MAX_ZIP_MEMBERS:
                raise GeometryProblem(
                    f"The zip holds {len(members)} files. Zip only the parts of one Shapefile."
                )
            outlines = [
                Path(m.filename)
                for m in members
                if m.filename.lower().endswith(".shp") and "__MACOSX" not in m.filename
            ]
            if len(outlines) != 1:
                names = ", ".join(outline.name for outline in outlines) or "none"
                raise GeometryProblem(
                    f"The zip must hold exactly one .shp file; found: {names}. Zip one Shapefile with its parts."
                )
            budget = MAX_UNPACKED_BYTES
            for member in members:
                part = Path(member.filename)
                suffix = part.suffix.lower()
                if suffix not in _SHAPEFILE_PARTS or part.with_suffix("") != outlines[0].with_suffix(""):
                    continue
                budget -= _unpack_member(archive, member, folder / f"areas{suffix}", budget)
    except DAMAGED_ZIP as exc:
        raise GeometryProblem(
            f"The zip cannot be unpacked ({exc}). Zip the Shapefile again, without a password."
        ) from exc
    missing = [suffix for suffix in (".shx", ".dbf") if not (folder / f"areas{suffix}").exists()]
    if missing:
        raise GeometryProblem(
            f"The Shapefile lacks its {' and '.join(missing)} part. Add the missing part to the zip."
        )
    with (folder / "areas.shp").open("rb") as file:
        if file.read(4) != _SHAPEFILE_MAGIC:
            raise GeometryProblem("The zip's .shp file is not a Shapefile. Zip one Shapefile with its parts.")
    return folder / "areas.shp"


def check_driver(kind: str, driver: str) -> None:
    """Raise ``GeometryProblem`` unless GDAL took the file for what ``vector_source`` did."""
    if driver not in _DRIVERS[kind]:
        label = _KIND_LABELS[kind]
        raise GeometryProblem(f"This looks like {driver}, not {label}. Export it as {label}.")


def _unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, budget: int) -> int:
    written = 0
    with archive.open(member) as source, target.open("xb") as file:
        # Counted while unpacking: the size that a zip declares may be a lie.
        while chunk := source.read(1024**2):
            written += len(chunk)
            if written > budget:
                raise GeometryProblem(
                    f"The zip unpacks to more than {MAX_UNPACKED_BYTES // 1024**2} MB. Export only the areas."
                )
            file.write(chunk)
    return written


def _read(kind: str, source: Path, *, layer: str, crs: str) -> AreaFile:
    label = _KIND_LABELS[kind]
    try:
        with warnings.catch_warnings():
            # GDAL's remarks on rings and file names: what matters is looked at below, shape by shape.
            warnings.simplefilter("ignore")
            layers = [
                (str(name), str(geometry_type or "")) for name, geometry_type in pyogrio.list_layers(source)
            ]
            chosen = _layer(layers, layer) if kind == "gpkg" else layers[0][0]
            info = pyogrio.read_info(source, layer=chosen)
            check_driver(kind, info["driver"])
            frame = pyogrio.read_dataframe(
                source, layer=chosen, max_features=MAX_AREAS + 1, force_2d=True, on_invalid="ignore"
            )
    except READERS_OWN as exc:
        if isinstance(exc, GeometryProblem):
            raise
        raise GeometryProblem(
            f"The {label} file cannot be read: {_plain(str(exc), source)} Export it again."
        ) from exc
    # A file without geometry comes back as a plain table.
    if not hasattr(frame, "geometry") or len(frame) == 0:
        raise GeometryProblem(f"The {label} file holds no areas. Export the layer of polygons.")
    if len(frame) > MAX_AREAS:
        raise GeometryProblem(
            f"The file holds more than {MAX_AREAS:,} areas. Upload districts or beats only."
        )
    vertices = int(shapely.get_num_coordinates(frame.geometry.values).sum())
    if vertices > MAX_VERTICES:
        raise GeometryProblem(
            f"The outlines have {vertices:,} points; at most {MAX_VERTICES:,} are read. Simplify the outlines."
        )
    frame, crs_name = _to_wgs84(frame, label=label, crs=crs)
    columns = tuple(str(name) for name in frame.columns if name != frame.geometry.name)
    records = frame[list(columns)].astype(object).to_dict("records") if columns else [{}] * len(frame)
    areas = tuple(
        _area(row, {name: _value(value) for name, value in record.items()}, shape)
        for row, (record, shape) in enumerate(zip(records, frame.geometry.values, strict=True), 1)
    )
    return AreaFile(
        kind=label,
        layer=chosen,
        layers=tuple(name for name, geometry_type in layers if "Polygon" in geometry_type or kind != "gpkg"),
        crs=crs_name,
        columns=columns,
        areas=areas,
    )


def _plain(message: str, source: Path) -> str:
    """GDAL's words without the name of our temporary file."""
    text = " ".join(message.replace(str(source), "it").replace(source.name, "it").split())[:200]
    return text if text.endswith(".") else f"{text}."


def _layer(layers: list[tuple[str, str]], wanted: str) -> str:
    polygons = [name for name, geometry_type in layers if "Polygon" in geometry_type]
    names = ", ".join(polygons) or "none"
    if wanted:
        if wanted not in polygons:
            raise GeometryProblem(
                f"The file has no layer of polygons “{wanted}”. Layers of polygons: {names}."
            )
        return wanted
    if not polygons:
        raise GeometryProblem("The GeoPackage has no layer of polygons. Export the layer of areas.")
    return polygons[0]


def _to_wgs84(
    frame: "geopandas.GeoDataFrame", *, label: str, crs: str
) -> "tuple[geopandas.GeoDataFrame, str]":
    if frame.crs is None:
        if not crs:
            raise GeometryProblem(
                f"The {label} file does not say its coordinate system (a Shapefile keeps it in its .prj part). Add the "
                ".prj part, or give the EPSG code, e.g. 4326 for longitude and latitude."
            )
        try:
            frame = frame.set_crs(pyproj.CRS.from_user_input(crs))
        except pyproj.exceptions.CRSError as exc:
            raise GeometryProblem(
                f"“{crs}” is not a coordinate system. Give an EPSG code, e.g. 3435."
            ) from exc
    name = str(frame.crs.name)
    try:
        moved = frame.to_crs(4326)
    except pyproj.exceptions.ProjError as exc:
        raise GeometryProblem(
            f"Coordinates in {name} cannot be turned into longitude and latitude: {exc}."
        ) from exc
    return moved, name


def _value(value: Any) -> Any:
    """A property as JSON knows it. Whole floats become whole numbers: a code column with a gap reads as 11.0."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, np.floating)):
        return int(value) if float(value).is_integer() else float(value)
    if isinstance(value, np.integer):
        return int(value)
    text = str(value)
    return None if text in ("NaT", "<NA>") else text


def _area(row: int, properties: dict[str, Any], shape: Any) -> FileArea:
    if shape is None or shape.is_empty:
        return FileArea(row, properties, None, fault="has no geometry")
    if not isinstance(shape, (shapely.Polygon, shapely.MultiPolygon)):
        return FileArea(row, properties, None, fault=f"is a {shape.geom_type}, not an area")
    west, south, east, north = shape.bounds
    # Also catches infinity, which a failed reprojection gives; a single corner that is no number is not in the bounds.
    if not (
        west >= -180 and east <= 180 and south >= -90 and north <= 90
        and np.isfinite(shapely.get_coordinates(shape)).all()
    ):  # fmt: skip
        return FileArea(
            row,
            properties,
            None,
            fault="has coordinates that are not longitude and latitude: wrong coordinate system",
        )
    if not shape.is_valid:
        mended = polygons_only(shapely.make_valid(shape))
        return FileArea(
            row, properties, shape, fault=f"crosses itself: {explain_validity(shape)}", repaired=mended
        )
    snapped = polygons_only(shapely.set_precision(shape, COORDINATE_STEP_DEGREES))
    return FileArea(row, properties, snapped or shape)


def polygons_only(shape: Any) -> shapely.MultiPolygon | None:
    """The areas within a shape of any kind, lines and points dropped; None where nothing is left."""
    parts = [
        part for part in shapely.get_parts(shapely.get_parts(shape)) if isinstance(part, shapely.Polygon)
    ]
    parts = [part for part in parts if not part.is_empty]
    return shapely.MultiPolygon(parts) if parts else None
