"""The chart of the live record, drawn on the server as SVG."""

import hashlib

import numpy as np
from django.utils.translation import gettext as _

from agencies.chart_dates import date_axis
from forecasting.charts import VERSION
from forecasting.engine.drawing import BASELINE, CHAMPION, OTHER, legend, paper, plain_axes, svg
from forecasting.engine.live_record import THRESHOLD
from forecasting.selectors.live import LARGEST_TOLD, LiveCard


def etag(card: LiveCard) -> str:
    """Changes with every score and with the way of drawing."""
    last = card.rows[-1]["scored_at"] if card.rows else ""
    text = f"{VERSION}:live:{card.crime_type.pk}:{len(card.rows)}:{last}"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def live_svg(card: LiveCard) -> bytes:
    """Draw the e-values after each shift on a log scale, and below the nats per crime with their confidence sequence."""
    figure = paper(7.2, 4.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1])
    # The day with the shift's place in it: three shifts a day would stand on one line otherwise.
    on = [row["period_from"] for row in card.compared]
    top = np.log(LARGEST_TOLD)
    for log_e, colour, style, label in (
        (card.shown.log_e_model, CHAMPION, "-", _("for the model")),
        (card.shown.log_e_plain, BASELINE, "--", _("for the plain count")),
    ):
        above.plot(
            on, np.exp(np.clip(log_e, -4.6, top)), color=colour, linestyle=style, linewidth=1.6, label=label
        )
    above.axhline(THRESHOLD, color="black", linewidth=0.8, linestyle=":")
    above.set_yscale("log")
    above.set_ylim(0.008, max(100.0, 2 * float(np.exp(min(_largest(card), top)))))
    above.set_yticks([0.01, 1, THRESHOLD], labels=["1/100", "1", f"{THRESHOLD:.0f}: shown"])
    above.minorticks_off()
    above.set_ylabel(_("Evidence (e-value)"))
    known = np.isfinite(card.shown.skill)
    days = [day for day, is_known in zip(on, known, strict=True) if is_known]
    low, high = card.shown.low[known], card.shown.high[known]
    below.fill_between(
        days, low, high, color=CHAMPION, alpha=0.15, linewidth=0, label=_("95 %, at every moment at once")
    )
    below.plot(
        days, card.shown.skill[known], color=CHAMPION, linewidth=1.8, label=_("Ahead of the plain count")
    )
    below.axhline(0, color="black", linewidth=0.8)
    below.set_ylabel(_("Nats per crime"))
    if len(low):
        # The first weeks' interval is as wide as the paper is high: the last quarter decides the scale.
        late = slice(len(low) // 4, None)
        reach = 1.3 * max(
            np.abs(low[late]).min(),
            np.abs(high[late]).min(),
            np.abs(card.shown.skill[known][late]).max(),
            0.02,
        )
        below.set_ylim(-reach, reach)
    for before, row in zip(card.compared[:-1], card.compared[1:], strict=True):
        if before["version_number"] != row["version_number"]:
            for axes in (above, below):
                axes.axvline(row["period_from"], color=OTHER, linewidth=0.6, alpha=0.6)
    for axes in (above, below):
        plain_axes(axes)
    if card.compared:
        legend(above, loc="upper left", fontsize=9, ncols=2)
        legend(below, loc="lower left", fontsize=9, ncols=2)
    else:
        above.text(0.5, 0.5, _("nothing to compare yet"), transform=above.transAxes, ha="center", va="center")
    date_axis(below, 8)
    return svg(figure)


def _largest(card: LiveCard) -> float:
    both = [log_e.max() for log_e in (card.shown.log_e_model, card.shown.log_e_plain) if len(log_e)]
    return float(max(both, default=0.0))
