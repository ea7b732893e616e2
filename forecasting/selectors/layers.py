"""The agency's own layers for maps: small GeoJSON, kept in memory until what they show changes."""

import datetime as dt
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import shapely
import shapely.geometry
from django.db.models import Count, F, Max, QuerySet, Sum, TextField
from django.db.models.functions import Cast
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency, Beat, CrimeType, District
from agencies.selectors import agency_area
from ingestion.engine.withheld import UNTAUGHT_DISCOVERIES
from ingestion.models import ContextLayer, Incident

INCIDENT_DAYS = 28
_TOLERANCE_DEGREES = 3.0 / 111_320
"""Three metres: invisible on a screen, and a third of the bytes."""
_SLIVER_DEGREES2 = (100 / 111_320) ** 2
"""A hectare, about."""
_KEPT = 64
_bodies: OrderedDict[str, bytes] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class MapLayer:
    """A layer's GeoJSON as bytes, and the fingerprint of what it was made from."""

    etag: str
    body: Callable[[], bytes]


def layer_rows(agency: Agency) -> list[dict[str, Any]]:
    """Return what a map can show, in drawing order: slug, name, kind, and whether it starts switched on. Two queries."""
    reference, coverage = ContextLayer.Kind.REFERENCE, ContextLayer.Kind.COVERAGE
    context = ContextLayer.objects.filter(agency=agency).defer("geojson").order_by("-kind", "name")
    rows = [{"slug": "boundary", "name": _("Boundary"), "kind": "boundary", "on": True}]
    rows += [
        {"slug": row.slug, "name": row.name, "kind": str(row.kind), "on": row.kind in (reference, coverage)}
        for row in sorted(context, key=lambda row: row.kind != reference)
    ]
    rows += [{"slug": "districts", "name": _("Districts"), "kind": "districts", "on": False}]
    rows += [
        {
            "slug": "beats",
            "name": _("Beats"),
            "kind": "beats",
            "on": Beat.objects.filter(agency=agency).exists(),
        }
    ]
    return rows


def layer_extent(agency: Agency) -> list[float] | None:
    """Return west, south, east, north of the jurisdiction in degrees. At most two queries."""
    area = agency_area(agency)
    return None if area is None else [float(value) for value in area.bounds]


def boundary_layer(agency: Agency) -> MapLayer:
    """Return the jurisdiction's outline. At most two queries."""
    area = agency_area(agency)
    # The name too: two agencies may have one outline, and an agency may be renamed.
    etag = _etag("boundary", agency.name, shapely.to_wkb(area).hex() if area is not None else "")
    features = [] if area is None else [_feature(_without_slivers(area), {"name": agency.name})]
    return MapLayer(etag, _kept(etag, lambda: features))


def _without_slivers(area: shapely.MultiPolygon) -> shapely.MultiPolygon:
    """Fill the hair-thin gaps that a union of neighbouring beats leaves: they would show as thick lines."""
    parts = [
        shapely.Polygon(
            part.exterior, [ring for ring in part.interiors if shapely.Polygon(ring).area > _SLIVER_DEGREES2]
        )
        for part in area.geoms
    ]
    return shapely.MultiPolygon(parts)


def beats_layer(agency: Agency) -> MapLayer:
    """Return the beats with code, name, district and the point for a label. One query."""
    rows = list(
        Beat.objects.filter(agency=agency)
        .annotate(text=Cast("geometry", TextField()))
        .values_list("code", "name", "district__code", "text")
    )
    etag = _etag("beats", repr(rows))

    def features() -> Iterable[dict[str, Any]]:
        for code, name, district, text in rows:
            area = polygon_from_geojson(json.loads(text))
            facts = {"code": code, "name": name or _("Beat %(code)s") % {"code": code}, "district": district}
            yield _feature(area, facts | {"label_at": _label_at(area)})

    return MapLayer(etag, _kept(etag, features))


def districts_layer(agency: Agency) -> MapLayer:
    """Return the districts with code and name. One query."""
    rows = list(
        District.objects.filter(agency=agency)
        .annotate(text=Cast("geometry", TextField()))
        .values_list("code", "name", "text")
    )
    etag = _etag("districts", repr(rows))

    def features() -> Iterable[dict[str, Any]]:
        for code, name, text in rows:
            area = polygon_from_geojson(json.loads(text))
            yield _feature(
                area,
                {
                    "code": code,
                    "name": name or _("District %(code)s") % {"code": code},
                    "label_at": _label_at(area),
                },
            )

    return MapLayer(etag, _kept(etag, features))


