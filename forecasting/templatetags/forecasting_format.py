"""How risk figures are written on pages."""

import math
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from forecasting.comparison import Pair
from forecasting.engine.metrics import Estimate
from forecasting.model_words import model_label as label_of
from forecasting.overlay import short

register = template.Library()


@register.filter
def small_number(value: float | None) -> str:
    """Two significant figures: 0.034, 12."""
    return "n/a" if value is None else short(float(value))


@register.filter
def percent(share: float | None) -> str:
    """A share as per cent: "1.2 %", "0.5 %", "31 %"."""
    if share is None:
        return "n/a"
    points = 100 * float(share)
    # From 9.95 on two figures round up to ten, and ten with two figures and a point reads "10.".
    return f"{points:.0f} %" if points >= 9.95 else f"{points:#.2g} %"


@register.filter
def area_share(share: float) -> str:
    """A round share of the area: "0.5 %", "10 %"."""
    return f"{100 * share:g} %"


@register.filter
def factor(log_value: float) -> str:
    """A contribution in log points as the factor that it multiplies by: "1.8"."""
    return f"{math.exp(log_value):.2f}"


@register.filter
def bar_width(bar: dict[str, Any]) -> str:
    """Half the drawing for the largest contribution."""
    return f"{48 * bar['share']:.1f}"


@register.filter
def bar_left(bar: dict[str, Any]) -> str:
    """Where a bar to the left of the middle begins."""
    return f"{-48 * bar['share']:.1f}"


@register.filter
def model_label(name: str) -> str:
    """The league entrant's name on pages."""
    return label_of(name)


_KINDS = {"percent": (100.0, "{:.1f}", " %"), "points": (100.0, "{:+.1f}", " pp"), "factor": (1.0, "{:.2f}", ""),
          "signed": (1.0, "{:+.3f}", ""), "factor_change": (1.0, "{:+.2f}", "")}  # fmt: skip


@register.simple_tag
def estimate(one: Estimate, kind: str) -> SafeString:
    """A figure with its interval below, in one of the ways of ``_KINDS``; "n/a" where it was not measured."""
    scale, form, unit = _KINDS[kind]
    if not math.isfinite(one.value):
        return mark_safe("n/a")  # nosec B308 - a constant
    middle = form.format(scale * one.value) + unit
    if not (math.isfinite(one.low) and math.isfinite(one.high)):
        return format_html("{}<br><small>no interval</small>", middle)
    low, high = (form.format(scale * end) for end in (one.low, one.high))
    return format_html("{}<br><small>{} – {}</small>", middle, low, high)


@register.simple_tag
def change(pair: Pair, kind: str) -> SafeString:
    """By how much the first differs from the second: shares in percentage points, the rest in their own unit."""
    return estimate(pair.difference, {"percent": "points", "factor": "factor_change"}.get(kind, kind))


@register.filter
def unlocalised(value: Any) -> str:
    """A number as a machine reads it: no thousands separator in an address or an id."""
    return str(value)
