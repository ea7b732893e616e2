"""The live preview beside the dials of a patrol policy."""

from typing import Any, ClassVar

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path

from agencies.lookups import pk_from_text
from agencies.selectors import leaflet_settings
from missions_project.lib.errors import MissionsError
from patrols.models import PatrolPolicy
from patrols.preview import preview_context, preview_runs
from patrols.selectors import active_policy

DIALS = (
    "gamma",
    "exploration",
    "cap_max",
    "visits_per_cell",
    "min_spacing_minutes",
    "travel_minutes",
    "dose_min_minutes",
    "dose_max_minutes",
    "cooldown_days",
    "cooldown_factor",
    "saturation_window_days",
    "saturation_soft_minutes",
    "saturation_hard_minutes",
    "unstaffed",
)


class DialsForm(forms.ModelForm):  # type: ignore[type-arg]
    """The dials alone: what is being typed is checked as saving it would, and saved nowhere."""

    class Meta:
        model = PatrolPolicy
        fields = DIALS


class PolicyPreviewMixin:
    """Put before the admin of patrol policies: its pages get a preview that follows the form."""

    admin_site: Any
    change_form_template: ClassVar[Any] = "admin/patrols/policy_change_form.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.preview_view)
        own = [path("preview/", view, name="patrols_patrolpolicy_preview")]
        return own + super().get_urls()  # type: ignore[misc,no-any-return]  # the ModelAdmin's

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        agency = obj.agency if obj is not None else self.page_agency(request)  # type: ignore[attr-defined]
        if agency is not None:
            context["preview_agency"] = agency
            context["preview_runs"] = preview_runs(agency)
            context["leaflet"] = leaflet_settings(request, agency)
        shown: HttpResponse = super().render_change_form(  # type: ignore[misc]  # the ModelAdmin's
            request, context, add, change, form_url, obj
        )
        return shown

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the dials in the query would do to the chosen forecast shift. Nothing is saved or drawn."""
        agency = self.page_agency(request)  # type: ignore[attr-defined]
        if agency is None or not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise Http404("No such agency.")
        runs = preview_runs(agency)
        asked = pk_from_text(request.GET.get("preview_run", ""))
        run = next((row for row in runs if row.pk == asked), runs[0] if runs else None)
        form = DialsForm(request.GET, instance=PatrolPolicy(agency=agency))
        context: dict[str, Any] = {"run": run, "form": form}
        if run is not None and form.is_valid():
            context["saved"] = active_policy(agency)
            try:
                context |= preview_context(run, saved=context["saved"], tried=form.instance)
            except MissionsError as exc:
                context["error"] = str(exc)
        return render(request, "admin/patrols/_policy_preview.html", context)
