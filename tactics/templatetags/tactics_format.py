"""Figures of studies in templates."""

from collections.abc import Mapping
from typing import Any

from django import template

from tactics.experiment import duration_words
from tactics.models import ImpactReport
from tactics.studies.words import sentence_shown

register = template.Library()


@register.filter
def share_or_none(value: float | None) -> str:
    """A share in per cent; one that no effect would reach is said in words."""
    if value is None or value >= 0.999:
        return "none"
    return f"{100 * value:.0f} %" if value >= 0.1 else f"{100 * value:.1f} %"


@register.filter
def power_at(curve: list[list[float]], effect: float) -> str:
    """The chance of showing this effect, in per cent; “–” where it was not worked out."""
    found = next((power for at, power in curve if abs(at - effect) < 1e-9), None)
    return "–" if found is None else f"{100 * found:.0f} %"


@register.filter
def days_words(days: int) -> str:
    """A length in the words that people plan in."""
    return duration_words(days)


@register.filter
def lookup(names: Mapping[str, Any], key: str) -> Any:
    """A row's name by its key; the key itself where it is gone."""
    return names.get(key, key)


@register.filter
def percent_of(value: float | None) -> str:
    """A factor as a share in per cent."""
    return "–" if value is None else f"{100 * value:.0f} %"


@register.filter
def fewer(value: float) -> str:
    """A share of crimes prevented as people say it: “12 % fewer”, “8 % more”."""
    percent = round(100 * abs(value))
    return "the same" if percent == 0 else f"{percent} % {'fewer' if value > 0 else 'more'}"


@register.filter
def sentence(report: ImpactReport) -> str:
    """A study report's sentence in the reader's language."""
    return sentence_shown(report)
