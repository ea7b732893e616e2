"""The dials of a patrol policy as people turn them: their names, their order, and a form that checks and saves nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.utils.translation import gettext_lazy as _

from agencies.models import Agency
from patrols.models import PatrolPolicy

LABELS = {
    "gamma": _("Pull towards harm (γ)"),
    "exploration": _("Exploration (share)"),
    "cap_max": _("Highest chance of a box"),
    "visits_per_cell": _("Visits to each box"),
    "min_spacing_minutes": _("Between visits (minutes)"),
    "travel_minutes": _("Travel (minutes)"),
    "dose_min_minutes": _("Shortest visit (minutes)"),
    "dose_max_minutes": _("Longest visit (minutes)"),
    "cooldown_days": _("Cool-down (days)"),
    "cooldown_factor": _("Cool-down factor"),
    "saturation_window_days": _("Saturation window (days)"),
    "saturation_soft_minutes": _("Saturation begins (minutes)"),
    "saturation_hard_minutes": _("Saturation limit (minutes)"),
    "unstaffed": _("A beat without a unit"),
}
GROUPS: tuple[tuple[Any, tuple[str, ...], Any], ...] = (
    (
        _("Where: how missions follow harm"),
        ("gamma", "exploration", "cap_max"),
        _(
            "Every box keeps a known chance between 0 and 1 in every shift. That is what impact is measured against, and "
            "why nobody can predict tonight's boxes."
        ),
    ),
    (
        _("Rest: boxes that had missions lately"),
        (
            "cooldown_days",
            "cooldown_factor",
            "saturation_window_days",
            "saturation_soft_minutes",
            "saturation_hard_minutes",
        ),
        _("Counted by planned minutes, never by delivered ones, so that every past plan can be drawn again."),
    ),
    (
        _("How long and how often"),
        ("dose_min_minutes", "dose_max_minutes", "visits_per_cell", "min_spacing_minutes", "travel_minutes"),
        "",
    ),
    (_("Beats without a unit"), ("unstaffed",), ""),
)
"""Title, dials and explanation of each group, for the admin's form and for the preview's page."""

DIALS = tuple(name for _, names, _ in GROUPS for name in names)
STEPS = {"gamma": 0.1, "exploration": 0.01, "cap_max": 0.01, "cooldown_days": 0.5, "cooldown_factor": 0.05}


class DialsForm(forms.ModelForm):  # type: ignore[type-arg]
    """The dials alone: what is being typed is checked as saving it would, and saved nowhere."""

    class Meta:
        model = PatrolPolicy
        fields = DIALS
        labels = LABELS
        widgets: ClassVar[dict[str, forms.Widget]] = {
            name: forms.NumberInput(attrs={"step": step}) for name, step in STEPS.items()
        }


def dials_form(agency: Agency, saved: PatrolPolicy | None, typed: Mapping[str, Any]) -> DialsForm:
    """Return the form as typed, every dial that was not typed as the saved policy (or the default) has it. No query."""
    known = dials_of(saved or PatrolPolicy(agency=agency))
    data = known | {name: typed[name] for name in DIALS if name in typed}
    return DialsForm(data, instance=PatrolPolicy(agency=agency))


def dials_of(policy: PatrolPolicy) -> dict[str, Any]:
    """Return the policy's dials by name, whole numbers without a point. No query."""
    values = {name: getattr(policy, name) for name in DIALS}
    return {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in values.items()}


def dials_changed(saved: PatrolPolicy | None, tried: PatrolPolicy) -> dict[str, Any]:
    """Return the dials that differ from the saved policy (from the defaults where there is none), as tried. No query."""
    known = dials_of(saved or PatrolPolicy(agency=tried.agency))
    return {name: value for name, value in dials_of(tried).items() if value != known[name]}


def dial_words(policy: PatrolPolicy, name: str) -> str:
    """A dial's value as people read it."""
    if in_words := getattr(policy, f"get_{name}_display", None):
        return str(in_words())
    value = getattr(policy, name)
    return f"{value:g}" if isinstance(value, float) else str(value)


def dials_query(values: Mapping[str, Any]) -> str:
    """These dials as the tail of an address, with a question mark; empty without any."""
    return f"?{urlencode(values)}" if values else ""
