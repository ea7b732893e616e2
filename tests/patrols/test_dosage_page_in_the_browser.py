"""The dosage page on a desk and on a phone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from agencies.models import Unit
from patrols.services import engagement_record, presence_count
from tests.factories import make_member
from tests.patrols.scenes import ON, make_scene
from tests.patrols.test_presence_is_counted_after_shifts import MINUTE, account_of, call, drive

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["desk", "phone"])
def test_the_dosage_page_fits_and_shows_its_chart(
    transactional_db: None, signed_in_page: Callable[..., Page], size: tuple[int, int]
) -> None:
    scene = make_scene()
    plan = scene.plan(publish=True)
    units = list(Unit.objects.filter(agency=scene.agency))
    for number, mission in enumerate(plan.missions.order_by("number")):
        start = plan.period_from + dt.timedelta(minutes=40 * (number // 4) + 5)
        unit = units[number % 4]
        if number % 5 != 4:
            drive(scene, unit, mission.cell_id, start, 9 + number % 6)
        if number % 2:
            engagement_record(
                mission=mission,
                unit=unit,
                officer=None,
                arrived_at=start,
                left_at=start + 18 * MINUTE,
                source="timer",
            )
        if number % 4 == 3:
            call(scene, mission.cell_id, start + 30 * MINUTE, 6)
    presence_count(account=account_of(plan))
    page = signed_in_page(make_member(scene.agency, "analyst"))
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{reverse('patrols:dosage', args=['riverton'])}?from={ON}&to={ON}")
    chart = page.locator("img.chart")
    chart.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('img.chart').naturalWidth > 0")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.locator("h2").all_inner_texts() == ["By beat", "By shift", "By crime type"]
    page.get_by_role("link", name="which ones").click()
    assert page.locator("h1").inner_text() == "Which missions have a record"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert errors == []
