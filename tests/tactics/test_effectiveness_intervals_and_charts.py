"""How far chance moves a week's PAI, and what the charts of effectiveness draw: intervals where they are known, never a verdict."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from django.core.cache import caches
from django.test import Client
from django.urls import reverse
from lxml import etree

from agencies.models import User
from tactics.reports import effectiveness_tables as tables
from tactics.reports.calibration_chart import calibration_charts, calibration_svg
from tactics.reports.caught import TENTHS, Ground, LaidOut, PlanCatch
from tactics.reports.effectiveness_intervals import inverse_interval, pai_interval, ratio_interval
from tactics.reports.shapes import Table
from tactics.reports.weekly_chart import pai_svg
from tests.factories import make_member
from tests.patrols.scenes import ON, make_scene
from tests.tactics.test_effectiveness_report import published

SignIn = Callable[[User | None], Client]
MONDAY = dt.date(2026, 1, 5)
BOXES, CELLS = 20, 2_000
GROUND = cast(Ground, SimpleNamespace(districts=["North"]))


def caught(
    day: int, events: float, inside: float, *, observed: Any = None, expected: Any = None
) -> PlanCatch:
    """One plan's shift, so many days after a Monday: its events, those in missions, and counts by tenth of the cells."""
    laid = None
    if observed is not None:
        by_tenth, foreseen = (np.asarray(part, dtype=float) for part in (observed, expected))
        laid = LaidOut(
            np.array([inside, inside, 0.1]), {}, np.r_[foreseen.sum(), foreseen], np.r_[by_tenth.sum(), by_tenth]
        )  # fmt: skip
    return PlanCatch(
        MONDAY + dt.timedelta(days=day), BOXES, CELLS, np.array([events, events, 1.0]), np.array([inside, inside, 0.1]),
        np.array([0.01 * events] * 3), laid_out=laid,
    )  # fmt: skip


def column(table: Table, key: str) -> list[Any]:
    at = [one.key for one in table.columns].index(key)
    return [row[at] for row in table.rows]


def words_in(drawing: bytes | None) -> list[str]:
    """The texts of a chart: letters are drawn as shapes, and each text stands before them as a remark."""
    assert drawing is not None
    return [str(node.text).strip() for node in etree.fromstring(drawing).iter(etree.Comment)]


def test_the_interval_of_a_week_holds_the_true_pai_about_95_times_in_100() -> None:
    rng = np.random.default_rng(3)
    truth, held = 0.1 / (BOXES / CELLS), []
    for _ in range(400):
        events = rng.poisson(20, 7)
        inside = rng.binomial(events, 0.1)
        low, high = pai_interval([caught(day, *pair) for day, pair in enumerate(zip(events, inside, strict=True))])  # fmt: skip
        held.append(low <= truth <= high)
    assert 0.91 <= np.mean(held) <= 0.985


def test_days_that_are_all_alike_leave_no_room_and_others_stay_between_the_days_own_values() -> None:
    low, high = pai_interval([caught(day, 10, 2) for day in range(7)])
    assert low == pytest.approx(high) == pytest.approx(20)
    inside = (1, 4, 2, 3, 2, 5, 1)
    week = [caught(day, 10, n) for day, n in enumerate(inside)]
    pai = sum(inside) / 70 / 0.01
    low, high = pai_interval(week)
    assert 10 <= low < pai < high <= 50
    # The same whenever it is asked: page and file say the same.
    assert pai_interval(week) == (low, high)


def test_shifts_of_one_day_are_drawn_together() -> None:
    # Each day's two shifts make up for each other: days are all alike, shifts are not.
    both = [caught(day, 10, n) for day in range(7) for n in (0, 4)]
    low, high = pai_interval(both)
    assert low == pytest.approx(high)


@pytest.mark.parametrize(
    "week",
    [
        [caught(day, 20, 4) for day in range(4)],
        [caught(day, 20, 0) for day in range(7)],
        [caught(day, 20, 2 * (day == 3)) for day in range(7)],
        [caught(day, 1, 1) for day in range(7)],
        [],
    ],
    ids=["four days", "none in missions", "two in missions", "none outside", "no plan"],
)
def test_a_week_with_too_little_in_it_says_unknown(week: list[PlanCatch]) -> None:
    assert np.isnan(pai_interval(week)).all()
    table = tables.weeks(week)
    assert column(table, "pai_low") == column(table, "pai_high") == [None] * len(table.rows)


