"""Charts of the model page, drawn on the server as SVG and shown through <img>."""

from typing import Any

from django.utils.translation import gettext as _

from forecasting.engine.drawing import (
    BASELINE,
    CHAMPION,
    OTHER,
    area_axis,
    legend,
    paper,
    plain_axes,
    svg,
)
from forecasting.model_words import model_label
from forecasting.models import ModelVersion
from forecasting.selectors.why import family_label

VERSION = 5


def curve_svg(version: ModelVersion) -> bytes:
    """Draw hit rate and PAI from one cell to a fifth of the area: champion with its 95 % interval, and the best plain count."""
    curve = version.summary.get("card", {}).get("curve", {"share": [], "champion": [], "baseline": []})
    share = [100 * one for one in curve["share"]]
    figure = paper(7.2, 3.6)
    hits, pai = figure.subplots(1, 2)
    names = {"champion": version.champion, "baseline": version.summary.get("card", {}).get("baseline", "")}
    drawn = (
        [("baseline", BASELINE), ("champion", CHAMPION)]
        if not version.is_baseline
        else [("champion", CHAMPION)]
    )
    for who, colour in drawn:
        known = [(x, row) for x, row in zip(share, curve[who], strict=True) if row["value"] is not None]
        label = model_label(names[who]) + (_(" (best plain count)") if who == "baseline" else "")
        for axes, scale in ((hits, lambda x: 100.0), (pai, lambda x: 100.0 / x)):
            x = [x for x, _ in known]
            axes.plot(
                x, [row["value"] * scale(x) for x, row in known], color=colour, linewidth=1.8, label=label
            )
            if who == "champion":
                bounds = [[(row[end] if row[end] is not None else row["value"]) * scale(x) for x, row in known]
                          for end in ("low", "high")]  # fmt: skip
                axes.fill_between(x, *bounds, color=colour, alpha=0.15, linewidth=0)
    hits.set_ylabel(_("Crimes inside, %"))
    pai.set_ylabel(_("PAI: times better than chance"))
    for axes in (hits, pai):
        axes.set_xscale("log")
        ticks = [tick for tick in (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 20) if not share or tick >= 0.7 * share[0]]
        axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel(_("Flagged area, %"))
        axes.set_ylim(bottom=0)
        plain_axes(axes)
    if share:
        # In a line of its own: names of models are longer than what is free beside two curves.
        figure.legend(
            *hits.get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False, fontsize=9
        )
    return svg(figure)


def reliability_svg(version: ModelVersion) -> bytes:
    """Draw observed against expected crimes per cell in ten groups by risk; on the line the forecast means what it says."""
    rows = version.summary.get("card", {}).get("reliability", [])
    figure = paper(4.6, 3.8)
    axes = figure.subplots()
    x = [row["expected_per_cell"] for row in rows]
    # A group in which nothing happened has no place on a log scale: its upper bound is shown.
    seen = [row for row in rows if row["observed"] > 0]
    for row in rows:
        low = row["low_per_cell"] if row["low_per_cell"] > 0 else row["high_per_cell"] / 100
        axes.plot([row["expected_per_cell"]] * 2, [low, row["high_per_cell"]], color=CHAMPION, linewidth=1.4)
    axes.plot(
        [r["expected_per_cell"] for r in seen], [r["observed_per_cell"] for r in seen], "o", color=CHAMPION
    )
    empty = [row for row in rows if row["observed"] <= 0]
    axes.plot(
        [r["expected_per_cell"] for r in empty], [r["high_per_cell"] for r in empty], "v", color=CHAMPION
    )
    if x:
        span = [min(x) / 2, max(x) * 2]
        axes.plot(span, span, color=OTHER, linewidth=1, zorder=0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(*span)
        axes.set_ylim(span[0] / 2, span[1] * 2)
    axes.set_xlabel(_("Expected crimes per cell and shift"))
    axes.set_ylabel(_("Observed"))
    plain_axes(axes)
    return svg(figure)


def ablation_svg(version: ModelVersion) -> bytes:
    """Draw what the log score loses when one family of columns is held at its neutral value, largest first."""
    rows = [
        row for row in version.summary.get("card", {}).get("ablation", []) if row["lost"]["value"] is not None
    ]
    rows.sort(key=lambda row: row["lost"]["value"])
    figure = paper(4.6, 3.8)
    axes = figure.subplots()
    names = [family_label(row["family"]) for row in rows]
    values = [row["lost"]["value"] for row in rows]
    axes.barh(names, values, color=[CHAMPION if value >= 0 else BASELINE for value in values], height=0.6)
    for place, row in enumerate(rows):
        if row["lost"]["low"] is not None:
            axes.plot([row["lost"]["low"], row["lost"]["high"]], [place, place], color="black", linewidth=1.2)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel(_("Nats per crime lost without it"))
    plain_axes(axes)
    return svg(figure)


def hit_rate_svg(version: ModelVersion) -> bytes:
    """Draw the hit rate by flagged area: champion and best baseline with 95 % intervals, the others thin."""
    league = version.summary.get("league", [])
    best_baseline = next((row["name"] for row in league if row["is_baseline"]), None)
    figure = paper(7.2, 3.6)
    axes = figure.subplots()
    for row in reversed(league):
        champion, baseline = row["name"] == version.champion, row["name"] == best_baseline
        share, middle, low, high = _points(row)
        colour = CHAMPION if champion else BASELINE if baseline else OTHER
        label = None
        if champion or baseline:
            label = model_label(row["name"]) + (_(" (champion)") if champion else _(" (best plain count)"))
            axes.fill_between(share, low, high, color=colour, alpha=0.15, linewidth=0)
        width = 2.2 if champion or baseline else 0.8
        axes.plot(
            share,
            middle,
            color=colour,
            linewidth=width,
            marker="o" if label else None,
            markersize=4,
            label=label,
        )
    area_axis(axes)
    plain_axes(axes)
    legend(axes, loc="upper left")
    return svg(figure)


def _points(row: dict[str, Any]) -> tuple[list[float], list[float], list[float], list[float]]:
    known = [
        (float(area["area"].rstrip("%")), area["hit_rate"])
        for area in row["areas"]
        if area["area"].endswith("%") and area["hit_rate"]["value"] is not None
    ]
    known.sort(key=lambda item: item[0])
    rates = [rate for _, rate in known]
    return (
        [share for share, _ in known],
        [100 * rate["value"] for rate in rates],
        [100 * (rate["low"] if rate["low"] is not None else rate["value"]) for rate in rates],
        [100 * (rate["high"] if rate["high"] is not None else rate["value"]) for rate in rates],
    )
