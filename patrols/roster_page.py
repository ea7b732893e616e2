"""The roster of one shift instance: which unit works which beat, and what that makes of each beat's missions."""

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.forms.utils import flatatt
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from agencies.access import RUNS_SHIFTS, SEES_PLANS, Access, agency_page
from agencies.models import Agency, Beat, Shift, Unit
from agencies.selectors import shift_instance_of, shifts
from missions_project.lib.errors import MissionsError
from patrols.board_page import instance_of
from patrols.capacity_selectors import BeatCapacity, capacities
from patrols.models import Duty
from patrols.selectors import plan_for
from patrols.services import duties_copy, duty_clear, duty_set

STANDING, OFF = "standing", "off"
MOST_IN_A_LIST = 60
"""With more beats than these a beat is typed, with suggestions: hundreds of lists of hundreds of beats are megabytes."""


class Places:
    """Where a unit may be sent: the agency's beats, by key and by what a person types. Made once a page."""

    def __init__(self, beats: list[Beat]) -> None:
        self.beats = {str(beat.pk): beat for beat in beats}
        self.choices = [(key, str(beat)) for key, beat in self.beats.items()]
        self.is_typed = len(beats) > MOST_IN_A_LIST
        self._texts = dict(self.choices)
        self._off = _("Off duty")
        self._keys = {STANDING: STANDING, OFF: OFF, self._off.casefold(): OFF, "": STANDING}
        for key, beat in self.beats.items():
            self._keys |= {str(beat).casefold(): key, beat.code.casefold(): key}

    @cached_property
    def options(self) -> dict[str, tuple[SafeString, SafeString]]:
        """Each choice of a list as it is drawn, by key: not chosen, and chosen. The same for every unit."""
        return {key: (_option(key, text, False), _option(key, text, True)) for key, text in self.choices}

    def text(self, key: str) -> str:
        return "" if key == STANDING else self._off if key == OFF else self._texts.get(key, key)

    def key(self, text: str) -> str | None:
        """The key of what was typed; None where nothing is called so. A key itself is none: another beat's code may look like it."""
        return self._keys.get(text.strip().casefold())


def _option(key: str, text: str, is_chosen: bool) -> SafeString:
    return format_html("<option{}>{}</option>", flatatt({"value": key, "selected": is_chosen}), text)


class PlaceSelect(forms.Select):
    """The list of beats without a template, from options made once a page: some thirty for each of 67 units take an eighth of a second otherwise."""

    def __init__(self, places: Places, own: list[tuple[str, str]]) -> None:
        super().__init__(choices=[*own, *places.choices])
        self._places, self._own = places, own

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        chosen = str(value)
        options = [_option(key, text, key == chosen) for key, text in self._own]
        options += [drawn[key == chosen] for key, drawn in self._places.options.items()]
        shown = flatatt({"name": name} | self.build_attrs(self.attrs, attrs))
        return format_html("<select{}>{}</select>", shown, format_html_join("", "{}", zip(options)))


class _Drawn:
    """An input drawn without a template: two of them for each of hundreds of units take a seventh of a second otherwise."""

    def _render(self, template_name: str, context: dict[str, Any], renderer: Any = None) -> SafeString:
        told = context["widget"]
        own = {"type": told["type"], "name": told["name"], "value": told["value"]}
        return format_html("<input{}>", flatatt({**own, **told["attrs"]}))


class TextDrawn(_Drawn, forms.TextInput):
    """A line of text."""


class NumberDrawn(_Drawn, forms.NumberInput):
    """A number."""


class Typed(str):
    """What a person typed, as against a key."""


class PlaceField(forms.CharField):
    """A beat as a person types it; its value is the key that the list would send."""

    def __init__(self, places: Places) -> None:
        super().__init__(required=False, widget=TextDrawn(attrs={"list": "places", "autocomplete": "off"}))
        self._places = places

    def bound_data(self, data: Any, initial: Any) -> Any:
        return initial if self.disabled else Typed(data or "")

    def prepare_value(self, value: Any) -> Any:
        key = self._places.key(value) if isinstance(value, Typed) else str(value)
        return value if key is None else self._places.text(key)

    def to_python(self, value: Any) -> str:
        # Who may not change it sends nothing: Django gives what it was, a key.
        if self.disabled:
            return str(value)
        key = self._places.key(str(value or ""))
        if key is None:
            raise forms.ValidationError(
                _("There is no such beat. Choose one of the suggestions, or leave it empty.")
            )
        return key


