"""A policy's preview, in the admin and on its own page: one forecast shift under the dials as they stand in the form, in figures, a curve and a map."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import OuterRef, Subquery
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.engine.drawing import paper, plain_axes, svg
from agencies.engine.palette import BLUE, VERMILION
from agencies.lookups import pk_from_text
from agencies.models import Agency, Beat, Shift
from forecasting.engine.grid import GridSpec
from forecasting.models import ForecastRun
from forecasting.overlay import legend_rows, mercator_frame, overlay_png
from forecasting.selectors import run_grid, succeeded_forecasts
from missions_project.lib.errors import MissionsError
from missions_project.lib.sentences import said_again
from patrols.dials import dials_changed, dials_form, dials_query
from patrols.engine.preview import DesignPreview, PreviewInputs, design_preview, gamma_curve
from patrols.models import MissionPlan, PatrolPolicy
from patrols.selectors import active_policy
from patrols.services.plan_inputs import plan_inputs

CURVE, HERE = BLUE, VERMILION
SHOWN_BEATS = 4
READS_BY = ("saturation_window_days", "saturation_hard_minutes", "visits_per_cell", "unstaffed")
"""The dials that decide what is read for a shift, and not only what is made of it."""


def preview_runs(agency: Agency) -> list[ForecastRun]:
    """Return the newest finished forecast of each shift, the latest period first. One query."""
    of_shift = (
        succeeded_forecasts(agency).filter(shift=OuterRef("pk")).order_by("-period_from", "-finished_at")
    )
    newest = Shift.objects.filter(agency=agency).values_list(Subquery(of_shift.values("pk")[:1]))
    return list(succeeded_forecasts(agency).filter(pk__in=newest).order_by("-period_from"))


def preview_inputs(run: ForecastRun, policy: PatrolPolicy) -> PreviewInputs:
    """Return the shift as its plan would find it under a policy, saved or not: harm, capacity, what people decided, what was.

    As many queries as a plan needs. Raises ``MissionsError`` where nobody is on duty, naming the setting.
    """
    plan = MissionPlan(
        agency=run.agency,
        shift=run.shift,
        on=run.on,
        period_from=run.period_from,
        period_to=run.period_to,
        forecast_run=run,
    )
    found = plan_inputs(plan, policy=policy)
    return PreviewInputs(
        harm=found.harm,
        beat_of_cell=found.beat_of_cell,
        beat_k={row.beat.pk: row.k for row in found.capacities},
        suppressed=found.suppressed | found.added,
        planned_minutes=found.planned_minutes,
        days_since_last=found.days_since_last,
    )


@dataclass(frozen=True)
class Figure:
    """One line of the comparison: what it is, under the saved policy, under the form's, and what to make of it."""

    label: str
    saved: str
    tried: str
    meaning: str


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


_FIGURES: tuple[tuple[Any, Any, Any], ...] = (
    (
        gettext_lazy("Expected harm in missions"),
        lambda p: _percent(p.harm_share),
        gettext_lazy(
            "Share of the planned beats' expected harm that lies in boxes with a mission, on average over draws."
        ),
    ),
    (
        gettext_lazy("Price of randomisation"),
        lambda p: _percent(p.price_of_randomisation),
        gettext_lazy("Harm coverage given up against always going to the worst boxes."),
    ),
    (
        gettext_lazy("How predictable"),
        lambda p: _percent(p.predictability),
        gettext_lazy(
            "Share of a shift's missions that somebody guesses who knows every chance and names as many boxes."
        ),
    ),
    (
        gettext_lazy("Entropy a mission"),
        lambda p: f"{p.entropy_bits_per_mission:.1f} bits",
        gettext_lazy(
            "What that person still does not know: each bit doubles the boxes to watch. An upper bound."
        ),
    ),
    (
        gettext_lazy("Missions in lower-risk boxes"),
        lambda p: _percent(p.low_risk_share),
        gettext_lazy("Share of missions expected in the lower half of boxes by harm."),
    ),
    (
        gettext_lazy("Highest chance of a box"),
        lambda p: _percent(p.highest),
        gettext_lazy("No box is certain, so that effects can be measured."),
    ),
    (
        gettext_lazy("Spread over boxes (Gini)"),
        lambda p: f"{p.gini:.2f}",
        gettext_lazy("0: every box has the same chance. Near 1: a few boxes have all of it."),
    ),
    (
        gettext_lazy("Boxes held down by their cap"),
        lambda p: (
            _("%(at_cap)s of %(candidates)s") % {"at_cap": f"{p.at_cap:,}", "candidates": f"{p.candidates:,}"}
        ),
        gettext_lazy("The highest chance, cool-down or saturation decides there, not harm."),
    ),
)


def figures(saved: DesignPreview | None, tried: DesignPreview) -> list[Figure]:
    """Return the figures of both side by side; “–” where no policy is saved yet."""
    return [
        Figure(str(label), told(saved) if saved else "–", told(tried), str(meaning))
        for label, told, meaning in _FIGURES
    ]


