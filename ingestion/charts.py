"""Charts of the data quality page, drawn on the server as SVG and shown through <img>."""

import textwrap

import numpy as np
from django.utils.translation import gettext as _

from agencies.chart_dates import date_axis
from agencies.engine.drawing import legend, paper, plain_axes, svg
from agencies.engine.palette import BLUE, VERMILION
from ingestion.engine.quality import LAG_BINS, Quality
from ingestion.words import said

VERSION = 2


def days_svg(quality: Quality) -> bytes:
    """Draw rows a day over two years at most; days that are missing are marked."""
    figure = paper(7.2, 3.0)
    axes = figure.subplots()
    days = quality.days
    if days.counts:
        on = np.datetime64(days.first) + np.arange(len(days.counts))
        axes.step(on, days.counts, where="mid", color=BLUE, linewidth=0.9, label=_("Rows a day"))
        for number, gap in enumerate(days.gaps):
            if np.datetime64(gap.last) >= on[0]:
                first = max(np.datetime64(gap.first), on[0])
                label = _("Missing") if number == 0 else None
                axes.axvspan(first, np.datetime64(gap.last) + 1, color=VERMILION, alpha=0.35, label=label)
        thin = np.array([day for day in days.thin if np.datetime64(day) >= on[0]], dtype="datetime64[D]")
        if len(thin):
            counts = [days.counts[int(index)] for index in (thin - on[0]).astype(np.int64)]
            axes.plot(thin, counts, "v", color=VERMILION, markersize=5, label=_("Unusually few"))
        date_axis(axes, 8)
        axes.set_ylim(bottom=0, top=1.2 * max(days.counts) + 1)
    axes.set_ylabel(_("Rows a day"))
    plain_axes(axes)
    legend(axes, loc="upper left", fontsize=9, ncols=3)
    return svg(figure)


def clock_svg(quality: Quality) -> bytes:
    """Draw rows by hour of the day and by minute of the hour; evenly told minutes are a flat line."""
    figure = paper(7.2, 2.8)
    hours, minutes = figure.subplots(1, 2)
    heaping = quality.heaping
    hours.bar(
        range(24), heaping.by_hour, width=0.8, color=[VERMILION if h in (0, 12) else BLUE for h in range(24)]
    )
    hours.set_xticks(range(0, 24, 3))
    hours.set_xlabel(_("Hour of the day"))
    hours.set_ylabel(_("Rows"))
    minutes.bar(
        range(60), heaping.by_minute, width=0.9, color=[VERMILION if m == 0 else BLUE for m in range(60)]
    )
    minutes.axhline(heaping.rows / 60, color="black", linewidth=1, linestyle="--", label=_("Evenly told"))
    minutes.set_xticks(range(0, 60, 10))
    minutes.set_xlabel(_("Minute of the hour"))
    for axes in (hours, minutes):
        plain_axes(axes)
    # Room above the bars: the key would lie on them.
    minutes.set_ylim(top=1.25 * max(1, *heaping.by_minute, heaping.rows / 60))
    legend(minutes, loc="upper right", fontsize=9)
    return svg(figure)


def lag_svg(quality: Quality) -> bytes:
    """Draw how long after its end a record was reported."""
    figure = paper(7.2, 2.6)
    axes = figure.subplots()
    rows = max(quality.lag.rows, 1)
    # In two lines: "within the hour" would run into its neighbour.
    names = [textwrap.fill(said(name), 11) for name, __ in LAG_BINS]
    axes.bar(names, [100 * number / rows for number in quality.lag.bins], color=BLUE, width=0.7)
    axes.tick_params(axis="x", labelsize=9)
    axes.set_ylabel(_("% of the rows"))
    plain_axes(axes)
    return svg(figure)


def drift_svg(quality: Quality) -> bytes:
    """Draw each four weeks' volume as a multiple of the same weeks a year before, with 95 % intervals."""
    figure = paper(7.2, 2.8)
    axes = figure.subplots()
    axes.axhline(1, color="black", linewidth=1)
    for one in quality.drift.periods:
        if one.ratio is None or one.low is None or one.high is None:
            continue
        off = one.low > 1 or one.high < 1
        colour = VERMILION if off else BLUE
        on = np.datetime64(one.first)
        axes.plot([on, on], [one.low, one.high], color=colour, linewidth=1.6)
        axes.plot(on, one.ratio, "s" if off else "o", color=colour, markersize=5)
    if quality.drift.periods:
        date_axis(axes, 8)
    axes.set_ylabel(_("Times last year's rows"))
    plain_axes(axes)
    return svg(figure)


CHARTS = {"days": days_svg, "clock": clock_svg, "lag": lag_svg, "drift": drift_svg}
