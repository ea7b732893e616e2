"""A report as lines of a table and as checks in words: one reading for page, print and files."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from missions_project.lib.lazy import gettext_lazy
from tactics.studies.words import effect_of, part_reading, percent

NAMES = {
    "net": gettext_lazy("Net effect of the plan: visited boxes and those around, against no missions at all"),
    "direct": gettext_lazy("Direct effect: in the visited box, its neighbours left alone"),
    "contrast": gettext_lazy("Contrast under the design: boxes drawn against boxes not drawn (AIPW)"),
    "overlap": gettext_lazy("Contrast, overlap-weighted: boxes that could well go either way count most"),
    "hajek": gettext_lazy("Contrast without the help of the forecast (Hájek)"),
    "plain": gettext_lazy("Contrast, plain average: every box counts alike"),
    "moved": gettext_lazy("Moved next door, per crime expected in visited boxes (negative: benefits spread)"),
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
    return (
        "–"
        if low is None or high is None
        else _("%(low)s to %(high)s") % {"low": percent(low), "high": percent(high)}
    )


def report_lines(figures: dict[str, Any], estimand: str) -> list[Line]:
    """The report's table. ``estimand``: which contrast the study asked for; it is marked."""
    lines: list[Line] = []
    asked = "overlap" if estimand == "overlap" else "contrast"
    for key, name in NAMES.items():
        one = effect_of(figures, key)
        if one is not None:
            marked = (
                _("%(name)s (the study's question)")
                if key == asked
                else _("%(name)s (headline)")
                if key == "net"
                else "%(name)s"
            )
            lines.append(_effect_line(_("Share of crime prevented"), one, marked % {"name": name}))
    for key, group, parts in (
        ("crime_type", _("By crime type"), figures["by_type"]),
        ("district", _("By district"), figures["by_district"]),
    ):
        for part in parts:
            pulled = _interval(part["pulled_low"], part["pulled_high"])
            own = "–" if part["estimate"] is None else percent(part["estimate"])
            shrunk = "–" if part["pulled"] is None else percent(part["pulled"])
            lines.append(
                Line(
                    group,
                    f"{key}:{part['name']}",
                    part["name"],
                    _("%(shrunk)s (own: %(own)s)") % {"shrunk": shrunk, "own": own},
                    pulled,
                    p_words(part["adjusted_p"]),
                    "–" if part["n"] is None else f"{part['n']:,.0f}",
                    part_reading(part),
                    (part["pulled"], part["pulled_low"], part["pulled_high"], part["adjusted_p"]),
                )
            )
    return lines + _other_lines(figures)


def _effect_line(group: str, one: dict[str, Any], name: str) -> Line:
    reading = _("no interval") if one["low"] is None else _("shown") if one["shows"] else _("not shown")
    return Line(
        group,
        one["key"],
        name,
        "–" if one["estimate"] is None else percent(one["estimate"]),
        _interval(one["low"], one["high"]),
        p_words(one["p"]),
        "–" if one["n"] is None else f"{one['n']:,.0f}",
        _("%(reading)s; by re-drawing") % {"reading": reading}
        if one["interval"] == "test inversion"
        else reading,
        (one["estimate"], one["low"], one["high"], one["p"]),
    )