def curve_svg(curve: list[tuple[float, DesignPreview]], tried: DesignPreview, gamma: float) -> bytes:
    """Draw harm covered against predictability as missions follow harm more strongly, and where the form's choice lies."""
    picture = paper(5.4, 3.0)
    axes = picture.subplots()
    x = [100 * point.predictability for _, point in curve]
    y = [100 * point.harm_share for _, point in curve]
    axes.plot(x, y, "o-", color=CURVE, linewidth=1.6, markersize=3)
    for (value, _point), at_x, at_y in zip(curve, x, y, strict=True):
        if value in (0.0, 1.0, 2.0, 4.0):
            axes.annotate(
                f"γ {value:g}", (at_x, at_y), xytext=(5, -11), textcoords="offset points", fontsize=9
            )
    axes.plot([100 * tried.predictability], [100 * tried.harm_share], "D", color=HERE, markersize=7)
    axes.annotate(
        _("your choice, γ %(gamma)s") % {"gamma": f"{gamma:g}"},
        (100 * tried.predictability, 100 * tried.harm_share),
        xytext=(-8, 8),
        textcoords="offset points",
        ha="right",
        fontsize=9,
        color=HERE,
        weight="bold",
    )
    axes.set_xlabel(_("Missions that can be guessed, %"))
    axes.set_ylabel(_("Expected harm in missions, %"))
    axes.margins(0.12)
    plain_axes(axes)
    return svg(picture)


@dataclass(frozen=True)
class BeatChances:
    """One line of the map's table: a beat, its boxes that may get a mission, missions expected, chances in per cent."""

    code: str
    boxes: int
    missions: float
    highest: float
    mean: float


def chances_by_beat(
    codes: Mapping[int, str], inputs: PreviewInputs, tried: DesignPreview
) -> list[BeatChances]:
    """Return what the map of the chances shows, beat by beat, in the order of their codes. No query."""
    found = []
    for pk, code in codes.items():
        pi = tried.pi[inputs.beat_of_cell == pk]
        pi = pi[pi > 0]
        if len(pi):
            shares = (100 * float(pi.max()), 100 * float(pi.mean()))
            found.append(BeatChances(code, len(pi), float(pi.sum()), *shares))
    return sorted(found, key=lambda row: row.code)


def problems_of(codes: Mapping[int, str], tried: DesignPreview) -> list[str]:
    """Return why beats could not be planned, by their codes; the first few, and how many more."""
    told = [
        said_again(row.message.replace(f"Beat {row.beat}", f"Beat {codes[row.beat]}"))
        for row in tried.infeasible[:SHOWN_BEATS]
    ]
    more = len(tried.infeasible) - SHOWN_BEATS
    return told + ([_("… and %(more)s more beats.") % {"more": more}] if more > 0 else [])


def tried_context(agency: Agency, typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what typed dials would do to the forecast shift asked for (``preview_run``), for ``_policy_figures.html``.

    Saves and draws nothing. ``form`` holds what is wrong with the dials, ``error`` why the shift cannot be planned so.
    About three dozen queries at most, whatever the size of the city.
    """
    runs, saved = preview_runs(agency), active_policy(agency)
    asked = pk_from_text(typed.get("preview_run"))
    run = next((row for row in runs if row.pk == asked), runs[0] if runs else None)
    form = dials_form(agency, saved, typed)
    context: dict[str, Any] = {"runs": runs, "run": run, "form": form, "saved": saved}
    if form.is_valid() and run is not None:
        try:
            context |= preview_context(run, saved=saved, tried=form.instance)
        except MissionsError as exc:
            context["error"] = str(exc)
    return context


def preview_context(run: ForecastRun, *, saved: PatrolPolicy | None, tried: PatrolPolicy) -> dict[str, Any]:
    """Return what the fragment shows. About two dozen queries; a third of a second for a city of 25,600 cells."""
    inputs, dials = preview_inputs(run, tried), tried.as_design_policy()
    now = design_preview(inputs, dials)
    boxes = reverse("patrols:policy_boxes", args=[run.agency.slug])
    spec = GridSpec.from_bytes(bytes(run_grid(run).spec))
    codes = dict(Beat.objects.filter(agency=run.agency).values_list("pk", "code"))
    return {
        "tried": now,
        "by_beat": chances_by_beat(codes, inputs, now),
        "boxes_url": boxes + dials_query(dials_changed(saved, tried) | {"preview_run": run.pk}),
        "figures": figures(_as_saved(run, saved, tried, inputs), now),
        "problems": problems_of(codes, now),
        "curve": data_url("image/svg+xml", curve_svg(gamma_curve(inputs, dials), now, dials.gamma)),
        "overlay": data_url("image/png", overlay_png(spec, now.pi)),
        "bounds": mercator_frame(spec).bounds,
        "legend": _legend(now),
    }


def _legend(shown: DesignPreview) -> list[dict[str, str]]:
    """The map's classes in per cent; one that reads “13 – 13” says 13."""
    rows = legend_rows(np.round(100 * shown.pi, 6))
    for row in rows:
        low, _dash, high = row["label"].partition(" – ")
        row["label"] = low if low == high else row["label"]
    return rows


def _as_saved(
    run: ForecastRun, saved: PatrolPolicy | None, tried: PatrolPolicy, inputs: PreviewInputs
) -> DesignPreview | None:
    """The same shift under the saved policy, or None without one. Reads the shift anew only where its own dials ask for that."""
    if saved is None:
        return None
    # Minutes of another window, or beats shared otherwise, would be put down to the saved policy.
    if any(getattr(saved, name) != getattr(tried, name) for name in READS_BY):
        inputs = preview_inputs(run, saved)
    return design_preview(inputs, saved.as_design_policy())


def data_url(kind: str, body: bytes) -> str:
    """A small picture inside the page: it belongs to dials that are saved nowhere, so it has no address of its own."""
    return f"data:{kind};base64,{base64.b64encode(body).decode()}"
