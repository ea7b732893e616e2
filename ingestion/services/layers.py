"""Context layers: places from a file, without anything about persons."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from django.utils.text import slugify
from django.utils.translation import gettext as _

from agencies.models import Agency
from ingestion.engine.privacy import names_case_person, screen_columns, tidy_column
from ingestion.engine.rejections import excerpt
from ingestion.models import ContextLayer
from ingestion.services.place_files import places_read
from missions_project.lib.errors import MissionsError

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
    crs: str = "",
    osm: str = "",
    file_layer: str = "",
) -> ContextLayer:
    """Load places from a file of any of the known formats; an existing layer of the slug is replaced.

    Only geometry, name and kind are kept. Raises ``MissionsError`` for an unreadable or empty file, one without a
    coordinate system, and one whose columns are about persons or refused traits; nothing is kept then.
    """
    violations = screen_columns([name])
    if violations:
        raise MissionsError(
            _(
                "A layer called “%(name)s” looks like a list about persons (rule %(rule)s); such lists are never accepted."
            )
            % {"name": name, "rule": violations[0].rule},
            next_step=_("load places, not people."),
        )
    layer = ContextLayer.objects.filter(agency=agency, slug=slug).first() or ContextLayer(
        agency=agency, slug=slug
    )
    layer.name = name
    layer.kind = kind
    layer.valid_from = valid_from
    layer.geojson = layer_geojson(path, crs=crs, osm=osm, file_layer=file_layer)
    layer.full_clean()
    layer.save()
    return layer


def layer_geojson(
    path: Path, *, file_name: str = "", crs: str = "", osm: str = "", file_layer: str = ""
) -> dict[str, Any]:
    """The file's places as a FeatureCollection in WGS84 with at most ``name`` and ``kind``.

    ``crs`` is used only where the file does not say; ``osm`` says what to take from an OpenStreetMap extract;
    ``file_layer`` names a layer of a GeoPackage or KML with several.
    """
    shown = file_name or path.name
    keep: dict[str, str] = {}

    def choose(columns: list[str]) -> list[str]:
        keep.update(_columns_to_keep(columns, shown))
        return list(keep.values())

    found = places_read(path, shown=shown, choose=choose, crs=crs, osm=osm, layer=file_layer)
    texts = {key: found.values[column] for key, column in keep.items()}
    shapes = found.shapes
    usable = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    if not usable.any():
        raise MissionsError(
            _("%(shown)s holds no places.") % {"shown": shown}, next_step=_("check that the export ran.")
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
            _(
                "%(file_name)s is refused: it holds columns about persons or traits that must not steer patrols: %(named)s."
            )
            % {"file_name": file_name, "named": named},
            next_step=_("export the places without these columns; only geometry, name and kind are used."),
        )
    words = {column: tidy_column(column) for column in columns}
    kept: dict[str, str] = {}
    for key, wanted in (("name", NAME_COLUMNS), ("kind", KIND_COLUMNS)):
        column = next((c for name in wanted for c, w in words.items() if w == name), None)
        if column is not None:
            kept[key] = column
    return kept


def _is_text(value: Any) -> bool:
    return value is not None and value == value and str(value).strip() != ""


def layer_slug(name: str) -> str:
    """The slug of a layer's name. Raises ``MissionsError`` for a name without letters or digits."""
    slug = slugify(name)[:60]
    if not slug:
        raise MissionsError(
            _("“%(name)s” is no name for a layer.") % {"name": name}, next_step=_("use letters or digits.")
        )
    return slug