class DutyForm(forms.Form):
    """Where one unit is in this shift instance: as always, off duty, or in a beat; and for how many boxes it has time."""

    where = forms.ChoiceField()
    missions = forms.IntegerField(min_value=0, max_value=20, required=False, widget=NumberDrawn)

    def __init__(
        self, *args: Any, unit: Unit, places: Places, works: bool, duty: Duty | None, **kwargs: Any
    ) -> None:
        where = STANDING if duty is None else str(duty.beat_id or OFF)
        kwargs.setdefault("initial", {"where": where, "missions": duty.missions if duty else None})
        kwargs["prefix"] = f"unit-{unit.pk}"
        super().__init__(*args, **kwargs)
        self.unit, self.duty, self.places = unit, duty, places
        always = (
            _("As always: %(beat)s") % {"beat": unit.beat}
            if works and unit.beat_id
            else _("As always: off duty")
        )
        where_field = self.fields["where"]
        if places.is_typed:
            where_field = self.fields["where"] = PlaceField(places)
            where_field.widget.attrs["placeholder"] = always
        else:
            own = [(STANDING, always), (OFF, _("Off duty"))]
            where_field = self.fields["where"] = forms.ChoiceField(
                choices=[*own, *places.choices], widget=PlaceSelect(places, own)
            )
        where_field.widget.attrs["aria-label"] = _("Where %(unit)s is") % {"unit": unit}
        number = self.fields["missions"].widget.attrs
        number |= {
            "aria-label": _("Boxes for %(unit)s") % {"unit": unit},
            "placeholder": str(unit.missions_per_shift),
        }

    def save(self, *, shift: Shift, on: dt.date, access: Access) -> bool:
        """Write what was changed. Returns whether anything was."""
        if not self.has_changed():
            return False
        where: str = self.cleaned_data["where"]
        missions: int | None = self.cleaned_data["missions"]
        agency = access.agency
        if where == STANDING and missions is None:
            duty_clear(agency=agency, unit=self.unit, shift=shift, on=on, actor=access.user)
            return True
        # "As always, but for five boxes" is a duty in the home beat.
        beat = self.unit.beat if where == STANDING else self.places.beats.get(where)
        duty_set(
            agency=agency, unit=self.unit, shift=shift, on=on, beat=beat, missions=missions, actor=access.user
        )
        return True


@dataclass(frozen=True)
class RosterRow:
    """One unit's line."""

    unit: Unit
    form: DutyForm
    may_change: bool


def roster_rows(access: Access, shift: Shift, on: dt.date, data: Any = None) -> list[RosterRow]:
    """Return every active unit with its form, by call sign. Four queries."""
    agency: Agency = access.agency
    places = Places(list(Beat.objects.filter(agency=agency).defer("geometry").order_by("code")))
    duties = {
        row.unit_id: row
        for row in Duty.objects.filter(agency=agency, shift=shift, on=on).select_related("beat")
    }
    made = []
    units = Unit.objects.filter(agency=agency, is_active=True).select_related("beat").defer("beat__geometry")
    for unit in units.prefetch_related("shifts"):
        worked = {row.pk for row in unit.shifts.all()}
        duty = duties.get(unit.pk)
        form = DutyForm(data, unit=unit, places=places, works=not worked or shift.pk in worked, duty=duty)
        homes = [beat for beat in (unit.beat, duty.beat if duty else None) if beat is not None]
        may = access.has(RUNS_SHIFTS) and all(access.works_in(beat.district_id) for beat in homes)
        if not may:
            for field in form.fields.values():
                field.disabled = True
        made.append(RosterRow(unit, form, may))
    return made


@require_http_methods(["GET", "POST"])
@agency_page(SEES_PLANS)
def roster(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """Who is on duty, and what each beat can do. At most 20 queries to show."""
    instance = instance_of(access, on, shift_slug)
    shift, date = instance.shift, instance.on
    rows = roster_rows(access, shift, date, request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if not access.has(RUNS_SHIFTS):
            raise PermissionDenied(_("Your role in this agency does not change rosters."))
        if all(row.form.is_valid() for row in rows):
            _save(request, access, shift, date, rows)
            return redirect("patrols:roster", access.agency.slug, on, shift_slug)
    return render(request, "patrols/roster.html", _context(access, shift, date, rows))


def _save(request: HttpRequest, access: Access, shift: Shift, on: dt.date, rows: list[RosterRow]) -> None:
    changed = 0
    for row in rows:
        if not row.may_change:
            continue
        try:
            changed += row.form.save(shift=shift, on=on, access=access)
        except MissionsError as exc:
            messages.error(request, f"{row.unit}: {exc}")
    if changed:
        plan = plan_for(access.agency, shift, on)
        words = ngettext("%(count)s unit changed.", "%(count)s units changed.", changed) % {"count": changed}
        later = _("A plan is drawn already: draw it again to use the new numbers.")
        messages.success(request, f"{words} {later}" if plan else words)
    else:
        messages.info(request, _("Nothing was changed."))


def _context(access: Access, shift: Shift, on: dt.date, rows: list[RosterRow]) -> dict[str, object]:
    found: list[BeatCapacity] = capacities(access.agency, shift, on)
    try:
        shift_instance_of(access.agency, shift, on)
        runs_today = True
    except MissionsError:
        runs_today = False
    return {
        "tab": "shift",
        "access": access,
        "shift": shift,
        "shifts": shifts(access.agency),
        "on": on,
        "previous": on - dt.timedelta(days=1),
        "next": on + dt.timedelta(days=1),
        "week_before": on - dt.timedelta(days=7),
        "rows": rows,
        "places": rows[0].form.places if rows else None,
        "beats": found,
        "missions": sum(row.k for row in found),
        "runs_today": runs_today,
        "may_change": runs_today and any(row.may_change for row in rows),
    }


@require_POST
@agency_page(RUNS_SHIFTS)
def roster_copy(request: HttpRequest, access: Access, on: str, shift_slug: str) -> HttpResponse:
    """Take over the duties of the same shift a week before."""
    instance = instance_of(access, on, shift_slug)
    shift, date = instance.shift, instance.on
    try:
        copied = duties_copy(
            agency=access.agency, shift=shift, source=date - dt.timedelta(days=7), on=date, actor=access.user
        )
        messages.info(
            request,
            ngettext(
                "%(count)s duty taken over from the week before.",
                "%(count)s duties taken over from the week before.",
                copied,
            )
            % {"count": copied},
        )
    except MissionsError as exc:
        messages.error(request, str(exc))
    return redirect("patrols:roster", access.agency.slug, on, shift_slug)
