"""Forms of the mapping wizard and of the feed's admin."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_base import AgencyScopedForm
from agencies.validators import validate_time_zone
from ingestion.engine.mapping import DISCOVERIES, FIELDS, FeedMapping, MappingProblem
from ingestion.engine.osm import OSM_CHOICES
from ingestion.engine.privacy import Violation, screen_columns
from ingestion.engine.suggest import DATE_FORMATS
from ingestion.models import ContextLayer, Discovery, Feed, RecordKind
from ingestion.services import layer_geojson, layer_slug, spool_delete, spool_path, spool_store
from ingestion.services.drafts import IGNORE, CodeChoice, DraftCode
from ingestion.sources import source_kinds, whole_file_class
from ingestion.words import said
from missions_project.lib.errors import MissionsError

OTHER = "other"
MAX_CODE_INPUTS = 400
"""Django refuses a form of more than a thousand inputs; each code has up to two."""


class FeedForm(AgencyScopedForm):
    """A feed's name and kind. Its kind's parameters are added by the admin; its mapping is made by the wizard."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"), initial="csv_file", help_text=Feed._meta.get_field("kind").help_text
    )

    class Meta:
        model = Feed
        fields = (
            *("agency", "name", "slug", "record_kind", "kind", "is_active", "every_minutes"),
            *("lag_median_hours", "lag_p90_hours", "silent_after_hours"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "kind" in self.fields:
            self.fields["kind"].choices = [(source.kind, source.label) for source in source_kinds()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if "kind" in cleaned:
            self._check_record_kind(cleaned["kind"], cleaned.get("record_kind", ""))
        return cleaned

    def _check_record_kind(self, kind: str, record_kind: str) -> None:
        whole = whole_file_class(kind)
        if whole is not None and record_kind != whole.record_kind:
            label = RecordKind(whole.record_kind).label.lower()
            self.add_error(
                "record_kind",
                _("Feeds of the kind “%(label)s” hold %(label_2)s.")
                % {"label": whole.label, "label_2": label},
            )
        elif whole is None and record_kind in (RecordKind.EVENTS, RecordKind.WEATHER):
            self.add_error(
                "kind", _("Scheduled events and weather have kinds of their own: choose one of those.")
            )


class FetchForm(forms.Form):
    """No field: the feed's page says where the sample is fetched."""


class UploadForm(forms.Form):
    """One file."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy(
            "As the feed's kind says: CSV or TSV, Excel (.xlsx), JSON lines, Parquet, XML incident reports, calendars, "
            "weather; text also as .gz, .bz2, .xz or .zip. It waits in a private place and is deleted once it is imported."
        ),
    )


def problem_words(problem: MappingProblem) -> str:
    """What is wrong with a mapping, with the field called as on the page."""
    name = said(FIELDS[problem.setting].label) if problem.setting in FIELDS else problem.setting
    return f"{name}: {problem.message}"


class ColumnsForm(forms.Form):
    """What each column of the file means, and in which format, zone and coordinate system it is written."""

    date_format = forms.ChoiceField(
        label=gettext_lazy("Dates look like"),
        help_text=gettext_lazy("The same for every time column. Below you see how the first rows are read."),
    )
    other_format = forms.CharField(
        label=gettext_lazy("Other date format"),
        required=False,
        max_length=60,
        help_text=gettext_lazy("strptime directives, e.g. %d %b %Y %H:%M."),
    )
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone of the file"),
        required=False,
        validators=[validate_time_zone],
        help_text=gettext_lazy("Empty: the agency's own. Times with an offset of their own keep it."),
    )
    crs = forms.IntegerField(
        label=gettext_lazy("Coordinate system of X and Y (EPSG)"),
        min_value=1,
        help_text=gettext_lazy(
            "Only for X and Y in metres or feet. Longitude and latitude are always WGS84 (4326)."
        ),
    )
    code_separator = forms.CharField(
        label=gettext_lazy("Several codes in a cell, parted by"),
        required=False,
        max_length=3,
        strip=False,
        help_text=gettext_lazy("Usually empty. The first code that can be used counts."),
    )
    ignored_codes = forms.CharField(
        label=gettext_lazy("Codes to ignore"),
        required=False,
        help_text=gettext_lazy(
            "Separated by commas, e.g. dismissed. Rows with them are counted and never stored."
        ),
    )
    discovery = forms.ChoiceField(
        label=gettext_lazy("Where no column says how it became known"),
        required=False,
        choices=[("", gettext_lazy("Reported by the public (sensor for gunfire feeds)")), *Discovery.choices],
        help_text=gettext_lazy("What officers initiated never trains a model."),
    )

    def __init__(self, *args: Any, header: Sequence[str], mapping: FeedMapping, **kwargs: Any) -> None:
        self.header, self.mapping_before = tuple(header), mapping
        self.violations: dict[str, Violation] = {v.column: v for v in screen_columns(header)}
        known = dict(DATE_FORMATS)
        kwargs.setdefault("initial", {}).update(
            date_format=mapping.date_format if mapping.date_format in known else OTHER,
            other_format="" if mapping.date_format in known else mapping.date_format,
            time_zone=mapping.time_zone,
            crs=mapping.crs,
            code_separator=mapping.code_separator,
            ignored_codes=", ".join(mapping.ignored_codes),
            discovery=mapping.constants.get("discovery", ""),
        )
        super().__init__(*args, **kwargs)
        self.fields["date_format"].choices = [*DATE_FORMATS, (OTHER, _("Other, see the next field"))]  # type: ignore[attr-defined]
        meaning = {column: name for name, column in mapping.columns.items()}
        choices = [("", _("– not used, never stored –")), *((f.name, said(f.label)) for f in FIELDS.values())]
        for index, column in enumerate(self.header):
            # A column about persons has no input at all: what cannot be posted cannot be mapped.
            if column and column not in self.violations:
                self.fields[f"column_{index}"] = forms.ChoiceField(
                    label=column, required=False, choices=choices, initial=meaning.get(column, "")
                )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        columns: dict[str, str] = {}
        for index, column in enumerate(self.header):
            name = cleaned.get(f"column_{index}", "")
            if name and name in columns:
                self.add_error(
                    f"column_{index}",
                    _("“%(columns)s” is already %(label)s. Choose one of the two.")
                    % {"columns": columns[name], "label": said(FIELDS[name].label)},
                )
            elif name:
                columns[name] = column
        date_format = cleaned.get("date_format", "")
        if date_format == OTHER:
            date_format = cleaned.get("other_format", "")
            if not date_format:
                self.add_error("other_format", _("Write the format."))
        constants = {
            k: v for k, v in self.mapping_before.constants.items() if k != "discovery" and k not in columns
        }
        if cleaned.get("discovery") in DISCOVERIES and "discovery" not in columns:
            constants["discovery"] = cleaned["discovery"]
        self.mapping = self.mapping_before.replaced(
            columns=columns,
            constants=constants,
            date_format=date_format,
            time_zone=cleaned.get("time_zone", ""),
            crs=cleaned.get("crs") or 4326,
            code_separator=cleaned.get("code_separator", "").strip() or "",
            ignored_codes=tuple(c.strip() for c in cleaned.get("ignored_codes", "").split(",") if c.strip()),
        )
        for problem in self.mapping.problems(self.header):
            if problem.setting in ("date_format", "crs", "time_zone"):
                self.add_error(problem.setting, problem.message)
            else:
                self.add_error(None, problem_words(problem))
        return cleaned


class CodesForm(forms.Form):
    """What the codes that wait for a person mean."""

    def __init__(self, *args: Any, codes: Sequence[DraftCode], names: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.codes = [code for code in codes if code.outcome in ("open", "reason")][:MAX_CODE_INPUTS]
        for index, code in enumerate(self.codes):
            choices = [("", _("– keep such rows aside –")), (IGNORE, _("Ignore: count, never store"))]
            choices += [(slug, names[slug]) for slug in code.choices]
            if code.crime_type and code.crime_type not in code.choices and code.crime_type in names:
                choices.append((code.crime_type, names[code.crime_type]))
            self.fields[f"type_{index}"] = forms.ChoiceField(
                required=False,
                choices=choices,
                label=_("Crime type of %(code)s") % {"code": code.code},
                initial=IGNORE if code.is_ignored else code.crime_type,
            )
            if code.outcome == "reason":
                self.fields[f"reason_{index}"] = forms.CharField(
                    required=False,
                    max_length=500,
                    initial=code.written_reason,
                    label=_("Written reason for %(code)s") % {"code": code.code},
                )

    def choices(self) -> list[CodeChoice]:
        """What was chosen, one entry a code that was shown."""
        found = []
        for index, code in enumerate(self.codes):
            value = self.cleaned_data.get(f"type_{index}", "")
            found.append(
                CodeChoice(
                    code=code.code,
                    description=code.description,
                    crime_type="" if value == IGNORE else value,
                    is_ignored=value == IGNORE,
                    written_reason=self.cleaned_data.get(f"reason_{index}", ""),
                )
            )
        return found

    def rows(self) -> list[tuple[DraftCode, Any, Any]]:
        """Each code with its bound inputs."""
        return [
            (code, self[f"type_{i}"], self[f"reason_{i}"] if f"reason_{i}" in self.fields else None)
            for i, code in enumerate(self.codes)
        ]


class ContextLayerForm(AgencyScopedForm):
    """A layer from a file; the file is read at once and not kept."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        required=False,
        help_text=gettext_lazy(
            "GeoJSON, GeoPackage, KML, FlatGeobuf, CSV with latitude and longitude, a zip with one Shapefile, or an "
            "OpenStreetMap extract (.osm.pbf). Only geometry, name and kind are kept; columns about persons, race, education, "
            "tenure or income are refused. Leave empty to keep the present places."
        ),
    )
    osm = forms.ChoiceField(
        required=False,
        label=gettext_lazy("From an OpenStreetMap extract, take"),
        help_text=gettext_lazy("Only for a .osm.pbf file, which holds everything that is on the map."),
        choices=[
            ("", gettext_lazy("– not such a file –")),
            *((one.key, gettext_lazy(one.label)) for one in OSM_CHOICES.values()),
        ],
    )
    file_layer = forms.CharField(
        required=False,
        max_length=100,
        label=gettext_lazy("Layer of the file"),
        help_text=gettext_lazy("Only for a GeoPackage or KML with several."),
    )
    crs = forms.IntegerField(
        required=False,
        min_value=1,
        label=gettext_lazy("Coordinate system (EPSG)"),
        help_text=gettext_lazy(
            "Only where the file does not say, such as a Shapefile without its .prj, or a CSV with x and y in feet."
        ),
    )

    class Meta:
        model = ContextLayer
        fields = ("agency", "name", "slug", "kind", "valid_from")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if cleaned.get("name") and screen_columns([cleaned["name"]]):
            self.add_error("name", _("This looks like a list about persons; such lists are never accepted."))
        upload = cleaned.get("file")
        if upload is None:
            if not self.instance.geojson:
                self.add_error("file", _("Choose the file with the places."))
            return cleaned
        spool_name = ""
        try:
            spool_name = spool_store(chunks=upload.chunks())
            self.instance.geojson = layer_geojson(
                spool_path(spool_name),
                file_name=upload.name,
                crs=f"EPSG:{cleaned['crs']}" if cleaned.get("crs") else "",
                osm=cleaned.get("osm", ""),
                file_layer=cleaned.get("file_layer", ""),
            )
            cleaned.setdefault("slug", layer_slug(cleaned.get("name") or upload.name))
        except MissionsError as exc:
            self.add_error("file", str(exc))
        finally:
            spool_delete(name=spool_name)
        return cleaned
