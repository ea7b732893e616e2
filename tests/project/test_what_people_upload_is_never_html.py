"""Names from files and forms are shown as they are written, on every map: none of them becomes part of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.test import RequestFactory
from django.urls import reverse

from agencies.models import Agency, BaseMap, Beat, User
from agencies.selectors import leaflet_settings
from ingestion.models import ContextLayer
from tests.factories import degrees, make_member

if TYPE_CHECKING:
    from django.test import Client
    from playwright.sync_api import Page

MARKUP = "<u>x</u>"


@pytest.mark.parametrize("name", ["</script><meta http-equiv=refresh content=0>", "<!--<script>"])
def test_a_base_maps_name_cannot_end_the_pages_script(
    agency: Agency, owner: User, sign_in: Callable[[User], Client], name: str
) -> None:
    BaseMap.objects.create(
        agency=agency, name=name, url_template="https://t.example.org/{z}/{x}/{y}.png", attribution=name
    )
    page = sign_in(owner).get(reverse("forecasting:risk", args=[agency.slug])).content.decode()
    assert "t.example.org" in page
    assert name not in page
    tiles = leaflet_settings(RequestFactory().get("/"), agency)["TILES"]
    assert "<" not in str(tiles)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_name_with_markup_is_shown_as_text_on_every_map(
    agency: Agency, signed_in_page: Callable[..., Page]
) -> None:
    Beat.objects.filter(agency=agency, code="11").update(code=MARKUP)
    ContextLayer.objects.create(
        agency=agency, slug="bars", name=MARKUP,
        geojson={"type": "FeatureCollection", "features": [
            {"type": "Feature", "properties": {"name": MARKUP},
             "geometry": {"type": "Point", "coordinates": list(degrees(2000, 2000))}}]},
    )  # fmt: skip
    page = signed_in_page(make_member(agency, "admin"))
    beat = Beat.objects.get(agency=agency, code="12")
    page.goto(reverse("admin:agencies_beat_change", args=[beat.pk]))
    label = page.locator(".area-label", has_text=MARKUP)
    label.wait_for(state="attached")
    assert page.locator(".area-label u").count() == 0

    page.goto(reverse("forecasting:risk", args=[agency.slug]))
    page.locator(".leaflet-control-layers").hover()
    page.locator(".leaflet-control-layers label", has_text=MARKUP).click()
    page.wait_for_timeout(500)
    box = page.locator(".leaflet-container").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2 - 3, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=3)
    tooltip = page.locator(".leaflet-tooltip", has_text=f"{MARKUP}: {MARKUP}")
    tooltip.wait_for()
    assert tooltip.locator("u").count() == 0