def test_few_events_leave_expected_over_observed_without_an_upper_end() -> None:
    day = dt.timedelta(days=7)
    many = [(MONDAY + n * day, 10.0, observed) for n, observed in enumerate((8.0, 12.0, 11.0, 9.0))]
    low, high = inverse_interval(many)
    assert low < 1 < high
    assert ratio_interval([(on, y, x) for on, x, y in many]) == pytest.approx((1 / high, 1 / low))
    few = [(MONDAY + n * day, 1.0, float(n == 2)) for n in range(4)]
    low, high = inverse_interval(few)
    # Of four weeks the one with an event is often not drawn: nothing at all may be observed.
    assert low > 0
    assert high == float("inf")
    assert np.isnan(inverse_interval([(MONDAY + n * day, 1.0, 0.0) for n in range(4)])).all()
    whole = [caught(7 * n, 1, 0, observed=[n == 2] + [0] * 9, expected=[0.1] * TENTHS) for n in range(4)]
    table = tables.calibration(whole, GROUND)
    assert column(table, "expected_over_observed_to") == [None] * 12
    assert [value is not None for value in column(table, "expected_over_observed_from")] == [True] * 3 + [False] * 9  # fmt: skip


def test_the_weeks_chart_tells_weeks_with_an_interval_from_those_without_by_shape_and_words() -> None:
    known = [caught(day, 20, 2 + day % 3) for day in range(14)]
    words = words_in(pai_svg(tables.weeks(known)))
    assert {"Chance", "A plain count", "Missions, with their interval", "Week from"} <= set(words)
    assert "PAI (share of events ÷ share of boxes)" in words
    assert "Missions, too few events or days for an interval" not in words
    words = words_in(pai_svg(tables.weeks([*known, caught(14, 5, 1)])))
    assert {"Missions, with their interval", "Missions, too few events or days for an interval"} <= set(words)
    words = words_in(pai_svg(tables.weeks([caught(0, 0, 0)])))
    assert "Missions, with their interval" not in words


def test_the_calibration_chart_draws_tenths_with_numbers_the_diagonal_and_units() -> None:
    rng = np.random.default_rng(5)
    expected = 40 * 0.6 ** np.arange(TENTHS)
    found = [caught(7 * n, 90, 9, observed=rng.poisson(expected), expected=expected) for n in range(8)]
    table = tables.calibration(found, GROUND)
    words = words_in(calibration_svg(table))
    assert {"As many as expected", "Observed events", "Expected events, in the shifts that were laid out"} <= set(words)  # fmt: skip
    assert "A tenth of the cells (1: the riskiest), with its interval" in words
    assert {"1", "10"} <= set(words)
    (chart,) = calibration_charts(table)
    assert chart.table == table.slug
    observed = column(table, "observed")[-TENTHS:]
    assert f"Tenth 1: 320.0 expected, {observed[0]} observed" in chart.alt
    assert f"tenth 10: {8 * expected[-1]:.1f} expected, {observed[-1]} observed" in chart.alt
    assert "diagonal" in chart.alt
    # A description: nothing is called right or wrong.
    assert not [word for word in (*words, chart.alt) if word.lower().startswith(("hit", "miss "))]


def test_without_forecasts_there_is_no_calibration_chart() -> None:
    table = tables.calibration([caught(0, 5, 1)], GROUND)
    assert calibration_charts(table) == ()
    assert calibration_svg(table) is None
    assert calibration_svg(None) is None
    nothing = [caught(0, 0, 0, observed=[0] * TENTHS, expected=[0] * TENTHS)]
    assert calibration_charts(tables.calibration(nothing, GROUND)) == ()


@pytest.mark.django_db
def test_the_page_holds_both_charts_with_words_for_whoever_sees_none(sign_in: SignIn) -> None:
    caches["reports"].clear()
    scene = make_scene()
    published(scene, 0)
    client = sign_in(make_member(scene.agency, "analyst"))
    query, at = f"?from={ON}&to={ON}", ["riverton", "effectiveness"]
    page = client.get(reverse("tactics:report", args=at) + query).content.decode()
    assert page.count('<img class="chart"') == 2
    assert "with 95 % intervals where a week has enough events and days" in page
    assert "On the diagonal as many were observed as were expected" in page
    assert "The table “Expected against observed” below holds the figures." in page
    for chart in ("pai", "calibration"):
        drawn = client.get(reverse("tactics:report_chart", args=[*at, chart]) + query)
        assert drawn.headers["Content-Type"] == "image/svg+xml"
        assert words_in(drawn.content)
