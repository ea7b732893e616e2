"""The area field: GeoJSON in the database, validated by shapely."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.deconstruct import deconstructible
from djgeojson.fields import MultiPolygonField

from agencies.engine.geometry import GeometryProblem, geojson_from_polygon, polygon_from_geojson


@deconstructible
class AreaValidator:
    """Refuses what the GeoJSON field alone lets through: one-point polygons, crossing rings, metres for degrees."""

    def __call__(self, value: Any) -> None:
        try:
            polygon_from_geojson(value)
        except GeometryProblem as exc:
            raise ValidationError(str(exc), code="invalid_geometry") from exc

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AreaValidator)

    def __hash__(self) -> int:
        return hash(AreaValidator)


class AreaField(MultiPolygonField):  # type: ignore[misc]  # djgeojson ships no types
    """A MultiPolygon as GeoJSON (WGS84). A single Polygon is stored as a MultiPolygon of one."""

    default_validators = [AreaValidator()]

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        if isinstance(value, dict) and value.get("type") == "Polygon":
            return {"type": "MultiPolygon", "coordinates": [value["coordinates"]]}
        return value

    def formfield(self, **kwargs: Any) -> Any:
        # The field's own form validator insists on "MultiPolygon" before to_python could widen a Polygon.
        kwargs.setdefault("validators", [AreaValidator()])
        return super().formfield(**kwargs)


__all__ = ["AreaField", "AreaValidator", "geojson_from_polygon"]
