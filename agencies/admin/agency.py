"""The agency's own page, its boundary, and the lines that maps in the admin show around what is edited."""

import zoneinfo
from itertools import groupby
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from agencies import admin_configuration, admin_geography, dashboards
from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, AgencyScopedForm, administered_agencies
from agencies.admin_clock import local
from agencies.admin_maps import AreaAdminMixin
from agencies.engine.customs import usual_clock_and_units
from agencies.models import Agency, AuditEvent, BaseMap, Beat, District
from agencies.services import boundary_derive
from missions_project.lib.errors import MissionsError


def time_zone_choices() -> list[tuple[str, Any]]:
    """The IANA names, by region; aliases without a region ("EST") are left out: they know no summer time."""
    names = sorted(
        name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/")
    )
    groups = [
        (region, [(n, n) for n in members]) for region, members in groupby(names, lambda n: n.split("/")[0])
    ]
    # An American product: its users' zones first.
    groups.sort(key=lambda group: (group[0] not in ("US", "America"), group[0] != "US", group[0]))
    return [("", _("Choose a time zone")), *groups, (_("Other"), [("UTC", "UTC")])]


USUAL = {"clock", "units"}
"""What a new agency has by its time zone, unless it is told otherwise."""


class AgencyForm(AgencyScopedForm):
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        choices=time_zone_choices,
        help_text=Agency._meta.get_field("time_zone").help_text,
    )

    class Meta:
        model = Agency
        fields = "__all__"
        labels = {"cell_size_m": gettext_lazy("Cell size (metres)")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            return
        for name in USUAL & self.fields.keys():
            field = self.fields[name]
            field.required, field.initial = False, ""
            given: Any = Agency._meta.get_field(name)
            field.choices = [("", _("as usual in the time zone's country")), *given.choices]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.pk is None:
            usual = dict(
                zip(("clock", "units"), usual_clock_and_units(cleaned.get("time_zone", "")), strict=True)
            )
            cleaned |= {name: cleaned.get(name) or usual[name] for name in USUAL & self.fields.keys()}
        return cleaned


@admin.register(Agency)
class AgencyAdmin(AuditedAdminMixin, AreaAdminMixin, AgencyScopedAdmin):
    agency_path = "self"
    form = AgencyForm
    list_display = ("name", "slug", "time_zone", "cell_size_m")
    search_fields = ("name", "slug")
    fields = ("name", "slug", "time_zone", "boundary", "cell_size_m", "crs_epsg", "clock", "units")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        # The slug is part of addresses outside this installation, too.
        return fields if request.user.is_superuser or obj is None else [*fields, "slug"]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        # The audit log is read-only, but it goes with the agency that it is about.
        return deleted, counts, lacking - {AuditEvent._meta.verbose_name}, protected

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/context.geojson", view(self.context_view), name="agencies_agency_context"),
            path(
                "<int:pk>/boundary/derive/",
                view(require_POST(self.boundary_derive_view)),
                name="agencies_agency_boundary_derive",
            ),
            path("<int:pk>/dashboard/", view(self.dashboard_view), name="agencies_agency_dashboard"),
            *admin_configuration.urls(self.admin_site),
            *admin_geography.urls(self.admin_site),
            *super().get_urls(),
        ]

    def dashboard_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How the agency's feeds, runs and models are doing."""
        agency = administered_agencies(request).filter(pk=pk).first()
        if agency is None:
            raise Http404(_("No such agency."))
        context = {
            **self.admin_site.each_context(request),
            "title": _("How %(agency)s is doing") % {"agency": agency},
            "agency": agency,
            "panels": dashboards.panels(agency),
            "now": local(timezone.now(), agency),
        }
        return TemplateResponse(request, "admin/agencies/dashboard.html", context)

    def context_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The agency's boundary, districts and beats as GeoJSON, without the row that is being edited."""
        agency = administered_agencies(request).filter(pk=pk).first()
        if agency is None:
            raise Http404(_("No such agency."))
        without = request.GET.get("without", "")
        features = []
        if agency.boundary and without != f"agency-{agency.pk}":
            features.append(_feature("boundary", "", agency.boundary))
        for kind, model in (("district", District), ("beat", Beat)):
            for row_pk, code, geometry in model.objects.filter(agency=agency).values_list(
                "pk", "code", "geometry"
            ):  # type: ignore[attr-defined]
                if without != f"{kind}-{row_pk}":
                    features.append(_feature(kind, code, geometry))
        return JsonResponse({"type": "FeatureCollection", "features": features})

    def boundary_derive_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make the union of the beats the boundary."""
        agency = administered_agencies(request).filter(pk=pk).first()
        if agency is None:
            raise Http404(_("No such agency."))
        try:
            boundary_derive(agency=agency, actor=request.user)  # type: ignore[arg-type]  # admin_view: signed in
            self.message_user(request, _("The boundary is now the outer line of the beats."))
        except MissionsError as exc:
            self.message_user(request, str(exc), level=messages.ERROR)
        return HttpResponseRedirect(reverse("admin:agencies_agency_change", args=[pk]))


def _feature(kind: str, code: str, geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"kind": kind, "code": code}, "geometry": geometry}


@admin.register(BaseMap)
class BaseMapAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    list_display = ("name", "agency", "url_template", "is_default")
    list_filter = ("agency",)
    list_select_related = ("agency",)
    fields = ("agency", "name", "url_template", "attribution", "max_zoom", "is_default")
