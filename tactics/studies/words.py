"""A report in words that a council can read: what was found, how sure that is, and what must not be read into it."""

from typing import Any

from django.utils.text import get_text_list
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from tactics.models import ImpactReport, ImpactStudy

Verdict = ImpactReport.Verdict


def percent(share: float) -> str:
    """A share as whole per cent, one decimal below one per cent.

    >>> percent(0.108), percent(-0.004), percent(0.0)
    ('11 %', '-0.4 %', '0 %')
    """
    text = f"{100 * share:.1f}" if 0 < abs(share) < 0.01 else f"{100 * share:.0f}"
    return f"{'0' if text in ('-0', '0.0', '-0.0') else text} %"


def effect_of(figures: dict[str, Any], key: str) -> dict[str, Any] | None:
    """One of a report's estimates by its key, or None."""
    return next((one for one in figures.get("effects", []) if one["key"] == key), None)


def verdict_of(figures: dict[str, Any]) -> str:
    """What the report may say: prevented, more, not shown, or nothing at all."""
    if any(control["fails"] for control in figures["controls"]):
        return Verdict.WITHHELD
    lead = _lead(figures)
    if lead is None:
        return Verdict.WITHHELD
    if lead["low"] > 0:
        return Verdict.PREVENTED
    return Verdict.MORE if lead["high"] < 0 else Verdict.NOT_SHOWN


def _lead(figures: dict[str, Any]) -> dict[str, Any] | None:
    """The effect that headlines use: the net one; with too few crimes for it, that in the boxes alone."""
    for key in ("net", "contrast"):
        one = effect_of(figures, key)
        if one is not None and one["low"] is not None and one["high"] is not None:
            return one
    return None


def sentence_of(figures: dict[str, Any], *, crimes: str, hours: float, confidence: float = 0.95) -> str:
    """The one plain sentence at the top. ``crimes``: the crime types in words. "Not shown" never becomes "none"."""
    if any(control["fails"] for control in figures["controls"]):
        return _("No verdict: a check on crimes that missions cannot have changed failed.")
    lead = _lead(figures)
    if lead is None:
        return _("No verdict: too little %(crimes)s fell into the study to say how sure an estimate is.") % {
            "crimes": crimes
        }
    best = lead["estimate"]
    told = {
        "crimes": crimes,
        "where": _where(lead["key"] == "net", hours),
        "level": _("%(confidence)s %% interval") % {"confidence": f"{100 * confidence:g}"},
        "best": percent(abs(best)),
        "low": percent(lead["low"]),
        "high": percent(lead["high"]),
        "most_more": percent(-lead["low"]),
        "least_more": percent(-lead["high"]),
    }
    if lead["low"] > 0:
        words = _(
            "Missions were followed by %(best)s less %(crimes)s %(where)s; %(level)s %(low)s to %(high)s."
        )
    elif lead["high"] < 0:
        words = _(
            "Missions were followed by %(best)s more %(crimes)s %(where)s; %(level)s %(least_more)s to %(most_more)s."
        )
    elif best >= 0:
        words = _(
            "Not shown: the best estimate is %(best)s less %(crimes)s %(where)s, but anything from %(most_more)s more to "
            "%(high)s less fits what happened (%(level)s)."
        )
    else:
        words = _(
            "Not shown: the best estimate is %(best)s more %(crimes)s %(where)s, but anything from %(most_more)s more to "
            "%(high)s less fits what happened (%(level)s)."
        )
    return words % told


def _where(is_net: bool, hours: float) -> str:
    if hours == 1:
        return (
            _("in visited boxes and around them in the hour after the start")
            if is_net
            else _("in visited boxes in the hour after the start")
        )
    words = (
        _("in visited boxes and around them in the %(hours)s hours after the start")
        if is_net
        else _("in visited boxes in the %(hours)s hours after the start")
    )
    return words % {"hours": f"{hours:g}"}


def sentence_shown(report: ImpactReport) -> str:
    """A report's sentence in the reader's language, from its figures; what is stored and hashed stays as it was written."""
    asked = report.config_snapshot
    if (get_language() or "en").startswith("en") or "controls" not in report.figures:
        return report.sentence
    return sentence_of(
        report.figures,
        crimes=types_in_words([row["name"] for row in asked["crime_types"]]),
        hours=asked["window_hours"],
        confidence=asked["confidence"],
    )


def further_of(figures: dict[str, Any]) -> list[str]:
    """What a reader needs beside the sentence: the boxes alone, what the study could see, how much longer it would take."""
    found = []
    contrast, net = effect_of(figures, "contrast"), effect_of(figures, "net")
    failed = any(control["fails"] for control in figures["controls"])
    if not failed and contrast and net and net["low"] is not None and contrast["low"] is not None:
        read = _("shown") if contrast["shows"] else _("not shown")
        found.append(
            _(
                "In the visited boxes alone, against boxes that chance left alone: %(estimate)s prevented (%(low)s to %(high)s), %(read)s. Crimes that only moved next door still count as prevented there, which is why the sentence above does not use this figure."
            )
            % {
                "estimate": percent(contrast["estimate"]),
                "low": percent(contrast["low"]),
                "high": percent(contrast["high"]),
                "read": read,
            }
        )
    if figures.get("detectable") is not None:
        found.append(
            _(
                "The smallest effect that four in five such studies would show: %(detectable)s in the boxes, %(percent)s with the boxes around."
            )
            % {
                "detectable": percent(figures["detectable"]),
                "percent": percent(figures["net_detectable"] or 1.0),
            }
        )
    longer = figures.get("times_longer")
    if not failed and verdict_of(figures) == Verdict.NOT_SHOWN and longer is not None and longer > 1:
        extra = max(round((longer - 1) * figures["shifts"]), 1)
        found.append(
            _(
                "To show an effect of the size estimated, if it is real, would take about %(longer)s times as many shifts: %(extra)s more."
            )
            % {"longer": f"{longer:.1f}", "extra": f"{extra:,}"}
        )
    return found


def part_reading(part: dict[str, Any]) -> str:
    """How a crime type's or district's line is read."""
    if part["few"]:
        return _("too few crimes to read alone")
    return _("shown") if part["shows"] and (part["adjusted_p"] or 1.0) < 0.05 else _("not shown")


def types_in_words(names: list[str]) -> str:
    """Crime types as they stand in a sentence.

    >>> types_in_words(["Robbery", "Burglary", "Theft"])
    'robbery, burglary and theft'
    """
    low = [name[:1].lower() + name[1:] for name in names]
    return get_text_list(low, _("and"))


def registration_of(study: ImpactStudy) -> str:
    """Whether the study was set up before its crimes could be known."""
    if study.is_rolling:
        return _("Not pre-registered: all published plans so far, analysed each month by the system.")
    if study.frozen_at is None:
        return _("Not frozen: everything can still be changed.")
    if study.is_preregistered:
        return _("Pre-registered: frozen before its first shift.")
    return _("Frozen after its first shift: part of its crimes could be known when it was set up.")
