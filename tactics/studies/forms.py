"""What people say when they set up a study, checked."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from agencies.lookups import pk_from_text
from agencies.models import Agency, Beat, CrimeType, District, Shift
from missions_project.lib.lazy import gettext_lazy
from tactics.models import ImpactStudy

CHOICES = ("crime_types", "districts", "beats", "shifts")


class StudyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A study's whole design; the lists offer the agency's own rows only."""

    crime_types = forms.ModelMultipleChoiceField(
        CrimeType.objects.none(), widget=forms.CheckboxSelectMultiple, label=gettext_lazy("Crime types"),
        help_text=gettext_lazy("Reports of these count, together. More types need fewer shifts; fewer types ask a sharper question."),
    )  # fmt: skip
    districts = forms.ModelMultipleChoiceField(
        District.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label=gettext_lazy("Districts"),
        help_text=gettext_lazy("None: all."),
    )
    beats = forms.ModelMultipleChoiceField(
        Beat.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label=gettext_lazy("Beats"),
        help_text=gettext_lazy("None: all."),
    )
    shifts = forms.ModelMultipleChoiceField(
        Shift.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label=gettext_lazy("Shifts"),
        help_text=gettext_lazy("None: all."),
    )
    minimum_percent = forms.FloatField(
        required=False, min_value=0.1, max_value=100.0, label=gettext_lazy("Smallest effect in the boxes, %"),
        help_text=gettext_lazy("Leave empty to have it worked out from your plans so far; enter it where the experiment designer gave it."),
    )  # fmt: skip

    class Meta:
        model = ImpactStudy
        fields = (
            "name", "question", "first", "last", "window_hours", "stop_at_next_draw", "estimand", "with_plain", "family",
            "confidence", "draws", "settle_days",
        )  # fmt: skip
        widgets = {  # Django's own form of it
            "name": forms.TextInput(attrs={"class": "wide"}),
            "question": forms.TextInput(attrs={"class": "wide"}),
            "first": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "last": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "estimand": forms.RadioSelect,
            "family": forms.RadioSelect,
        }

    def __init__(self, *args: Any, agency: Agency, **kwargs: Any) -> None:
        study = kwargs.get("instance")
        if study is not None and study.pk:
            by_hand = study.minimum_basis == BY_HAND and study.minimum_detectable
            kwargs["initial"] = {
                **{name: getattr(study, name) for name in CHOICES},
                "minimum_percent": round(100 * study.minimum_detectable, 2) if by_hand else None,
                **kwargs.get("initial", {}),
            }
        super().__init__(*args, **kwargs)
        # The unique name and the checks know the agency only through the row.
        self.instance.agency = agency
        rows: dict[str, Any] = {
            "crime_types": CrimeType.objects.filter(agency=agency, is_active=True),
            "districts": District.objects.filter(agency=agency).defer("geometry"),
            "beats": Beat.objects.filter(agency=agency).defer("geometry"),
            "shifts": Shift.objects.filter(agency=agency),
        }
        for name, choices in rows.items():
            self.fields[name].queryset = choices  # type: ignore[attr-defined]
        for name, label in (("first", _("First shift on")), ("last", _("Last shift on"))):
            self.fields[name].required, self.fields[name].label = True, label
            self.fields[name].help_text = _("The local date on which the shift starts.")

    def _post_clean(self) -> None:
        for name in CHOICES:
            setattr(self.instance, name, [row.pk for row in self.cleaned_data.get(name, [])])
        super()._post_clean()  # type: ignore[misc]  # the stubs leave this hook out

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, last = data.get("first"), data.get("last")
        if first and last and last < first:
            self.add_error("last", _("The last shift must not be before the first."))
        others = ImpactStudy.objects.filter(agency=self.instance.agency, name=data.get("name", ""))
        # The agency is no field here, so that Django leaves the row's own constraint out.
        if others.exclude(pk=self.instance.pk).exists():
            self.add_error("name", _("There is a study of this name already, perhaps a cancelled one."))
        return data

    def for_service(self) -> dict[str, Any]:
        """The valid form as ``study_create``'s and ``study_change``'s fields."""
        data = {name: self.cleaned_data[name] for name in self.Meta.fields}
        data |= {name: [row.pk for row in self.cleaned_data[name]] for name in CHOICES}
        if (percent := self.cleaned_data.get("minimum_percent")) is not None:
            data |= {
                "minimum_detectable": round(percent / 100, 6), "net_minimum_detectable": None, "minimum_basis": BY_HAND,
            }  # fmt: skip
        return data


def study_initial(query: QueryDict) -> dict[str, Any]:
    """What an address hands to the form of a new study, as the experiment designer does; the form checks it when it is sent."""
    found: dict[str, Any] = {
        name: query[name] for name in ("first", "last", "window_hours", "minimum_percent") if query.get(name)
    }
    # Anything else than a number would not be found among the choices, and make the page fail.
    return found | {
        name: [pk for text in query.getlist(name) if (pk := pk_from_text(text))]
        for name in CHOICES
        if name in query
    }


BY_HAND = gettext_noop("entered by hand, from the experiment designer or another source")


class CancelForm(forms.Form):
    """Why a study is given up."""

    reason = forms.CharField(
        max_length=300, error_messages={"required": gettext_lazy("Write why in a few words.")}
    )
