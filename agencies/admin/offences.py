"""Crime types and district priorities: what is forecast, and how much each counts."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, AgencyScopedForm
from agencies.admin_maps import ProjectTemplateMixin
from agencies.admin_preview import PreviewFormMixin
from agencies.engine.offence_policy import OFFENCE_CLASSES, OffenceClass, offence_class_of
from agencies.engine.palette import OKABE_ITO, suggested_colour
from agencies.models import CrimeType, DistrictPriority
from agencies.words import said


class OffenceClassSelect(forms.Select):
    """The allow-list, class by class; each option knows its suggested weight, letter and colour for the script."""

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        if (offence_class := offence_class_of(str(value))) is not None:
            option["attrs"] |= {
                "data-name": said(offence_class.label),
                "data-weight": f"{offence_class.weight_of(str(value)):g}",
                "data-letter": offence_class.letter,
                "data-colour": suggested_colour(offence_class.key),
            }
        return option


def offence_choices(current: str = "") -> list[tuple[str, Any]]:
    """Options for the select: (group, options). A stored code that is spelt otherwise stays choosable."""
    groups: list[tuple[str, Any]] = [("", _("Choose an offence class"))]
    known: set[str] = set()
    for entry in OFFENCE_CLASSES:
        options = _class_options(entry)
        # What is offered, not what is known: a type saved as a class of one code would show as "none chosen".
        known.update(value for value, _ in options)
        suggested = _("suggested weight %(default_weight)s, letter %(letter)s") % {
            "default_weight": f"{entry.default_weight:g}",
            "letter": entry.letter,
        }
        groups.append((f"{said(entry.label)} – {suggested}", options))
    if current and current not in known:
        saved = offence_class_of(current)
        groups.append((_("As saved"), [(current, f"{said(saved.label)} ({current})" if saved else current)]))
    return groups


def _class_options(entry: OffenceClass) -> list[tuple[str, str]]:
    """The whole class first, where it has parts: a type declared as one part takes that part's rows only."""
    if len(entry.nibrs) > 1:
        whole = [
            (
                entry.key,
                _("%(label)s, all kinds (%(nibrs)s–%(nibrs_2)s)")
                % {"label": said(entry.label), "nibrs": entry.nibrs[0], "nibrs_2": entry.nibrs[-1]},
            )
        ]
        return whole + [
            (code, _("%(label)s (%(code)s) only") % {"label": said(entry.label), "code": code})
            for code in entry.nibrs
        ]
    return [(code, f"{said(entry.label)} ({code})") for code in entry.nibrs or (entry.key,)]


class ColourInput(ProjectTemplateMixin, forms.TextInput):
    """The browser's colour picker, with the palette that colour-blind readers can tell apart."""

    template_name = "agencies/colour_input.html"
    input_type = "color"

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        # Browsers answer in lower case: every save would look like a change of colour.
        value = super().value_from_datadict(data, files, name)
        return value.upper() if isinstance(value, str) else value

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["palette"] = [(colour, said(name)) for colour, name in OKABE_ITO]
        return context


class CrimeTypeForm(AgencyScopedForm):
    class Meta:
        model = CrimeType
        fields = "__all__"
        widgets = {"colour": ColourInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "nibrs_code" in self.fields:
            # A plain text field behind the select: a refused code that is posted anyway reaches the
            # model, whose answer says why, instead of "not one of the available choices".
            self.fields["nibrs_code"].widget = OffenceClassSelect(
                choices=offence_choices(self.instance.nibrs_code)
            )
        for name in ("letter", "slug"):
            if name in self.fields:
                self.fields[name].required = False

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        offence_class = offence_class_of(cleaned.get("nibrs_code") or "")
        if offence_class is not None and not cleaned.get("letter"):
            cleaned["letter"] = offence_class.letter
        if not cleaned.get("slug") and cleaned.get("name"):
            cleaned["slug"] = slugify(cleaned["name"])[:60]
        return cleaned


@admin.register(CrimeType)
class CrimeTypeAdmin(PreviewFormMixin, AuditedAdminMixin, AgencyScopedAdmin):
    form = CrimeTypeForm
    list_display = ("name", "box", "agency", "offence", "severity", "is_active")
    list_filter = ("agency", "is_active")
    list_select_related = ("agency",)
    search_fields = ("name", "slug")
    fields = (
        "agency", "nibrs_code", "name", "slug", "written_reason", "weight", "letter", "colour", "is_active",
    )  # fmt: skip

    class Media:
        js = ("agencies/crime_type.js",)

    @admin.display(description=gettext_lazy("box"))
    def box(self, crime_type: CrimeType) -> str:
        # Presentation attributes, not styles: the page's policy allows no inline style.
        return format_html(
            '<svg width="26" height="22" role="img" aria-label="{}"><rect x="1" y="1" width="24" height="20" rx="3" '
            'fill="none" stroke="{}" stroke-width="3"/><text x="13" y="16" text-anchor="middle" font-size="12" '
            'font-weight="700" fill="currentColor">{}</text></svg>',
            crime_type.letter,
            crime_type.colour,
            crime_type.letter,
        )

    @admin.display(description=CrimeType._meta.get_field("weight").verbose_name, ordering="weight")
    def severity(self, crime_type: CrimeType) -> str:
        return f"{crime_type.weight:g}"

    @admin.display(description=CrimeType._meta.get_field("nibrs_code").verbose_name, ordering="nibrs_code")
    def offence(self, crime_type: CrimeType) -> str:
        known = offence_class_of(crime_type.nibrs_code)
        return said(known.label) if known else crime_type.nibrs_code

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        if (agency := self.page_agency(request)) is not None:
            taken = CrimeType.objects.filter(agency=agency).values_list("colour", flat=True)
            initial.setdefault("colour", suggested_colour("", taken))
        return initial


@admin.register(DistrictPriority)
class DistrictPriorityAdmin(PreviewFormMixin, AuditedAdminMixin, AgencyScopedAdmin):
    list_display = ("district", "crime_type", "agency", "multiplied")
    list_filter = ("agency", "district", "crime_type")
    list_select_related = ("agency", "district", "crime_type")
    fields = ("agency", "district", "crime_type", "multiplier")

    @admin.display(
        description=DistrictPriority._meta.get_field("multiplier").verbose_name, ordering="multiplier"
    )
    def multiplied(self, priority: DistrictPriority) -> str:
        return f"× {priority.multiplier:g}"
