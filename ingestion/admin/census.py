"""Census areas in the administration: loaded from a file as a whole, looked at, deleted, never typed in."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, AgencyScopedForm
from ingestion.engine.census import FIGURES
from ingestion.models import CensusArea
from ingestion.services import census_read, census_store, spool_delete, spool_path, spool_store
from missions_project.lib.errors import MissionsError


class CensusUploadForm(AgencyScopedForm):
    """Census areas from a file. It is read when the form is checked, so that its faults stand beside the field."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy(
            "GeoJSON, GeoPackage, KML or a zipped Shapefile of areas. Allowed are population, households, housing units, "
            "vacancy and age. A file with other figures (race, education, tenure, income …) is refused, with the columns named."
        ),
    )
    columns = forms.MultipleChoiceField(
        required=False,
        label=gettext_lazy("Read these alone"),
        choices=[(name, gettext_lazy(name.replace("_", " "))) for name in FIGURES],
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "Choose population to take that alone from a file that holds refused columns: they are never read then."
        ),
    )
    crs = forms.IntegerField(
        required=False,
        min_value=1,
        label=gettext_lazy("Coordinate system (EPSG)"),
        help_text=gettext_lazy("Only where the file does not say, such as a Shapefile without its .prj."),
    )
    source = forms.CharField(
        label=gettext_lazy("Source"),
        required=False,
        max_length=180,
        help_text=gettext_lazy("The survey and its year. Empty: the file's name."),
    )

    class Meta:
        model = CensusArea
        fields = ("agency", "valid_from", "source")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        upload = cleaned.get("file")
        if self.errors or upload is None:
            return cleaned
        spool_name = ""
        try:
            spool_name = spool_store(chunks=upload.chunks())
            self.draft = census_read(
                path=spool_path(spool_name),
                file_name=upload.name,
                columns=cleaned.get("columns") or (),
                crs=f"EPSG:{cleaned['crs']}" if cleaned.get("crs") else "",
            )
            self.instance.geometry = self.draft.areas[0]["geometry"]
            self.instance.source = cleaned["source"] = cleaned.get("source") or self.draft.file_name[:180]
        except MissionsError as exc:
            self.add_error("file", str(exc))
        finally:
            spool_delete(name=spool_name)
        return cleaned


@admin.register(CensusArea)
class CensusAreaAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    form = CensusUploadForm
    list_display = ("__str__", "agency", "valid_from", *FIGURES, "source")
    list_filter = ("agency", "valid_from")
    list_select_related = ("agency",)
    search_fields = ("name",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("agency", "valid_from", "file", "columns", "source", "crs")
        return ("agency", "name", "valid_from", *FIGURES, "source", "imported_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj) if obj is not None else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: CensusArea, form: Any, change: bool) -> None:
        rows = census_store(agency=obj.agency, draft=form.draft, valid_from=obj.valid_from, source=obj.source)
        obj.pk = rows[0].pk
        messages.info(
            request,
            _("%(count)s areas with %(figures)s were stored. Train again to use them.")
            % {"count": f"{len(rows):,}", "figures": ", ".join(form.draft.figures)},
        )
