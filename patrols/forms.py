"""What people may change on the shift board, checked."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.access import Access
from agencies.models import Agency, Beat, CrimeType, Unit
from patrols.models import Mission, MissionPlan, NoticeChoice, PatrolPolicy

WRITE_WHY = {"required": gettext_lazy("Write why in a few words.")}
UNTIL = (
    ("shift", gettext_lazy("The end of this shift")),
    ("1", gettext_lazy("One day more")),
    ("7", gettext_lazy("One week")),
    ("28", gettext_lazy("Four weeks")),
    ("date", gettext_lazy("The end of the day below")),
)


class UnitForm(forms.Form):
    """Choose one of the agency's units, or none."""

    unit = forms.ModelChoiceField(
        queryset=Unit.objects.none(), required=False, empty_label=gettext_lazy("No unit")
    )

    def __init__(self, *args: Any, agency: Agency, mission: Mission, **kwargs: Any) -> None:
        if hasattr(mission, "assignment"):
            kwargs.setdefault("initial", {"unit": mission.assignment.unit_id})
        super().__init__(*args, **kwargs)
        _choose_from(self, "unit", Unit.objects.filter(agency=agency, is_active=True))


class ReasonForm(forms.Form):
    """A reason in a few words."""

    reason = forms.CharField(max_length=300, error_messages=WRITE_WHY)


class AreaInput(forms.HiddenInput):
    """What was clicked or drawn on the map, as GeoJSON, written by the page's script."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, value, {**(attrs or {}), "data-area": ""})


class UntilForm(forms.Form):
    """How long a change holds: in words, or to the end of a day."""

    until = forms.ChoiceField(choices=UNTIL, initial="shift")
    until_on = forms.DateField(
        required=False,
        label=gettext_lazy("Day"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("until") == "date" and not data.get("until_on"):
            self.add_error("until_on", _("Choose a day."))
        return data

    def expires_at(self, plan_end: dt.datetime, zone: str) -> dt.datetime:
        """The instant until which the valid form's change holds; ``plan_end`` for this shift only."""
        until, tz = self.cleaned_data["until"], ZoneInfo(zone)
        if until == "shift":
            return plan_end
        if until == "date":
            day = self.cleaned_data["until_on"] + dt.timedelta(days=1)
            return dt.datetime.combine(day, dt.time(), tzinfo=tz).astimezone(dt.UTC)
        # By the wall clock: "one week" ends at the same hour, whatever clocks did in between.
        return (plan_end.astimezone(tz) + dt.timedelta(days=int(until))).astimezone(dt.UTC)


