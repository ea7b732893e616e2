"""Drop folders: their address, their state, and the last files."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin
from ingestion.models import DropFile, DropFolder
from ingestion.services import folder_address
from missions_project.lib.sentences import said_again

SHOWN_FILES = 20


@admin.register(DropFolder)
class DropFolderAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    list_display = ("name", "agency", "feed", "address", "state", "waiting", "looked_at")
    list_filter = ("agency", "is_active")
    list_select_related = ("agency", "feed")
    readonly_fields = ("address", "state", "last_files")
    fields = (
        *("agency", "feed", "name", "is_active", "needs_marker", "settle_seconds", "keep_days"),
        *("address", "state", "last_files"),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj is not None else [f for f in self.fields if f not in self.readonly_fields]

    def get_queryset(self, request: HttpRequest) -> Any:
        waiting = Count("files", filter=Q(files__state=DropFile.State.SEEN))
        return super().get_queryset(request).annotate(n_waiting=waiting)

    @admin.display(description=gettext_lazy("address"))
    def address(self, folder: DropFolder) -> str:
        return str(folder_address(folder))

    @admin.display(description=gettext_lazy("waiting"))
    def waiting(self, folder: DropFolder) -> str:
        return f"{getattr(folder, 'n_waiting', 0):,}"

    @admin.display(description=gettext_lazy("state"))
    def state(self, folder: DropFolder) -> str:
        if not folder.is_active:
            return _("Inactive: nobody looks into it.")
        if folder.looked_at is None:
            return _("Nobody has looked yet. The scheduler does each minute; so does manage.py drop_scan.")
        return said_again(folder.message) or _("All is well.")

    @admin.display(description=gettext_lazy("last files"))
    def last_files(self, folder: DropFolder) -> str:
        files = folder.files.select_related("run")[:SHOWN_FILES]
        rows = [
            (
                file.name,
                file.get_state_display(),
                said_again(file.reason) or file.target,
                self._run_link(file),
            )
            for file in files
        ]
        if not rows:
            return _("None yet.")
        lines = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", rows)
        heads = [(head,) for head in (_("File"), _("State"), _("Where, or why not"), _("Import"))]
        return format_html("<table><tr>{}</tr>{}</table>", format_html_join("", "<th>{}</th>", heads), lines)

    def _run_link(self, file: DropFile) -> str:
        if file.run_id is None:
            return "–"
        url = reverse("admin:ingestion_importrun_change", args=[file.run_id])
        return format_html('<a href="{}">{}</a>', url, _("Run %(number)s") % {"number": file.run_id})
