"""What an administrator changes is kept: who, when, what it was and what it became."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from agencies.services import audit_record

MAX_TEXT = 500


def plain_value(value: Any) -> Any:
    """A form's value as it may stand in the audit log: related rows by name, areas by the number of their points."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Model):
        return str(value)
    if isinstance(value, dict) and "coordinates" in value:
        return f"area of {str(value['coordinates']).count('[') - 2} points"
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, dict)):
        return [plain_value(item) for item in value]
    return str(value)[:MAX_TEXT]


class AuditedAdminMixin:
    """Put before an ``AgencyScopedAdmin``: every row that it adds, changes or deletes leaves an ``AuditEvent``."""

    audit_hidden_fields: tuple[str, ...] = ()
    """Fields whose values are not written down, only that they changed."""

    def audit(self, request: HttpRequest, obj: Any, action: str, detail: dict[str, Any]) -> None:
        audit_record(
            agency=self.agency_of(obj) if action != "deleted" or self.agency_of(obj) != obj else None,  # type: ignore[attr-defined]
            actor=request.user,  # type: ignore[arg-type]  # the admin lets nobody anonymous in
            action=f"{obj._meta.model_name}.{action}",
            subject=str(obj),
            detail={"id": obj.pk, **detail},
        )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)  # type: ignore[misc]
        changed = {
            name: "changed"
            if name in self.audit_hidden_fields
            else [plain_value(form.initial.get(name)), plain_value(form.cleaned_data.get(name))]
            for name in form.changed_data
        }
        for formset in formsets:
            for row in [*formset.new_objects, *(row for row, _ in formset.changed_objects)]:
                changed[f"{row._meta.verbose_name} {row.pk}"] = str(row)
            for row in formset.deleted_objects:
                changed[f"{row._meta.verbose_name} deleted"] = str(row)
        if changed or not change:
            self.audit(request, form.instance, "changed" if change else "added", {"changed": changed})

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        # Before the deletion: afterwards the row has no number.
        self.audit(request, obj, "deleted", {})
        super().delete_model(request, obj)  # type: ignore[misc]

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            self.audit(request, obj, "deleted", {})
        super().delete_queryset(request, queryset)  # type: ignore[misc]