def context_layer(agency: Agency, slug: str) -> MapLayer | None:
    """Return one context layer with its features' names only, or None where there is none. One query."""
    row = (
        ContextLayer.objects.filter(agency=agency, slug=slug)
        .annotate(text=Cast("geojson", TextField()))
        .values_list("text", flat=True)
        .first()
    )
    if row is None:
        return None
    etag = _etag("context", slug, row)

    def features() -> Iterable[dict[str, Any]]:
        for feature in json.loads(row).get("features", []):
            try:
                shape = shapely.force_2d(shapely.geometry.shape(feature["geometry"]))
            except (
                TypeError,
                ValueError,
                KeyError,
                IndexError,
                AttributeError,
                shapely.errors.GEOSException,
            ):
                # The import counted and named it already; a map cannot show a shape that is none.
                continue
            name = (feature.get("properties") or {}).get("name")
            yield _feature(shape, {"name": str(name)} if name else {})

    return MapLayer(etag, _kept(etag, features))


def incidents_before(agency: Agency, crime_type: CrimeType | None, before: dt.datetime) -> QuerySet[Incident]:
    """Return the incidents of one type (all active ones if None) in the 28 days before; what officers initiated is left out. Lazy."""
    rows = Incident.objects.filter(
        agency=agency, occurred_from__gte=before - dt.timedelta(days=INCIDENT_DAYS), occurred_from__lt=before
    )
    rows = rows.filter(crime_type=crime_type) if crime_type else rows.filter(crime_type__is_active=True)
    # Officer-initiated ones train nothing, so they explain nothing on this map.
    return rows.exclude(discovery__in=tuple(UNTAUGHT_DISCOVERIES))


def incidents_layer(agency: Agency, crime_type: CrimeType | None, before: dt.datetime) -> MapLayer:
    """Return where crimes of one type (all active ones if None) were reported in the 28 days before, on the agency's days.

    Two queries.
    """
    rows, zone = incidents_before(agency, crime_type, before), ZoneInfo(agency.time_zone)
    # A corrected place changes the row's hash, whether or not its feed says when it was updated.
    state = rows.aggregate(n=Count("pk"), last=Max("pk"), changed=Sum(F("content_hash") % 1_000_003))
    etag = _etag(
        "incidents",
        str(agency.pk),
        str(crime_type and crime_type.pk),
        before.isoformat(),
        agency.time_zone,
        repr(state),
    )

    def body() -> bytes:
        features = [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [round(lon, 5), round(lat, 5)]},
                # An evening's crime is the next day's in UTC.
                "properties": {"type": slug, "on": at.astimezone(zone).date().isoformat()},
            }
            for lon, lat, slug, at in rows.values_list(
                "lon", "lat", "crime_type__slug", "occurred_from"
            ).iterator()
        ]
        return json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":")).encode()

    return MapLayer(etag, body)


def _etag(*parts: str) -> str:
    return f'"{hashlib.sha256(chr(0).join((*parts, get_language() or "")).encode()).hexdigest()[:32]}"'


def _kept(etag: str, features: Callable[[], Iterable[dict[str, Any]]]) -> Callable[[], bytes]:
    def body() -> bytes:
        with _lock:
            if etag in _bodies:
                _bodies.move_to_end(etag)
                return _bodies[etag]
        collection = {"type": "FeatureCollection", "features": list(features())}
        made = json.dumps(collection, separators=(",", ":"), ensure_ascii=False).encode()
        with _lock:
            _bodies[etag] = made
            while len(_bodies) > _KEPT:
                _bodies.popitem(last=False)
        return made

    return body


def _feature(shape: shapely.Geometry, properties: dict[str, Any]) -> dict[str, Any]:
    simple = shapely.simplify(shape, _TOLERANCE_DEGREES, preserve_topology=True)
    rounded = shapely.transform(simple, lambda p: np.round(p, 6))
    return {"type": "Feature", "geometry": shapely.geometry.mapping(rounded), "properties": properties}


def _label_at(area: shapely.MultiPolygon) -> list[float]:
    largest = max(area.geoms, key=lambda part: part.area)
    point = shapely.point_on_surface(largest)
    return [round(point.x, 6), round(point.y, 6)]
