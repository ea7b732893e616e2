"""Areas drawn and edited on a map inside the admin, with the agency's own lines around them as a guide."""

import json
from typing import Any

from django import forms
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from leaflet.admin import LeafletAdminWidget, LeafletGeoAdminMixin

from agencies.fields import AreaField
from agencies.models import Agency
from agencies.selectors import leaflet_settings


class ProjectTemplateMixin:
    """A widget whose template lies in the project's folder: Django's own form renderer looks in packages only."""

    def _render(self, template_name: str, context: dict[str, Any], renderer: Any = None) -> SafeString:
        return render_to_string(template_name, context)


class RawGeometry(str):
    """GeoJSON text in the shape in which the widget's base class wants a geometry."""

    srid = 4326

    @property
    def geojson(self) -> str:
        return str(self)


class AreaWidget(ProjectTemplateMixin, LeafletAdminWidget):  # type: ignore[misc]  # django-leaflet ships no types
    """A Leaflet map that edits areas without losing their holes (see static/agencies/area_field.js)."""

    template_name = "agencies/area_widget.html"
    field_store_class = "L.AreaFieldStore"
    context_url = ""
    is_agencys = False
    """Whether the area is an agency's own, which there may not be yet."""

    @property
    def media(self) -> forms.Media:
        base = super().media
        # One list: lists that are merged may change order, and ours needs leaflet.draw before it.
        return forms.Media(
            js=[*base._js, "agencies/area_field.js", "agencies/area_text.js"],
            css={"screen": [*base._css["screen"], "agencies/area_field.css"]},
        )

    def deserialize(self, value: str) -> RawGeometry | None:
        # The base class goes through GEOS and drops what GEOS refuses: a person's half-right drawing
        # must come back with the error, not vanish.
        try:
            json.loads(value)
        except ValueError:
            return None
        return RawGeometry(value)

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["context_url"] = self.context_url
        context["is_agencys"] = self.is_agencys
        return context


class AreaAdminMixin(LeafletGeoAdminMixin):  # type: ignore[misc]  # django-leaflet ships no types
    """Put before an ``AgencyScopedAdmin`` whose model has an ``AreaField``."""

    widget = AreaWidget
    map_template = "agencies/area_widget.html"

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(db_field, AreaField) and field is not None:
            agency = self.page_agency(request)
            if agency is not None:
                field.widget.settings_overrides = leaflet_settings(request, agency)
                url = reverse("admin:agencies_agency_context", args=[agency.pk])
                edited = (request.resolver_match and request.resolver_match.kwargs.get("object_id")) or ""
                field.widget.context_url = f"{url}?without={self.model._meta.model_name}-{edited}"
            else:
                field.widget.context_url = reverse("admin:agencies_agency_context", args=[0])
                field.widget.is_agencys = self.model is Agency
        return field
