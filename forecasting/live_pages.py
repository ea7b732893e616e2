"""The live record's chart and its file."""

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agencies.access import SEES_RISK, Access, agency_page
from agencies.models import CrimeType
from forecasting.live_chart import etag, live_svg
from forecasting.selectors import live_card
from forecasting.selectors.live import LiveCard
from forecasting.views import conditional
from missions_project.lib.exports import About, csv_response

COLUMNS = (
    "seal", "seal_hash", "sealed_at", "shift", "date", "shift_from", "model_version", "cells", "expected", "crimes", "log_score",
    "plain_log_score", "largest_gain", "scored_at", "log_e_model", "log_e_plain", "skill_nats_per_crime", "skill_low",
    "skill_high", "final_crimes", "final_log_score", "final_plain_log_score", "final_at",
)  # fmt: skip


@require_GET
@agency_page(SEES_RISK)
def live_chart(request: HttpRequest, access: Access, slug: str) -> HttpResponseBase:
    """The e-values and the confidence sequence, shift by shift. Four queries."""
    crime_type = get_object_or_404(CrimeType, agency=access.agency, slug=slug)
    card = live_card(access.agency, crime_type)
    return conditional(request, etag(card), lambda: live_svg(card), "image/svg+xml")


@require_GET
@agency_page(SEES_RISK)
def live_csv(request: HttpRequest, access: Access, slug: str) -> HttpResponseBase:
    """Every scored shift with its seal: enough to count the test again elsewhere. Four queries."""
    crime_type = get_object_or_404(CrimeType, agency=access.agency, slug=slug)
    card = live_card(access.agency, crime_type)
    return csv_response(
        f"{access.agency.slug}-live-record-{crime_type.slug}.csv",
        about=About(
            what=_("Live record of %(crime_type)s") % {"crime_type": crime_type.name},
            agency=access.agency.name,
            asked=_("Crime type %(crime_type_slug)s, every scored shift")
            % {"crime_type_slug": crime_type.slug},
            zone="UTC",
            model=_("the column model_version names each shift's"),
            more=(
                _(
                    "Forecasts sealed before their shift and scored after it; log scores in nats over all cells"
                ),
            ),
        ),
        columns=COLUMNS,
        rows=_values(card),
    )


def _values(card: LiveCard) -> Iterator[tuple[Any, ...]]:
    place = 0
    for row in card.rows:
        shown: tuple[Any, ...] = ("",) * 5
        if row["plain_log_score"] is not None:
            found = card.shown
            columns = (found.log_e_model, found.log_e_plain, found.skill, found.low, found.high)
            shown, place = tuple(round(float(column[place]), 6) for column in columns), place + 1
        yield (
            row["seal__number"], row["seal__hash"], row["sealed_at"].isoformat(), row["shift__slug"], row["on"].isoformat(),
            row["period_from"].isoformat(), row["version_number"], row["n_cells"], row["expected"], row["crimes"],
            row["log_score"], row["plain_log_score"], row["largest_gain"], row["scored_at"].isoformat(), *shown,
            row["final_crimes"], row["final_log_score"], row["final_plain_log_score"], row["final_at"] and row["final_at"].isoformat(),
        )  # fmt: skip
