"""The dials of the allocation, and areas kept out of it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, AgencyScopedForm
from agencies.admin_maps import AreaAdminMixin
from agencies.services import audit_record
from patrols.admin.preview import PolicyPreviewMixin
from patrols.dials import GROUPS, LABELS
from patrols.models import PatrolPolicy, Suppression

DIAL_FIELDSETS: Any = tuple(
    (title, {"fields": names, "description": words}) for title, names, words in GROUPS
)


class PatrolPolicyForm(AgencyScopedForm):
    """Says which policy is active already, instead of naming a constraint."""

    class Meta:
        model = PatrolPolicy
        fields = "__all__"
        labels = LABELS

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        agency = cleaned.get("agency") or getattr(self.instance, "agency", None)
        if agency and cleaned.get("is_active"):
            active = (
                PatrolPolicy.objects.filter(agency=agency, is_active=True)
                .exclude(pk=self.instance.pk)
                .first()
            )
            if active:
                self.add_error(
                    "is_active",
                    _(
                        "“%(active)s” is the active policy. Save this one as inactive, then choose “Make this the active policy” in the list: the two change places at once."
                    )
                    % {"active": active.name},
                )
        return cleaned


@admin.register(PatrolPolicy)
class PatrolPolicyAdmin(PolicyPreviewMixin, AuditedAdminMixin, AgencyScopedAdmin):
    form = PatrolPolicyForm
    list_display = (
        "name",
        "agency",
        "is_active",
        "gamma",
        "exploration",
        "cap_max",
        "dose",
        "visits_per_cell",
    )
    list_filter = ("agency", "is_active")
    actions = ["make_active"]
    fieldsets = (
        (None, {"fields": ("agency", "name", "is_active")}),
        *DIAL_FIELDSETS,
        (
            gettext_lazy("During a shift: deciding anew for what is left of it"),
            {
                "fields": ("replans_max", "replan_missions_max", "replans_on_gunfire"),
                "description": gettext_lazy(
                    "New missions for what is left of a shift. The shift's plan stays as it was drawn."
                ),
            },
        ),
    )

    @admin.display(description=gettext_lazy("minutes a visit"), ordering="dose_min_minutes")
    def dose(self, policy: PatrolPolicy) -> str:
        return f"{policy.dose_min_minutes}–{policy.dose_max_minutes}"

    @admin.action(description=gettext_lazy("Make this the active policy"), permissions=["change"])
    def make_active(self, request: HttpRequest, queryset: QuerySet[PatrolPolicy]) -> None:
        chosen = list(queryset.select_related("agency"))
        if len({policy.agency_id for policy in chosen}) < len(chosen):
            self.message_user(request, _("Choose one policy per agency."), messages.ERROR)
            return
        for policy in chosen:
            with transaction.atomic():
                # The old one first: two active ones would break the constraint for an instant.
                PatrolPolicy.objects.filter(agency=policy.agency).exclude(pk=policy.pk).update(
                    is_active=False
                )
                PatrolPolicy.objects.filter(pk=policy.pk).update(is_active=True)
                audit_record(
                    agency=policy.agency,
                    actor=request.user,  # type: ignore[arg-type]  # the admin lets nobody anonymous in
                    action="patrolpolicy.activated",
                    subject=policy.name,
                    detail={"id": policy.pk, "changed": {"is_active": [False, True]}},
                    row=policy,
                )
            self.message_user(
                request,
                _("“%(policy)s” is active: plans drawn from now on use it.") % {"policy": policy.name},
                messages.SUCCESS,
            )


class ClockNamingForm(AgencyScopedForm):
    """Names the clock in which the times are typed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("starts_at", "expires_at"):
            if field := self.fields.get(name):
                field.help_text = _("%(help_text)s By the clock of %(current_timezone_name)s.") % {
                    "help_text": field.help_text,
                    "current_timezone_name": timezone.get_current_timezone_name(),
                }


class SuppressionForm(ClockNamingForm):
    """A suppression's dates, by a named clock."""

    class Meta:
        model = Suppression
        fields = "__all__"


@admin.register(Suppression)
class SuppressionAdmin(AuditedAdminMixin, AreaAdminMixin, AgencyScopedAdmin):
    """Kept for good, because plans name them: ended early rather than deleted."""

    form = SuppressionForm
    list_display = ("reason", "agency", "where", "holds", "starts_at", "expires_at", "author")
    list_filter = ("agency", "beat")
    list_select_related = ("agency", "beat", "author")
    search_fields = ("reason",)
    actions = ["end_now"]
    readonly_fields = ("author", "created_at")
    fields = ("agency", "beat", "geometry", "reason", "starts_at", "expires_at", "author", "created_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Who added it and when is known once it is saved.
        return self.fields if obj is not None else [f for f in self.fields if f not in self.readonly_fields]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Suppression, form: forms.ModelForm, change: bool) -> None:  # type: ignore[type-arg]
        if not change:
            obj.author = request.user  # type: ignore[assignment]  # the admin lets nobody anonymous in
        super().save_model(request, obj, form, change)

    @admin.display(description=gettext_lazy("where"), ordering="beat")
    def where(self, row: Suppression) -> str:
        return str(row.beat) if row.beat else _("drawn area")

    @admin.display(description=gettext_lazy("holds now"), boolean=True)
    def holds(self, row: Suppression) -> bool:
        return row.starts_at <= timezone.now() < row.expires_at

    @admin.action(description=gettext_lazy("End now"), permissions=["change"])
    def end_now(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        now = timezone.now()
        for row in queryset.select_related("agency"):
            if not row.starts_at < now < row.expires_at:
                self.message_user(
                    request,
                    _("“%(row)s” does not hold now; change its dates on its page.") % {"row": row},
                    messages.WARNING,
                )
                continue
            Suppression.objects.filter(pk=row.pk).update(expires_at=now)
            self.audit(request, row, "ended", {"until": str(row.expires_at)})
            self.message_user(
                request,
                _("“%(row)s” has ended: later plans draw there again.") % {"row": row},
                messages.SUCCESS,
            )