def _other_lines(figures: dict[str, Any]) -> list[Line]:
    group, lines = _("Other views"), []
    if (fisher := figures["fisher"]) is not None:
        how = (
            _("plans drawn again at their recorded probabilities, approximate")
            if fisher["approximate"]
            else _("all plans drawn again, one after another")
        )
        drawn = (
            _("%(exceeded)s of %(draws)s draws were as extreme, stopped early because the answer was clear")
            if fisher["stopped_early"]
            else _("%(exceeded)s of %(draws)s draws were as extreme")
        )
        lines.append(
            Line(
                group,
                "fisher",
                _("Fisher test of “missions did nothing”: %(how)s") % {"how": how},
                drawn % {"exceeded": f"{fisher['exceeded']:,}", "draws": f"{fisher['draws']:,}"},
                "–",
                p_words(fisher["p_value"]),
                "–",
                _("shown") if fisher["p_value"] < 0.05 else _("not shown"),
                (fisher["statistic"], None, None, fisher["p_value"]),
            )
        )
    if (ten := figures["per_ten_minutes"]) is not None and ten["estimate"] is not None:
        bounded = ten["bounded"]
        lines.append(
            Line(
                group,
                "per_ten_minutes",
                _(
                    "Crimes prevented per ten minutes of presence that the draw brought about (%(measured_shifts)s shifts with vehicle positions)"
                )
                % {"measured_shifts": f"{figures['measured_shifts']:,}"},
                f"{ten['estimate']:.4f}",
                _("%(low)s to %(high)s") % {"low": f"{ten['low']:.4f}", "high": f"{ten['high']:.4f}"}
                if bounded
                else _("unbounded"),
                "–",
                "–",
                (_("shown") if ten["low"] > 0 or ten["high"] < 0 else _("not shown"))
                if bounded
                else _("the draw moved too few minutes"),
                (ten["estimate"], ten["low"], ten["high"], None),
            )
        )
    if (dose := figures["dose"]) is not None:
        lines.append(
            Line(
                group,
                "dose",
                _("Ten more drawn minutes per visit: more of the crime prevented"),
                percent(dose["per_ten_minutes"]),
                _interval(dose["low"], dose["high"]),
                p_words(dose["p_value"]),
                "–",
                _("shown") if dose["low"] > 0 or dose["high"] < 0 else _("not shown"),
                (dose["per_ten_minutes"], dose["low"], dose["high"], dose["p_value"]),
            )
        )
    if (second := figures["displacement_difference"]) is not None and second["estimate"] is not None:
        lines.append(
            Line(
                group,
                "displacement_difference",
                _(
                    "Weighted displacement difference: change from before the start to after it, boxes and rings, in crimes (negative: fewer)"
                ),
                f"{second['estimate']:+,.0f}",
                _("%(low)s to %(high)s")
                % {"low": f"{second['low']:+,.0f}", "high": f"{second['high']:+,.0f}"},
                "–",
                "–",
                _("shown") if second["low"] > 0 or second["high"] < 0 else _("not shown"),
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
            _("Balance"),
            (
                _(
                    "Forecast crime in drawn and other boxes, weighted, differs by %(z)s standard errors (as chance would)."
                )
                if abs(z) < 3
                else _(
                    "Forecast crime in drawn and other boxes, weighted, differs by %(z)s standard errors "
                    "(more than chance would: find out why)."
                )
            )
            % {"z": f"{abs(z):.1f}"},
        )
    )
    found.append(_compliance(figures))
    refused, gaps = figures["n_refused"], figures["n_gaps"]
    found.append(
        Check(
            "warn" if refused else "good",
            _("Plans"),
            (
                _(
                    "%(plans)s plans (a beat in a shift) with %(missions)s missions and %(rows)s candidate boxes are in; %(refused)s published plans could not be used"
                )
                % {
                    "plans": f"{checks['plans']:,}",
                    "missions": f"{checks['missions']:,}",
                    "rows": f"{checks['rows']:,}",
                    "refused": f"{refused:,}",
                }
            )
            + (_(" (named below).") if refused else "."),
        )
    )
    if gaps:
        found.append(
            Check(
                "warn",
                _("Gaps"),
                _("%(gaps)s shift instances of the period have no published plan; they are not studied.")
                % {"gaps": f"{gaps:,}"},
            )
        )
    found.append(
        Check(
            "good",
            _("Chances"),
            _(
                "Every candidate's chance of a mission was known and between %(smallest_pi)s and %(largest_pi)s; each plan was drawn again from its seed and is what it says."
            )
            % {"smallest_pi": percent(checks["smallest_pi"]), "largest_pi": percent(checks["largest_pi"])},
        )
    )
    if checks["includes_later_policy"]:
        found.append(
            Check(
                "warn",
                _("Windows"),
                _("Windows run past the boxes' next draw: every figure is including later policy."),
            )
        )
    return found


def _control(one: dict[str, Any]) -> Check:
    if one["fails"]:
        text = _(
            "Differs between drawn and other boxes (adjusted p %(adjusted_p)s), which missions cannot have caused: no verdict until this is explained."
        ) % {"adjusted_p": p_words(one["adjusted_p"])}
    else:
        text = _("No difference beyond chance between drawn and other boxes (adjusted p %(adjusted_p)s).") % {
            "adjusted_p": p_words(one["adjusted_p"])
        }
    return Check("bad" if one["fails"] else "good", _("Crimes in %(name)s") % {"name": one["name"]}, text)


def _compliance(figures: dict[str, Any]) -> Check:
    carried, undrawn = figures["checks"]["carried_out"], figures["checks"]["visited_undrawn"]
    if carried is None:
        return Check(
            "warn", _("Carried out"),
            _("Not measured: no shift has vehicle positions. The effects above are of missions planned, carried out or not."),
        )  # fmt: skip
    return Check(
        "good" if carried >= 0.5 else "warn", _("Carried out"),
        _("%(carried)s of drawn boxes and %(percent)s of the others had a unit present at some time of the shift (%(measured_shifts)s of %(shifts)s shifts have vehicle positions). Drawn boxes stay drawn, visited or not.") % {"carried": percent(carried), "percent": percent(undrawn or 0.0), "measured_shifts": f"{figures['measured_shifts']:,}", "shifts": f"{figures['shifts']:,}"},
    )  # fmt: skip
