"""The live preview beside the dials of a patrol policy, and a proposal laid over a saved one."""

from typing import Any, ClassVar

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from agencies.selectors import leaflet_settings
from patrols.dials import DIALS, dials_form
from patrols.models import PatrolPolicy
from patrols.preview import preview_runs, tried_context


class PolicyPreviewMixin:
    """Put before the admin of patrol policies: its pages get a preview that follows the form."""

    admin_site: Any
    change_form_template: ClassVar[Any] = "admin/patrols/policy_change_form.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.preview_view)
        own = [path("preview/", view, name="patrols_patrolpolicy_preview")]
        return own + super().get_urls()  # type: ignore[misc,no-any-return]  # the ModelAdmin's

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> PatrolPolicy | None:
        """The row; where the address carries a proposal's dials, the form shows those, and only saving keeps them."""
        row: PatrolPolicy | None = super().get_object(request, object_id, from_field)  # type: ignore[misc]  # the ModelAdmin's
        if row is not None and request.method == "GET" and any(name in request.GET for name in DIALS):
            form = dials_form(row.agency, row, request.GET)
            if form.is_valid():
                for name, value in form.cleaned_data.items():
                    setattr(row, name, value)
                messages.info(
                    request, _("The dials are as proposed. Nothing is saved yet: look, then save or leave.")
                )
            else:
                messages.warning(
                    request, _("The proposal in this address does not work: the saved dials are shown.")
                )
        return row

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
            raise Http404(_("No such agency."))
        return render(request, "patrols/_policy_figures.html", tried_context(agency, request.GET))