class MissionAddForm(UntilForm):
    """A person's own missions: a click or a box on the map, a time, a type, a tactic, a reason, until when."""

    area = forms.JSONField(
        widget=AreaInput,
        error_messages={"required": gettext_lazy("Click a place on the map first, or draw a box.")},
    )
    crime_type = forms.ModelChoiceField(queryset=CrimeType.objects.none(), empty_label=None)
    start = forms.TimeField(widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    dose_minutes = forms.IntegerField(min_value=5, max_value=60, initial=12, label=gettext_lazy("Minutes"))
    tactic = forms.SlugField(required=False, max_length=60, widget=forms.HiddenInput)
    reason = forms.CharField(max_length=300, error_messages=WRITE_WHY)

    field_order = ("area", "crime_type", "start", "dose_minutes", "tactic", "reason", "until", "until_on")

    def __init__(self, *args: Any, agency: Agency, plan: MissionPlan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agency, self.plan = agency, plan
        _choose_from(self, "crime_type", CrimeType.objects.filter(agency=agency, is_active=True))

    def for_service(self) -> dict[str, Any]:
        """The valid form as ``missions_add``'s arguments: the wall clock becomes an instant."""
        data = self.cleaned_data
        return {
            "area": data["area"],
            "crime_type": data["crime_type"],
            "starts_at": instant_in(self.plan, data["start"], self.agency.time_zone),
            "dose_minutes": data["dose_minutes"],
            "tactic": data["tactic"],
            "reason": data["reason"],
        }


class DecideForm(forms.Form):
    """How many missions to draw anew for what is left of the shift, where, and why."""

    missions = forms.IntegerField(min_value=1, max_value=40, label=gettext_lazy("Missions"))
    beats = forms.ModelMultipleChoiceField(
        queryset=Beat.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None: where the harm expected is highest."),
    )
    reason = forms.CharField(
        max_length=300,
        help_text=gettext_lazy("About the place, never about persons. Kept with the plan."),
        widget=forms.TextInput(attrs={"class": "wide"}),
        error_messages={"required": gettext_lazy("Write why in a few words.")},
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
            self.fields["missions"].help_text = _("At most %(replan_missions_max)s for one decision.") % {
                "replan_missions_max": policy.replan_missions_max
            }

    def for_service(self) -> dict[str, Any]:
        """The valid form as ``plan_decide``'s arguments."""
        data = self.cleaned_data
        return {"missions": data["missions"], "beats": list(data["beats"]) or None, "reason": data["reason"]}


class NoticesForm(forms.Form):
    """What a person wants to be told about plans, and how."""

    when_published = forms.BooleanField(required=False, label=gettext_lazy("a plan is published"))
    when_changed = forms.BooleanField(
        required=False,
        label=gettext_lazy("a published plan is changed"),
        help_text=gettext_lazy("Changes within five minutes are one notice."),
    )
    when_failed = forms.BooleanField(required=False, label=gettext_lazy("a plan could not be made"))
    by_email = forms.BooleanField(required=False, label=gettext_lazy("by e-mail"))
    webhook_url = forms.CharField(
        required=False,
        max_length=200,
        label=gettext_lazy("to a web-hook"),
        help_text=gettext_lazy("An https address that receives each notice as JSON, signed. Empty: none."),
        widget=forms.URLInput(attrs={"autocomplete": "off", "class": "wide"}),
    )

    def __init__(self, *args: Any, choice: NoticeChoice | None, **kwargs: Any) -> None:
        shown = choice or NoticeChoice()
        kwargs.setdefault("initial", {name: getattr(shown, name) for name in self.base_fields})
        super().__init__(*args, **kwargs)

    def events(self) -> list[forms.BoundField]:
        """The boxes that say of what, for the page."""
        return [self[name] for name in ("when_published", "when_changed", "when_failed")]


class SuppressForm(UntilForm):
    """An area or a beat kept out of draws, until when and why; this shift's missions there may go with it."""

    KINDS = (("area", gettext_lazy("A cell or an area on the map")), ("beat", gettext_lazy("A whole beat")))

    kind = forms.ChoiceField(
        choices=KINDS, initial="area", widget=forms.RadioSelect, label=gettext_lazy("What")
    )
    area = forms.JSONField(required=False, widget=AreaInput)
    beat = forms.ModelChoiceField(
        queryset=Beat.objects.none(), required=False, empty_label=gettext_lazy("Choose a beat")
    )
    withdraw = forms.BooleanField(
        required=False,
        initial=True,
        label=gettext_lazy("Withdraw this shift's missions there that nobody has visited"),
    )
    reason = forms.CharField(max_length=300, error_messages=WRITE_WHY)

    field_order = ("kind", "area", "beat", "reason", "until", "until_on", "withdraw")

    def __init__(self, *args: Any, agency: Agency, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose_from(self, "beat", Beat.objects.filter(agency=agency).defer("geometry"))

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if data.get("kind") == "beat" and not data.get("beat"):
            self.add_error("beat", _("Choose a beat."))
        elif data.get("kind") == "area" and not data.get("area"):
            self.add_error("area", _("Click a cell on the map first, or draw an area."))
        return data


class MoveForm(forms.Form):
    """Other times for a mission's visits, one field a visit, and why."""

    def __init__(self, *args: Any, mission: Mission, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mission, self.zone = mission, zone
        self.n_visits = len(mission.current_starts)
        for position, text in enumerate(mission.current_starts):
            start = dt.datetime.fromisoformat(text).astimezone(ZoneInfo(zone))
            self.fields[f"start_{position}"] = forms.TimeField(
                label=_("Visit %(position)s") % {"position": position + 1}
                if self.n_visits > 1
                else _("Visit"),
                initial=start.time(),
                widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            )
        self.fields["reason"] = forms.CharField(max_length=300, error_messages=WRITE_WHY)

    def starts(self) -> list[dt.datetime]:
        """The valid form's times as instants of the mission's shift."""
        times = [self.cleaned_data[f"start_{position}"] for position in range(self.n_visits)]
        return [instant_in(self.mission.plan, time, self.zone) for time in times]


class SwapForm(ReasonForm):
    """Another cell for a mission, by a click on the map, and why."""

    area = forms.JSONField(
        widget=AreaInput, error_messages={"required": gettext_lazy("Click the other cell on the map first.")}
    )


class HandOverForm(forms.Form):
    """A note to the next shift."""

    text = forms.CharField(
        label=gettext_lazy("Note to the next shift"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": gettext_lazy("Write what the next shift should know.")},
    )


def instant_in(plan: MissionPlan, time: dt.time, zone: str) -> dt.datetime:
    """Return the instant at which the wall clock shows ``time`` in the plan's shift (UTC); half past one is the next day's."""
    starts_at = dt.datetime.combine(plan.on, time, tzinfo=ZoneInfo(zone))
    # A shift that passes midnight: an hour before its start belongs to the next date. A decision during the shift
    # begins later than the shift itself, which must not push its hours into tomorrow.
    began = dt.datetime.combine(plan.on, plan.shift.starts_at, tzinfo=ZoneInfo(zone))
    if starts_at < began:
        starts_at = dt.datetime.combine(plan.on + dt.timedelta(days=1), time, tzinfo=ZoneInfo(zone))
    return starts_at.astimezone(dt.UTC)


def _choose_from(form: forms.Form, name: str, queryset: Any) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ModelChoiceField)
    field.queryset = queryset
