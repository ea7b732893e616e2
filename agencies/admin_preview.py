"""A change form that tells, as it is filled in, what saving it would do. Nothing is written before it is saved."""

from typing import Any, ClassVar

from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from agencies import previews
from agencies.lookups import pk_from_text


def missing_only(form: ModelForm) -> list[str]:  # type: ignore[type-arg]
    """The fields that are still to be filled in, by name; none where something else is wrong, which is told in full."""
    faults = form.errors.as_data()
    blank = {
        name
        for name, found in faults.items()
        if name in form.fields and found[0].code in ("required", "null")
    }
    return (
        [str(form[name].label) for name in form.fields if name in blank] if len(blank) == len(faults) else []
    )


class PreviewFormMixin:
    """Put before an ``AgencyScopedAdmin``: its form is followed by what the rooms say about the change."""

    admin_site: Any
    model: Any
    change_form_template: ClassVar[Any] = "admin/agencies/preview_change_form.html"

    @property
    def _preview_name(self) -> str:
        return f"{self.model._meta.app_label}_{self.model._meta.model_name}_preview"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.preview_view)
        return [path("preview/", view, name=self._preview_name), *super().get_urls()]  # type: ignore[misc]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = kwargs.get("obj")
        context["preview_url"] = f"admin:{self._preview_name}"
        context["preview_row"] = obj.pk if obj is not None else ""
        shown: HttpResponse = super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
        return shown

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the form in the query would do. Rows of other agencies do not exist; what is invalid is told, not tried."""
        asked = request.GET.get("preview_row", "")
        row = self.get_object(request, str(pk_from_text(asked))) if asked else None  # type: ignore[attr-defined]
        allowed = (
            self.has_change_permission(request, row) if row else self.has_add_permission(request)  # type: ignore[attr-defined]
        )
        if (asked and row is None) or not allowed:
            raise Http404(_("No such row."))
        before = self.model._default_manager.get(pk=row.pk) if row else None
        form = self.get_form(request, row, change=row is not None)(request.GET, instance=row)  # type: ignore[attr-defined]
        context: dict[str, Any] = {"form": form, "missing": missing_only(form)}
        if form.is_valid():
            agency = self.agency_of(form.instance)  # type: ignore[attr-defined]
            context["panels"] = previews.panels(agency, before, form.instance)
        return render(request, "admin/agencies/_preview.html", context)
