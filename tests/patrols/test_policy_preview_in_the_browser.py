"""A policy's dials and their preview as an analyst or administrator turns them, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from patrols.models import PatrolPolicy
from tests.factories import make_member
from tests.patrols.scenes import make_scene

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_turning_a_dial_changes_the_map_and_the_figures_at_once(
    transactional_db: None, signed_in_page: Callable[..., Page]
) -> None:
    scene = make_scene()
    page = signed_in_page(make_member(scene.agency, "admin", username="owner"))
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(reverse("admin:patrols_patrolpolicy_change", args=[scene.policy.pk]))
    figures = page.locator("#policy-preview tbody tr", has_text="How predictable")
    figures.wait_for()
    before = figures.locator("td").all_inner_texts()
    assert before[0] == before[1]
    picture = page.locator("#policy-map .leaflet-image-layer")
    picture.wait_for()
    first = picture.get_attribute("src")

    page.fill("#id_gamma", "3")
    for _ in range(100):
        if figures.locator("td").nth(1).inner_text() != before[1]:
            break
        page.wait_for_timeout(100)
    after = figures.locator("td").all_inner_texts()
    assert after[0] == before[0]
    assert float(after[1].split()[0]) > float(before[1].split()[0])
    assert picture.get_attribute("src") != first

    page.fill("#id_dose_min_minutes", "40")
    page.locator("#policy-preview .errorlist", has_text="raise it or lower the shortest stay").wait_for()
    assert PatrolPolicy.objects.get(pk=scene.policy.pk).gamma == 1.0
