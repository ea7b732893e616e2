"""Files of places and areas in every format that cities hand out, read into shapes in WGS84 and the columns asked for.

In two steps: first the names of a file's columns, then the shapes and the values of those that may leave it.
"""

import csv
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyogrio
import shapely
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.engine.geometry_files import PLACE_FORMATS, READERS_OWN, check_driver, vector_source
from ingestion.engine.osm import OSM_CHOICES, OsmChoice, osm_configuration
from ingestion.places.base import MAX_FEATURES, Chooser, PlacesFile, PlacesProblem, check_number, check_width
from ingestion.places.degrees import shapes_in_degrees
from ingestion.places.tables import point_table, table_places

FORMATS = gettext_lazy(
    "GeoJSON, GeoPackage, KML, FlatGeobuf, CSV with latitude and longitude, an OpenStreetMap extract (.osm.pbf), or a zip \
that holds one Shapefile with its .dbf, .shx and .prj"
)


def places_from_file(
    path: Path, *, shown: str = "", choose: Chooser, crs: str = "", osm: str = "", layer: str = ""
) -> PlacesFile:
    """Both steps in this process: for tests, and to compare with. Uploads go through ``services.place_files.places_read``."""
    shown = shown or path.name
    keep = choose(columns_of(path, shown=shown, osm=osm, layer=layer))
    return places_of(path, shown=shown, keep=keep, crs=crs, osm=osm, layer=layer)


def columns_of(path: Path, *, shown: str, osm: str = "", layer: str = "") -> list[str]:
    """The names of the file's columns, coordinates of a table left out. Raises ``PlacesProblem``."""
    with _readable(shown), tempfile.TemporaryDirectory(prefix="layer-") as folder:
        if (table := point_table(path, shown)) is not None:
            return table.others
        kind, source = vector_source(path, Path(folder), PLACE_FORMATS)
        if kind == "osm.pbf":
            _osm_choice(shown, osm)
            return ["name"]
        return _vector_columns(kind, source, layer or _only_layer(source, shown))


def places_of(
    path: Path, *, shown: str, keep: Sequence[str], crs: str = "", osm: str = "", layer: str = ""
) -> PlacesFile:
    """The file's shapes in WGS84, and the values of the columns ``keep``. Raises ``PlacesProblem``."""
    keep = list(dict.fromkeys(keep))
    with _readable(shown), tempfile.TemporaryDirectory(prefix="layer-") as folder:
        if (table := point_table(path, shown)) is not None:
            return table_places(path, table, shown, keep, crs)
        kind, source = vector_source(path, Path(folder), PLACE_FORMATS)
        if kind == "osm.pbf":
            return _osm_places(source, Path(folder), shown, _osm_choice(shown, osm), keep)
        chosen = layer or _only_layer(source, shown)
        columns = _vector_columns(kind, source, chosen)
        meta, __, geometry, values = pyogrio.raw.read(
            source, columns=keep, max_features=MAX_FEATURES + 1, force_2d=True, layer=chosen
        )
        order = {str(name): index for index, name in enumerate(meta["fields"])}
        kept = {column: values[order[column]] for column in keep}
        check_number(len(geometry), shown)
        # A ring that somebody left open is closed; what is no shape at all is a place without one.
        found = shapely.from_wkb(geometry, on_invalid="fix")
        return PlacesFile(tuple(columns), shapes_in_degrees(found, meta["crs"] or crs or None, shown), kept)


@contextmanager
def _readable(shown: str) -> Iterator[None]:
    """What the reader stumbles over, in words and with the next step."""
    try:
        yield
    except (*READERS_OWN, csv.Error) as exc:
        raise PlacesProblem(
            _("%(shown)s cannot be read as a layer (%(plain)s).")
            % {"shown": shown, "plain": _plain(exc, shown)},
            next_step=_("use %(formats)s.") % {"formats": FORMATS},
        ) from exc


def _plain(error: Exception, shown: str) -> str:
    """The reader's words without our temporary names."""
    if isinstance(error, OSError):
        return str(error.strerror)
    return " ".join(word if "/layer-" not in word else shown for word in str(error).split())[:300]


def _vector_columns(kind: str, source: Path, layer: str) -> list[str]:
    info = pyogrio.read_info(source, layer=layer)
    check_driver(kind, info["driver"])
    columns = [str(column) for column in info["fields"]]
    check_width(columns)
    return columns


def _only_layer(source: Path, shown: str) -> str:
    names = [str(name) for name, _ in pyogrio.list_layers(source)]
    if len(names) > 1:
        raise PlacesProblem(
            _("%(shown)s holds %(count)s layers: %(names)s.")
            % {"shown": shown, "count": len(names), "names": ", ".join(names[:20])},
            next_step=_("name the one to read (--file-layer on the command line)."),
        )
    return names[0] if names else ""


def _osm_choice(shown: str, osm: str) -> OsmChoice:
    choice = OSM_CHOICES.get(osm)
    if choice is None:
        raise PlacesProblem(
            _("%(shown)s is an OpenStreetMap extract: it holds everything that is on the map.")
            % {"shown": shown},
            next_step=_("say what to take from it: %(osm_choices)s.")
            % {"osm_choices": ", ".join(OSM_CHOICES)},
        )
    return choice


def _osm_places(source: Path, folder: Path, shown: str, choice: OsmChoice, keep: Sequence[str]) -> PlacesFile:
    settings = folder / "osm.ini"
    settings.write_text(osm_configuration())
    keep = [name for name in keep if name == "name"]
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
    check_number(len(found), shown)
    return PlacesFile(
        ("name",), shapes_in_degrees(found, "EPSG:4326", shown), dict.fromkeys(keep, np.concatenate(names))
    )
