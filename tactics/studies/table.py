"""A report as lines of a table and as checks in words: one reading for page, print and files."""

from dataclasses import dataclass
from typing import Any

from tactics.studies.words import effect_of, part_reading, percent

NAMES = {
    "net": "Net effect of the plan: visited boxes and those around, against no missions at all",
    "direct": "Direct effect: in the visited box, its neighbours left alone",
    "contrast": "Contrast under the design: boxes drawn against boxes not drawn (AIPW)",
    "overlap": "Contrast, overlap-weighted: boxes that could well go either way count most",
    "hajek": "Contrast without the help of the forecast (Hájek)",
    "plain": "Contrast, plain average: every box counts alike",
    "moved": "Moved next door, per crime expected in visited boxes (negative: benefits spread)",
}


@dataclass(frozen=True)
class Line:
    """One line: what it estimates, the estimate and interval in words, p, crimes expected in visited boxes, how it is read."""

    group: str
    key: str
    name: str
    estimate: str
    interval: str
    p: str
    n: str
    reading: str
    raw: tuple[float | None, float | None, float | None, float | None]


@dataclass(frozen=True)
class Check:
    """One assumption and whether it holds: tone good, warn or bad."""

    tone: str
    name: str
    text: str


def p_words(p: float | None) -> str:
    """A p-value as it is printed.

    >>> p_words(0.0312), p_words(1e-9), p_words(None)
    ('0.031', '< 0.001', '–')
    """
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{percent(low)} to {percent(high)}"


def report_lines(figures: dict[str, Any], estimand: str) -> list[Line]:
    """The report's table. ``estimand``: which contrast the study asked for; it is marked."""
    lines: list[Line] = []
    asked = "overlap" if estimand == "overlap" else "contrast"
    for key, name in NAMES.items():
        one = effect_of(figures, key)
        if one is not None:
            marked = " (the study's question)" if key == asked else " (headline)" if key == "net" else ""
            lines.append(_effect_line("Share of crime prevented", one, name + marked))
    for group, parts in (("By crime type", figures["by_type"]), ("By district", figures["by_district"])):
        for part in parts:
            pulled = _interval(part["pulled_low"], part["pulled_high"])
            own = "–" if part["estimate"] is None else percent(part["estimate"])
            shrunk = "–" if part["pulled"] is None else percent(part["pulled"])
            lines.append(
                Line(
                    group,
                    f"{group[3:].replace(' ', '_')}:{part['name']}",
                    part["name"],
                    f"{shrunk} (own: {own})",
                    pulled,
                    p_words(part["adjusted_p"]),
                    "–" if part["n"] is None else f"{part['n']:,.0f}",
                    part_reading(part),
                    (part["pulled"], part["pulled_low"], part["pulled_high"], part["adjusted_p"]),
                )
            )
    return lines + _other_lines(figures)


def _effect_line(group: str, one: dict[str, Any], name: str) -> Line:
    reading = "no interval" if one["low"] is None else "shown" if one["shows"] else "not shown"
    return Line(
        group,
        one["key"],
        name,
        "–" if one["estimate"] is None else percent(one["estimate"]),
        _interval(one["low"], one["high"]),
        p_words(one["p"]),
        "–" if one["n"] is None else f"{one['n']:,.0f}",
        f"{reading}; by re-drawing" if one["interval"] == "test inversion" else reading,
        (one["estimate"], one["low"], one["high"], one["p"]),
    )


