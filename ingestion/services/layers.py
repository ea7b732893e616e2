"""Context layers: places from a file, without anything about persons."""

import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from django.utils.text import slugify
from pyproj import Transformer

from agencies.engine.geometry import GeometryProblem
from agencies.engine.geometry_files import check_driver, vector_source
from agencies.models import Agency
from ingestion.engine.privacy import names_case_person, screen_columns, tidy_column
from ingestion.engine.rejections import excerpt
from ingestion.models import ContextLayer
from missions_project.lib.errors import MissionsError

MAX_FEATURES = 200_000
MAX_FILE_BYTES = 300 * 1024 * 1024
# A seventh decimal is a centimetre; places need a metre, and the browser loads every digit.
DECIMALS = 6
NAME_COLUMNS = ("name", "label", "title", "full name", "station name", "street name", "site name")
KIND_COLUMNS = ("kind", "type", "category", "class")
REFUSED_RULES = frozenset(
    {
        "race_or_ethnicity",
        "date_of_birth",
        "sex_or_gender",
        "identity_number",
        "vehicle_plate",
        "person_list",
        "arrest",
        "relationship",
        "education",
        "tenure",
        "income",
    }
)
"""Columns that tell that the file is about persons or refused traits. Others, such as an address, are just not kept."""


def context_layer_import(
    *,
    agency: Agency,
    slug: str,
    name: str,
    path: Path,
    kind: str = ContextLayer.Kind.RISK,
    valid_from: date | None = None,
) -> ContextLayer:
    """Load places from GeoJSON, GeoPackage or a zipped Shapefile; an existing layer of the slug is replaced.

    Only geometry, name and kind are kept. Raises ``MissionsError`` for an unreadable or empty file, one without a
    coordinate system, and one whose columns are about persons or refused traits; nothing is kept then.
    """
    violations = screen_columns([name])
    if violations:
        raise MissionsError(
            f"A layer called “{name}” looks like a list about persons (rule {violations[0].rule}); such lists are never accepted.",
            next_step="load places, not people.",
        )
    layer = ContextLayer.objects.filter(agency=agency, slug=slug).first() or ContextLayer(
        agency=agency, slug=slug
    )
    layer.name = name
    layer.kind = kind
    layer.valid_from = valid_from
    layer.geojson = layer_geojson(path)
    layer.full_clean()
    layer.save()
    return layer


def layer_geojson(path: Path, *, file_name: str = "") -> dict[str, Any]:
    """The file's places as a FeatureCollection in WGS84 with at most ``name`` and ``kind``."""
    shown = file_name or path.name
    if not path.is_file():
        raise MissionsError(f"There is no file {shown}.", next_step="check the path.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise MissionsError(
            f"{shown} is larger than {MAX_FILE_BYTES // 2**20} MB.",
            next_step="cut it to the agency's area first.",
        )
    try:
        with tempfile.TemporaryDirectory(prefix="layer-") as folder:
            kind, source = vector_source(path, Path(folder))
            info = pyogrio.read_info(source)
            check_driver(kind, info["driver"])
            keep = _columns_to_keep([str(column) for column in info["fields"]], shown)
            meta, _, geometry, values = pyogrio.raw.read(
                source, columns=list(keep.values()), max_features=MAX_FEATURES + 1, force_2d=True
            )
    except (
        GeometryProblem,
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        ValueError,
        KeyError,
    ) as exc:
        raise MissionsError(
            f"{shown} cannot be read as a layer ({exc}).",
            next_step="use GeoJSON, GeoPackage, or a zip that holds one Shapefile with its .dbf, .shx and .prj.",
        ) from exc
    shapes = shapes_in_degrees(shapely.from_wkb(geometry), meta["crs"], shown)
    order = {str(name): index for index, name in enumerate(meta["fields"])}
    texts = {key: values[order[column]] for key, column in keep.items()}
    usable = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    if not usable.any():
        raise MissionsError(f"{shown} holds no places.", next_step="check that the export ran.")
    if len(shapes) > MAX_FEATURES:
        raise MissionsError(
            f"{shown} holds more than {MAX_FEATURES:,} places.", next_step="cut it to the agency's area."
        )
    features = [
        {
            "type": "Feature",
            "geometry": json.loads(shapely.to_geojson(shapes[row])),
            "properties": {
                key: excerpt(str(column[row]), 120) for key, column in texts.items() if _is_text(column[row])
            },
        }
        for row in np.flatnonzero(usable)
    ]
    return {"type": "FeatureCollection", "features": features}


def _columns_to_keep(columns: list[str], file_name: str) -> dict[str, str]:
    refused = [
        violation
        for violation in screen_columns(columns)
        # An owner or a telephone belongs to a shop; an offender's number to nothing but a list of offenders.
        if violation.rule in REFUSED_RULES or names_case_person(violation.column)
    ]
    if refused:
        named = ", ".join(f"{violation.column} ({violation.rule})" for violation in refused)
        raise MissionsError(
            f"{file_name} is refused: it holds columns about persons or traits that must not steer patrols: {named}.",
            next_step="export the places without these columns; only geometry, name and kind are used.",
        )
    words = {column: tidy_column(column) for column in columns}
    kept: dict[str, str] = {}
    for key, wanted in (("name", NAME_COLUMNS), ("kind", KIND_COLUMNS)):
        column = next((c for name in wanted for c, w in words.items() if w == name), None)
        if column is not None:
            kept[key] = column
    return kept


def shapes_in_degrees(shapes: Any, crs: str | None, file_name: str) -> Any:
    """A file's shapes in WGS84, to a metre. Raises ``MissionsError`` where they are not on the globe."""
    if crs is None:
        raise MissionsError(
            f"{file_name} does not say in which coordinate system it is (a Shapefile's .prj is missing).",
            next_step="add the .prj file to the zip, or export as GeoJSON in WGS84.",
        )
    turn = Transformer.from_crs(crs, 4326, always_xy=True)
    degrees = shapely.transform(
        shapes, lambda xy: np.column_stack(turn.transform(xy[:, 0], xy[:, 1])).round(DECIMALS)
    )
    west, south, east, north = shapely.total_bounds(degrees)
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise MissionsError(
            f"{file_name}: coordinates up to ({east:.0f}, {north:.0f}) are not longitude and latitude.",
            next_step="correct the file's coordinate system.",
        )
    return degrees


def _is_text(value: Any) -> bool:
    return value is not None and value == value and str(value).strip() != ""


def layer_slug(name: str) -> str:
    """The slug of a layer's name. Raises ``MissionsError`` for a name without letters or digits."""
    slug = slugify(name)[:60]
    if not slug:
        raise MissionsError(f"“{name}” is no name for a layer.", next_step="use letters or digits.")
    return slug
