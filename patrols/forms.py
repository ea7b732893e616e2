"""What people may change on the shift map, checked."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from agencies.access import Access
from agencies.models import Agency, Beat, CrimeType, Unit
from forecasting.engine.grid import GridSpec, project
from patrols.models import Mission, MissionPlan, NoticeChoice, PatrolPolicy


class UnitForm(forms.Form):
    """Choose one of the agency's units, or none."""

    unit = forms.ModelChoiceField(queryset=Unit.objects.none(), required=False, empty_label="No unit")

    def __init__(self, *args: Any, agency: Agency, mission: Mission, **kwargs: Any) -> None:
        if hasattr(mission, "assignment"):
            kwargs.setdefault("initial", {"unit": mission.assignment.unit_id})
        super().__init__(*args, **kwargs)
        field = self.fields["unit"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Unit.objects.filter(agency=agency, is_active=True)


class ReasonForm(forms.Form):
    """A reason in a few words."""

    reason = forms.CharField(max_length=300, error_messages={"required": "Write why in a few words."})


class MissionAddForm(forms.Form):
    """A person's own mission: a click on the map, a time, a type, a reason."""

    lon = forms.FloatField(widget=forms.HiddenInput, min_value=-180, max_value=180)
    lat = forms.FloatField(widget=forms.HiddenInput, min_value=-90, max_value=90)
    crime_type = forms.ModelChoiceField(queryset=CrimeType.objects.none(), empty_label=None)
    start = forms.TimeField(
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="Wall clock, within the shift.",
    )
    dose_minutes = forms.IntegerField(min_value=5, max_value=60, initial=12, label="Minutes")
    reason = forms.CharField(max_length=300, error_messages={"required": "Write why in a few words."})

    def __init__(self, *args: Any, agency: Agency, plan: MissionPlan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agency, self.plan = agency, plan
        field = self.fields["crime_type"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = CrimeType.objects.filter(agency=agency, is_active=True)
        for name in ("lon", "lat"):
            self.fields[name].error_messages["required"] = "Click a place on the map first."

    def for_service(self) -> dict[str, Any]:
        """The valid form as ``mission_add``'s arguments: the click becomes a cell, the wall clock an instant."""
        data = self.cleaned_data
        assert self.plan.grid is not None  # the view offers the form for finished plans only
        spec = GridSpec.from_bytes(bytes(self.plan.grid.spec))
        x_m, y_m = project([data["lon"]], [data["lat"]], spec.epsg)
        index = int(spec.locate(x_m, y_m)[0])
        zone = ZoneInfo(self.agency.time_zone)
        starts_at = dt.datetime.combine(self.plan.on, data["start"], tzinfo=zone)
        if starts_at < self.plan.period_from:
            # A shift that passes midnight: half past one belongs to the next date.
            starts_at = dt.datetime.combine(self.plan.on + dt.timedelta(days=1), data["start"], tzinfo=zone)
        return {
            "cell_id": int(spec.cells[index]) if index >= 0 else -1,
            "crime_type": data["crime_type"],
            "starts_at": starts_at.astimezone(dt.UTC),
            "dose_minutes": data["dose_minutes"],
            "reason": data["reason"],
        }


class DecideForm(forms.Form):
    """How many missions to draw anew for what is left of the shift, where, and why."""

    missions = forms.IntegerField(min_value=1, max_value=40, label="Missions")
    beats = forms.ModelMultipleChoiceField(
        queryset=Beat.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None: where the harm expected is highest.",
    )
    reason = forms.CharField(
        max_length=300,
        help_text="About the place, never about persons. Kept with the plan.",
        widget=forms.TextInput(attrs={"class": "wide"}),
        error_messages={"required": "Write why in a few words."},
    )

    def __init__(self, *args: Any, access: Access, policy: PatrolPolicy | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        beats = Beat.objects.filter(agency=access.agency).select_related("district")
        if access.district_ids:
            beats = beats.filter(district__in=access.district_ids)
        field = self.fields["beats"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = beats.defer("geometry", "district__geometry")
        if policy is not None:
            self.fields["missions"].initial = policy.replan_missions_max
            self.fields["missions"].help_text = f"At most {policy.replan_missions_max} for one decision."

    def for_service(self) -> dict[str, Any]:
        """The valid form as ``plan_decide``'s arguments."""
        data = self.cleaned_data
        return {"missions": data["missions"], "beats": list(data["beats"]) or None, "reason": data["reason"]}


class NoticesForm(forms.Form):
    """What a person wants to be told about plans, and how."""

    when_published = forms.BooleanField(required=False, label="a plan is published")
    when_changed = forms.BooleanField(
        required=False,
        label="a published plan is changed",
        help_text="Changes within five minutes are one notice.",
    )
    when_failed = forms.BooleanField(required=False, label="a plan could not be made")
    by_email = forms.BooleanField(required=False, label="by e-mail")
    webhook_url = forms.CharField(
        required=False,
        max_length=200,
        label="to a web-hook",
        help_text="An https address that receives each notice as JSON, signed. Empty: none.",
        widget=forms.URLInput(attrs={"autocomplete": "off", "class": "wide"}),
    )

    def __init__(self, *args: Any, choice: NoticeChoice | None, **kwargs: Any) -> None:
        shown = choice or NoticeChoice()
        kwargs.setdefault("initial", {name: getattr(shown, name) for name in self.base_fields})
        super().__init__(*args, **kwargs)

    def events(self) -> list[forms.BoundField]:
        """The boxes that say of what, for the page."""
        return [self[name] for name in ("when_published", "when_changed", "when_failed")]