def _other_lines(figures: dict[str, Any]) -> list[Line]:
    group, lines = "Other views", []
    if (fisher := figures["fisher"]) is not None:
        how = (
            "plans drawn again at their recorded probabilities, approximate"
            if fisher["approximate"]
            else "all plans drawn again, one after another"
        )
        early = ", stopped early because the answer was clear" if fisher["stopped_early"] else ""
        lines.append(
            Line(
                group,
                "fisher",
                f"Fisher test of “missions did nothing”: {how}",
                f"{fisher['exceeded']:,} of {fisher['draws']:,} draws were as extreme{early}",
                "–",
                p_words(fisher["p_value"]),
                "–",
                "shown" if fisher["p_value"] < 0.05 else "not shown",
                (fisher["statistic"], None, None, fisher["p_value"]),
            )
        )
    if (ten := figures["per_ten_minutes"]) is not None and ten["estimate"] is not None:
        bounded = ten["bounded"]
        lines.append(
            Line(
                group,
                "per_ten_minutes",
                f"Crimes prevented per ten minutes of presence that the draw brought about ({figures['measured_shifts']:,} shifts with vehicle positions)",
                f"{ten['estimate']:.4f}",
                f"{ten['low']:.4f} to {ten['high']:.4f}" if bounded else "unbounded",
                "–",
                "–",
                ("shown" if ten["low"] > 0 or ten["high"] < 0 else "not shown")
                if bounded
                else "the draw moved too few minutes",
                (ten["estimate"], ten["low"], ten["high"], None),
            )
        )
    if (dose := figures["dose"]) is not None:
        lines.append(
            Line(
                group,
                "dose",
                "Ten more drawn minutes per visit: more of the crime prevented",
                percent(dose["per_ten_minutes"]),
                _interval(dose["low"], dose["high"]),
                p_words(dose["p_value"]),
                "–",
                "shown" if dose["low"] > 0 or dose["high"] < 0 else "not shown",
                (dose["per_ten_minutes"], dose["low"], dose["high"], dose["p_value"]),
            )
        )
    if (second := figures["displacement_difference"]) is not None and second["estimate"] is not None:
        lines.append(
            Line(
                group,
                "displacement_difference",
                "Weighted displacement difference: change from before the start to after it, boxes and rings, in crimes (negative: fewer)",
                f"{second['estimate']:+,.0f}",
                f"{second['low']:+,.0f} to {second['high']:+,.0f}",
                "–",
                "–",
                "shown" if second["low"] > 0 or second["high"] < 0 else "not shown",
                (second["estimate"], second["low"], second["high"], None),
            )
        )
    return lines


def report_checks(figures: dict[str, Any]) -> list[Check]:
    """What the estimates rest on, and whether it holds."""
    checks = figures["checks"]
    found = [_control(one) for one in figures["controls"]]
    z = checks["balance_z"] or 0.0
    found.append(
        Check(
            "good" if abs(z) < 3 else "bad",
            "Balance",
            f"Forecast crime in drawn and other boxes, weighted, differs by {abs(z):.1f} standard errors "
            f"({'as chance would' if abs(z) < 3 else 'more than chance would: find out why'}).",
        )
    )
    found.append(_compliance(figures))
    refused, gaps = figures["n_refused"], figures["n_gaps"]
    found.append(
        Check(
            "warn" if refused else "good",
            "Plans",
            f"{checks['plans']:,} plans (a beat in a shift) with {checks['missions']:,} missions and {checks['rows']:,} candidate "
            f"boxes are in; {refused:,} published plans could not be used"
            + (" (named below)." if refused else "."),
        )
    )
    if gaps:
        found.append(
            Check(
                "warn",
                "Gaps",
                f"{gaps:,} shift instances of the period have no published plan; they are not studied.",
            )
        )
    found.append(
        Check(
            "good",
            "Chances",
            f"Every candidate's chance of a mission was known and between {percent(checks['smallest_pi'])} and "
            f"{percent(checks['largest_pi'])}; each plan was drawn again from its seed and is what it says.",
        )
    )
    if checks["includes_later_policy"]:
        found.append(
            Check(
                "warn",
                "Windows",
                "Windows run past the boxes' next draw: every figure is including later policy.",
            )
        )
    return found


def _control(one: dict[str, Any]) -> Check:
    if one["fails"]:
        text = f"Differs between drawn and other boxes (adjusted p {p_words(one['adjusted_p'])}), which missions cannot have caused: no verdict until this is explained."
    else:
        text = f"No difference beyond chance between drawn and other boxes (adjusted p {p_words(one['adjusted_p'])})."
    return Check("bad" if one["fails"] else "good", f"Crimes in {one['name']}", text)


def _compliance(figures: dict[str, Any]) -> Check:
    carried, undrawn = figures["checks"]["carried_out"], figures["checks"]["visited_undrawn"]
    if carried is None:
        return Check(
            "warn", "Carried out",
            "Not measured: no shift has vehicle positions. The effects above are of missions planned, carried out or not.",
        )  # fmt: skip
    return Check(
        "good" if carried >= 0.5 else "warn", "Carried out",
        f"{percent(carried)} of drawn boxes and {percent(undrawn or 0.0)} of the others had a unit present at some time of the shift "
        f"({figures['measured_shifts']:,} of {figures['shifts']:,} shifts have vehicle positions). Drawn boxes stay drawn, visited or not.",
    )  # fmt: skip
