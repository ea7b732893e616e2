"""How long each kind of record is kept."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, AgencyScopedForm
from ingestion import services
from ingestion.models import RetentionPolicy
from missions_project.lib.errors import MissionsError


class RetentionPolicyForm(AgencyScopedForm):
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"), help_text=gettext_lazy("What the rule is about. One row each.")
    )

    class Meta:
        model = RetentionPolicy
        fields = ("agency", "kind", "coarsen_after_days", "delete_after_days")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "kind" in self.fields:
            # Read when the form is shown: rooms and branches register kinds of their own.
            self.fields["kind"].choices = [(kind.key, kind.label) for kind in services.retention_kinds()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        key = cleaned.get("kind") or self.instance.kind
        known = {kind.key: kind for kind in services.retention_kinds()}
        if (kind := known.get(key)) is None:
            return cleaned
        coarse, gone = cleaned.get("coarsen_after_days"), cleaned.get("delete_after_days")
        if coarse is not None and kind.coarse is None:
            self.add_error(
                "coarsen_after_days",
                _("%(label)s have no place and time that could be made coarse.") % {"label": kind.label},
            )
        for name, days in (("coarsen_after_days", coarse), ("delete_after_days", gone)):
            if days is not None and days < kind.minimum_days:
                self.add_error(
                    name,
                    _("%(label)s: at least %(minimum_days)s days are kept.")
                    % {"label": kind.label, "minimum_days": kind.minimum_days},
                )
        return cleaned


@admin.register(RetentionPolicy)
class RetentionPolicyAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    form = RetentionPolicyForm
    list_display = ("kind_label", "agency", "coarsen_after_days", "delete_after_days", "finished_at")
    list_filter = ("agency",)
    list_select_related = ("agency",)
    readonly_fields = ("what_it_would_do", "finished_at")
    fields = ("agency", "kind", "coarsen_after_days", "delete_after_days", "what_it_would_do", "finished_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj is not None else self.fields[:4]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("kind_label", *self.readonly_fields) if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: RetentionPolicy, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        for notice in services.retention_plan(policy=obj).notices:
            messages.warning(request, notice)

    @admin.display(description=gettext_lazy("kind"), ordering="kind")
    def kind_label(self, policy: RetentionPolicy) -> str:
        return {kind.key: kind.label for kind in services.retention_kinds()}.get(policy.kind, policy.kind)

    @admin.display(description=gettext_lazy("what it would do now"))
    def what_it_would_do(self, policy: RetentionPolicy) -> str:
        """Counts and warnings, before the night does it."""
        try:
            plan = services.retention_plan(policy=policy)
        except MissionsError as exc:
            # A kind that this version of the product no longer knows: the row must still open.
            return str(exc)
        text = _("%(deleted)s deleted, %(coarsened)s made coarse, in the coming night. %(help)s") % {
            "deleted": f"{plan.deleted:,}",
            "coarsened": f"{plan.coarsened:,}",
            "help": plan.kind.help,
        }
        warnings = format_html_join("", '<p class="errornote">{}</p>', ((one,) for one in plan.notices))
        return format_html("<p>{}</p>{}", text, warnings)
