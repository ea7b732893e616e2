"""The chart of a model's weeks in service, drawn on the server as SVG."""

import hashlib

from django.utils.translation import gettext as _

from agencies.chart_dates import date_axis
from forecasting.charts import VERSION
from forecasting.engine.drawing import BASELINE, CHAMPION, OTHER, paper, plain_axes, svg
from forecasting.models import ModelVersion
from forecasting.selectors import Drift


def etag(version: ModelVersion, drift: Drift) -> str:
    """Changes with the weeks, the alarms and the way of drawing."""
    text = f"{VERSION}:{version.pk}:{drift.weeks!r}:{drift.alarms!r}"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def drift_svg(drift: Drift) -> bytes:
    """Draw expected counts with the band of 95 % of the weeks, observed counts, and the log skill below."""
    figure = paper(7.2, 4.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    on = [week.week_from for week in drift.weeks]
    above.fill_between(
        on, [w.low for w in drift.weeks], [w.high for w in drift.weeks], color=CHAMPION, alpha=0.15, linewidth=0,
        label=_("95 % of the weeks of a sound model"),
    )  # fmt: skip
    above.plot(on, [w.expected for w in drift.weeks], color=CHAMPION, linewidth=1.8, label=_("Expected"))
    for settled, label in ((True, _("Observed")), (False, _("Observed, reports still come in"))):
        part = [week for week in drift.weeks if week.settled is settled]
        if part:
            above.plot(
                [w.week_from for w in part], [w.observed for w in part], "o", color="black", markersize=4.5,
                markerfacecolor="black" if settled else "white", label=label,
            )  # fmt: skip
    for week_from in {alarm.week_from for alarm in drift.alarms}:
        above.axvline(week_from, color=BASELINE, linewidth=1.5, linestyle="--")
    above.set_ylabel(_("Crimes a week"))
    above.set_ylim(bottom=0)
    known = [week for week in drift.weeks if week.skill is not None]
    below.bar(
        [w.week_from for w in known], [w.skill or 0.0 for w in known], width=4.5,
        color=[(CHAMPION if (w.skill or 0.0) >= 0 else BASELINE) if w.settled else OTHER for w in known],
    )  # fmt: skip
    below.axhline(0, color="black", linewidth=0.8)
    below.set_ylabel(_("Log skill\nper crime"))
    if not known:
        below.text(
            0.5, 0.5, _("no plain count to compare with"), transform=below.transAxes, ha="center", va="center"
        )
        below.set_yticks([])
    for axes in (above, below):
        plain_axes(axes)
    if drift.weeks:
        above.legend(loc="upper left", frameon=False, fontsize=9, ncols=2)
        above.set_ylim(top=1.35 * max(max(w.high, w.observed) for w in drift.weeks) + 1)
    date_axis(below, 8)
    return svg(figure)
