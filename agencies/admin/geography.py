"""Districts and beats: drawn on a map, or uploaded."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, AgencyScopedInline
from agencies.admin_maps import AreaAdminMixin
from agencies.models import Beat, District, DistrictPriority


class GeographyAdmin(AuditedAdminMixin, AreaAdminMixin, AgencyScopedAdmin):
    """A list with an upload button beside "Add"."""

    change_list_template = "admin/geography_change_list.html"
    search_fields = ("code", "name")
    list_select_related = ("agency",)
    upload_layer = ""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        agency = self.page_agency(request)
        name = "admin:agencies_geography_upload" if agency else "admin:agencies_geography_choose"
        args = [agency.pk, self.upload_layer] if agency else [self.upload_layer]
        extra = {"upload_url": reverse(name, args=args), **(extra_context or {})}
        return super().changelist_view(request, extra)


class DistrictPriorityInline(AgencyScopedInline):
    model = DistrictPriority
    fields = ("crime_type", "multiplier")

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)

        class OwnedFormSet(formset):  # type: ignore[misc,valid-type]
            def _construct_form(self, i: int, **form_kwargs: Any) -> Any:
                form = super()._construct_form(i, **form_kwargs)
                # The inline shows no agency: it is the district's.
                if not form.instance.agency_id and self.instance.agency_id:
                    form.instance.agency_id = self.instance.agency_id
                return form

        return OwnedFormSet


@admin.register(District)
class DistrictAdmin(GeographyAdmin):
    upload_layer = "districts"
    list_display = ("code", "name", "agency")
    list_filter = ("agency",)
    fields = ("agency", "code", "name", "geometry")
    inlines = [DistrictPriorityInline]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else []


@admin.register(Beat)
class BeatAdmin(GeographyAdmin):
    upload_layer = "beats"
    list_display = ("code", "name", "district", "agency")
    list_filter = ("agency", "district")
    list_select_related = ("agency", "district")  # type: ignore[assignment]  # a longer tuple
    fields = ("agency", "district", "code", "name", "geometry")
