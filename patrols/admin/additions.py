"""Places that people want visited in every shift for a while."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin
from agencies.admin_maps import AreaAdminMixin
from missions_project.lib.errors import MissionsError
from patrols.admin.policies import ClockNamingForm
from patrols.models import Addition
from patrols.services.asked_tactics import tactic_check


class AdditionForm(ClockNamingForm):
    """Names the clock in which the times are typed."""

    class Meta:
        model = Addition
        fields = "__all__"

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        agency = cleaned.get("agency") or getattr(self.instance, "agency", None)
        # Only a name that is typed now: one that has left the catalogue since must not keep the rest from being saved.
        if agency and "tactic" in self.changed_data:
            try:
                tactic_check(agency=agency, slug=cleaned.get("tactic", ""))
            except MissionsError as exc:
                self.add_error("tactic", str(exc))
        return cleaned


@admin.register(Addition)
class AdditionAdmin(AuditedAdminMixin, AreaAdminMixin, AgencyScopedAdmin):
    """Kept for good, because missions name them: ended early rather than deleted."""

    form = AdditionForm
    list_display = ("reason", "agency", "crime_type", "shift", "holds", "starts_at", "expires_at", "author")
    list_filter = ("agency", "crime_type", "shift")
    list_select_related = ("agency", "crime_type", "shift", "author")
    search_fields = ("reason",)
    actions = ["end_now"]
    readonly_fields = ("author", "created_at")
    fields = (
        "agency",
        "geometry",
        "crime_type",
        "shift",
        "dose_minutes",
        "tactic",
        "reason",
        "starts_at",
        "expires_at",
        "author",
        "created_at",
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Who added it and when is known once it is saved.
        return self.fields if obj is not None else [f for f in self.fields if f not in self.readonly_fields]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Addition, form: forms.ModelForm, change: bool) -> None:  # type: ignore[type-arg]
        if not change:
            obj.author = request.user  # type: ignore[assignment]  # the admin lets nobody anonymous in
        super().save_model(request, obj, form, change)

    @admin.display(description=gettext_lazy("holds now"), boolean=True)
    def holds(self, row: Addition) -> bool:
        return row.starts_at <= timezone.now() < row.expires_at

    @admin.action(description=gettext_lazy("End now"), permissions=["change"])
    def end_now(self, request: HttpRequest, queryset: QuerySet[Addition]) -> None:
        now = timezone.now()
        for row in queryset.select_related("agency"):
            if not row.starts_at < now < row.expires_at:
                text = _("“%(row)s” does not hold now; change its dates on its page.") % {"row": row}
                self.message_user(request, text, messages.WARNING)
                continue
            Addition.objects.filter(pk=row.pk).update(expires_at=now)
            self.audit(request, row, "ended", {"until": str(row.expires_at)})
            self.message_user(
                request,
                _("“%(row)s” has ended: later plans send nobody for it.") % {"row": row},
                messages.SUCCESS,
            )
