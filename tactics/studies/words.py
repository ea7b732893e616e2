"""A report in words that a council can read: what was found, how sure that is, and what must not be read into it."""

from typing import Any

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
        return "No verdict: a check on crimes that missions cannot have changed failed."
    lead = _lead(figures)
    if lead is None:
        return f"No verdict: too little {crimes} fell into the study to say how sure an estimate is."
    where = "in visited boxes and around them" if lead["key"] == "net" else "in visited boxes"
    when = f"in the {hours:g} hours after the start" if hours != 1 else "in the hour after the start"
    low, high = percent(lead["low"]), percent(lead["high"])
    level = f"{100 * confidence:g} % interval"
    if lead["low"] > 0:
        return f"Missions were followed by {percent(lead['estimate'])} less {crimes} {where} {when}; {level} {low} to {high}."
    if lead["high"] < 0:
        return (
            f"Missions were followed by {percent(-lead['estimate'])} more {crimes} {where} {when}; {level} "
            f"{percent(-lead['high'])} to {percent(-lead['low'])}."
        )
    best = lead["estimate"]
    guess = f"{percent(best)} less" if best >= 0 else f"{percent(-best)} more"
    return (
        f"Not shown: the best estimate is {guess} {crimes} {where} {when}, but anything from {percent(-lead['low'])} more to "
        f"{high} less fits what happened ({level})."
    )


def further_of(figures: dict[str, Any]) -> list[str]:
    """What a reader needs beside the sentence: the boxes alone, what the study could see, how much longer it would take."""
    found = []
    contrast, net = effect_of(figures, "contrast"), effect_of(figures, "net")
    failed = any(control["fails"] for control in figures["controls"])
    if not failed and contrast and net and net["low"] is not None and contrast["low"] is not None:
        read = "shown" if contrast["shows"] else "not shown"
        found.append(
            f"In the visited boxes alone, against boxes that chance left alone: {percent(contrast['estimate'])} prevented "
            f"({percent(contrast['low'])} to {percent(contrast['high'])}), {read}. Crimes that only moved next door still "
            "count as prevented there, which is why the sentence above does not use this figure."
        )
    if figures.get("detectable") is not None:
        found.append(
            f"The smallest effect that four in five such studies would show: {percent(figures['detectable'])} in the boxes, "
            f"{percent(figures['net_detectable'] or 1.0)} with the boxes around."
        )
    longer = figures.get("times_longer")
    if not failed and verdict_of(figures) == Verdict.NOT_SHOWN and longer is not None and longer > 1:
        extra = max(round((longer - 1) * figures["shifts"]), 1)
        found.append(
            f"To show an effect of the size estimated, if it is real, would take about {longer:.1f} times as many shifts: "
            f"{extra:,} more."
        )
    return found


def part_reading(part: dict[str, Any]) -> str:
    """How a crime type's or district's line is read."""
    if part["few"]:
        return "too few crimes to read alone"
    return "shown" if part["shows"] and (part["adjusted_p"] or 1.0) < 0.05 else "not shown"


def types_in_words(names: list[str]) -> str:
    """Crime types as they stand in a sentence.

    >>> types_in_words(["Robbery", "Burglary", "Theft"])
    'robbery, burglary and theft'
    """
    low = [name[:1].lower() + name[1:] for name in names]
    return low[0] if len(low) == 1 else f"{', '.join(low[:-1])} and {low[-1]}"


def registration_of(study: ImpactStudy) -> str:
    """Whether the study was set up before its crimes could be known."""
    if study.is_rolling:
        return "Not pre-registered: all published plans so far, analysed each month by the system."
    if study.frozen_at is None:
        return "Not frozen: everything can still be changed."
    if study.is_preregistered:
        return "Pre-registered: frozen before its first shift."
    return "Frozen after its first shift: part of its crimes could be known when it was set up."
