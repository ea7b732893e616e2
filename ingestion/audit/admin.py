"""The audit store in the administration: loaded and deleted by an agency's administrator, changed by nobody."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, AgencyScopedForm
from ingestion.audit.models import AuditTable
from ingestion.audit.services import audit_table_read, audit_table_store
from ingestion.services import spool_delete, spool_path, spool_store
from missions_project.lib.errors import MissionsError


class AuditTableForm(AgencyScopedForm):
    """A table from a file. It is read when the form is checked, so that its faults stand beside the field."""

    file = forms.FileField(
        label=_("File"),
        help_text=_(
            "GeoJSON, GeoPackage, KML or a zipped Shapefile of areas with numeric columns. Columns about single "
            "persons are refused."
        ),
    )

    class Meta:
        model = AuditTable
        fields = ("agency", "name", "valid_from")
        help_texts: ClassVar[dict[str, Any]] = {
            "name": _("Demographic measures refer to it, e.g. “Census tracts 2024”."),
            "valid_from": _("The day from which its figures hold."),
        }

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        upload = cleaned.get("file")
        if self.errors or upload is None:
            return cleaned
        spool_name = ""
        try:
            spool_name = spool_store(chunks=upload.chunks())
            self.draft = audit_table_read(path=spool_path(spool_name), file_name=upload.name)
        except MissionsError as exc:
            self.add_error("file", str(exc))
        finally:
            spool_delete(name=spool_name)
        return cleaned


@admin.register(AuditTable)
class AuditTableAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    form = AuditTableForm
    list_display = ("name", "agency", "valid_from", "source", "n_columns", "imported_at")
    list_filter = ("agency",)
    list_select_related = ("agency",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("agency", "name", "valid_from", "file")
        return ("agency", "name", "valid_from", "source", "column_names", "imported_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj) if obj is not None else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: AuditTable, form: Any, change: bool) -> None:
        stored = audit_table_store(
            agency=obj.agency,
            draft=form.draft,
            name=obj.name,
            valid_from=obj.valid_from,
            requested_by=request.user,  # type: ignore[arg-type]  # the admin lets nobody anonymous in
        )
        obj.pk = stored.pk

    @admin.display(description=_("columns"))
    def column_names(self, table: AuditTable) -> str:
        return ", ".join(map(str, table.columns)) or "–"

    @admin.display(description=_("columns"))
    def n_columns(self, table: AuditTable) -> int:
        return len(table.columns)
