"""An agency's API keys: make one, see its secret once, revoke it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from agencies.admin_base import AgencyScopedAdmin, AgencyScopedForm
from agencies.admin_clock import local
from ingestion.models import AgencyKey
from ingestion.services.agency_keys import agency_key_create, agency_key_revoke
from ingestion.services.tokens import MAX_DAYS, token_rotate
from missions_project.lib.errors import MissionsError


class AgencyKeyForm(AgencyScopedForm):
    """What a new key may do, and for how long."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=60,
        help_text=gettext_lazy("Which machine will use it, e.g. “Terminals in cars”."),
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("Scope"),
        choices=[
            ("read", gettext_lazy("Read: shifts, forecasts, plans, missions, rosters, visits")),
            (
                "patrols",
                gettext_lazy("Patrols: read, and change what a supervisor may change in all districts"),
            ),
        ],
        help_text=gettext_lazy("Two machines need two keys: each can be revoked alone."),
    )
    days = forms.IntegerField(
        label=gettext_lazy("Days valid"),
        min_value=1,
        max_value=MAX_DAYS,
        initial=365,
        help_text=gettext_lazy("After them it is refused."),
    )

    class Meta:
        model = AgencyKey
        fields = ("agency", "name", "scope")


@admin.register(AgencyKey)
class AgencyKeyAdmin(AgencyScopedAdmin):
    form = AgencyKeyForm
    list_display = ("token_key", "name", "agency", "scope", "user", "made", "valid_until")
    list_filter = ("agency", "scope")
    list_select_related = ("user", "agency")
    fields = ("agency", "name", "scope", "days")
    actions = None
    change_form_template = "admin/ingestion/agencykey/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AgencyKey]:
        # A feed's keys stand on the feed's page.
        return super().get_queryset(request).filter(feed__isnull=True, agency__isnull=False)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj is None else ("agency", "name", "scope", "user", "made", "valid_until")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("agency", "name", "scope", "user", "made", "valid_until")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        key, secret = agency_key_create(
            agency=form.cleaned_data["agency"],
            made_by=request.user,  # type: ignore[arg-type]  # the admin's people are signed in
            scope=form.cleaned_data["scope"],
            name=form.cleaned_data["name"],
            days=form.cleaned_data["days"],
        )
        obj.pk, obj.token_key = key.pk, key.token_key
        # For this answer only: a session or a message would store it.
        request._new_secret = secret  # type: ignore[attr-defined]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.rotate_view))
        return [
            path("<path:object_id>/rotate/", view, name="ingestion_agencykey_rotate"),
            *super().get_urls(),
        ]

    def rotate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Change a key for a new one, and show that once."""
        old = self.get_object(request, object_id)
        if old is None:
            raise Http404
        if not self.has_delete_permission(request, old):
            raise PermissionDenied
        try:
            new, secret = token_rotate(token=old, actor=request.user)  # type: ignore[arg-type]  # signed in
        except MissionsError as exc:
            messages.error(request, str(exc))
            return redirect("admin:ingestion_agencykey_change", object_id)
        return self._shown(request, new, secret)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        return self._shown(request, obj, request._new_secret)  # type: ignore[attr-defined]

    def _shown(self, request: HttpRequest, key: Any, secret: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": _("The new key"),
            "key": key,
            "secret": secret,
        }
        response = TemplateResponse(request, "admin/ingestion/agencykey/made.html", context)
        add_never_cache_headers(response)
        return response

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        agency_key_revoke(key=obj, actor=request.user)  # type: ignore[arg-type]  # signed in

    @admin.display(description=gettext_lazy("made"), ordering="created")
    def made(self, key: AgencyKey) -> str:
        return local(key.created, key.agency) if key.agency else ""

    @admin.display(description=gettext_lazy("valid until"), ordering="expiry")
    def valid_until(self, key: AgencyKey) -> str:
        return local(key.expiry, key.agency) if key.expiry and key.agency else "–"
