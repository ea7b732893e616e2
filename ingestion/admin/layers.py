"""Context layers: places from a file."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin
from ingestion.forms import ContextLayerForm
from ingestion.models import ContextLayer


@admin.register(ContextLayer)
class ContextLayerAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    form = ContextLayerForm
    list_display = ("name", "agency", "kind", "places", "valid_from")
    list_filter = ("agency", "kind")
    list_select_related = ("agency",)
    prepopulated_fields = {"slug": ("name",)}
    fields = ("agency", "name", "slug", "kind", "valid_from", "file", "osm", "file_layer", "crs")

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # The slug names the feature in trained models: it follows the name only until the first save.
        return {} if obj is not None else self.prepopulated_fields

    @admin.display(description=_("places"))
    def places(self, layer: ContextLayer) -> str:
        return f"{layer.feature_count:,}"
