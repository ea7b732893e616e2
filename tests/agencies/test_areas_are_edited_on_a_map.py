"""In a real browser: an area keeps its holes and parts through editing, and the page's policy is not broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from agencies.models import Agency, Beat, User
from tests.factories import rectangle

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def ring(*corners: float) -> list[list[float]]:
    """A closed rectangle, in metres from the agency's corner."""
    coordinates: list[list[float]] = rectangle(*corners)["coordinates"][0]
    return coordinates


@pytest.fixture
def beat_with_hole(agency: Agency) -> Beat:
    """Two parts, the first with a hole."""
    beat = Beat.objects.filter(agency=agency).first()
    assert beat is not None
    beat.geometry = {
        "type": "MultiPolygon",
        "coordinates": [
            [ring(0, 0, 1500, 1500), ring(500, 500, 900, 900)[::-1]],
            [ring(1700, 1700, 1900, 1900)],
        ],
    }
    beat.full_clean()
    beat.save()
    return beat


def drag_first_corner(page: Page, dx: int = 25, dy: int = 18) -> None:
    page.locator(".leaflet-draw-edit-edit").click()
    corner = page.locator(".leaflet-editing-icon:not([style*='opacity'])").first
    box = corner.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + dx, box["y"] + dy, steps=5)
    page.mouse.up()


def open_map(page: Page, beat: Beat) -> None:
    page.goto(reverse("admin:agencies_beat_change", args=[beat.pk]))
    page.wait_for_selector(".leaflet-draw-edit-edit")
    page.wait_for_selector(".area-label", state="attached")  # the neighbours are there


def rings_of(geometry: Any) -> list[int]:
    return [len(part) for part in geometry["coordinates"]]


def test_dragging_a_corner_keeps_the_hole_and_the_other_part(
    signed_in_page: Callable[..., Page], owner: User, beat_with_hole: Beat
) -> None:
    page = signed_in_page(owner)
    open_map(page, beat_with_hole)
    before = beat_with_hole.geometry["coordinates"]
    drag_first_corner(page)
    page.locator(".leaflet-draw-actions a:has-text('Save')").first.click()
    page.locator("input[name=_save]").click()
    page.wait_for_url("**/admin/agencies/beat/")
    beat_with_hole.refresh_from_db()
    after = beat_with_hole.geometry["coordinates"]
    assert rings_of(beat_with_hole.geometry) == [2, 1]
    moved = [a for a, b in zip(before[0][0], after[0][0], strict=True) if a != pytest.approx(b, abs=1e-6)]
    assert moved, "the corner was not moved at all"
    assert sorted(map(tuple, after[0][1])) == [
        pytest.approx(corner, abs=1e-6) for corner in sorted(map(tuple, before[0][1]))
    ]


def test_an_edit_is_taken_over_without_the_toolbars_own_save(
    signed_in_page: Callable[..., Page], owner: User, beat_with_hole: Beat
) -> None:
    page = signed_in_page(owner)
    open_map(page, beat_with_hole)
    before = beat_with_hole.geometry
    drag_first_corner(page)
    page.locator("input[name=_save]").click()
    page.wait_for_url("**/admin/agencies/beat/")
    beat_with_hole.refresh_from_db()
    assert beat_with_hole.geometry != before
    assert rings_of(beat_with_hole.geometry) == [2, 1]


def test_corners_of_a_hole_have_handles(
    signed_in_page: Callable[..., Page], owner: User, beat_with_hole: Beat
) -> None:
    page = signed_in_page(owner)
    open_map(page, beat_with_hole)
    page.locator(".leaflet-draw-edit-edit").click()
    # Two parts and a hole, four corners each; half-way handles are the faint ones.
    assert page.locator(".leaflet-editing-icon:not([style*='opacity'])").count() == 12


def test_saving_untouched_changes_nothing(
    signed_in_page: Callable[..., Page], owner: User, beat_with_hole: Beat
) -> None:
    page = signed_in_page(owner)
    open_map(page, beat_with_hole)
    page.locator("input[name=_save]").click()
    page.wait_for_url("**/admin/agencies/beat/")
    stored = Beat.objects.get(pk=beat_with_hole.pk)
    assert stored.geometry == beat_with_hole.geometry


@pytest.mark.parametrize(
    "address", ["index", "agencies_agency_change", "agencies_crimetype_add", "agencies_shift_add"]
)
def test_pages_keep_the_policy(
    signed_in_page: Callable[..., Page], owner: User, agency: Agency, address: str
) -> None:
    """The fixture fails the test for a script error or a blocked script or style."""
    page = signed_in_page(owner)
    page.goto(reverse(f"admin:{address}", args=[agency.pk] if address.endswith("change") else []))
    page.wait_for_load_state("networkidle")


def test_a_file_of_beats_is_uploaded_looked_at_and_saved(
    signed_in_page: Callable[..., Page], owner: User, agency: Agency, tmp_path: Any
) -> None:
    path = tmp_path / "beats.geojson"
    path.write_text(feature_collection({"BEAT_NUM": "77", "DIST": "S"}, rectangle(100, 100, 900, 900)))
    page = signed_in_page(owner)
    page.goto(reverse("admin:agencies_beat_changelist"))
    page.get_by_role("link", name="Upload beats").click()
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Read the file").click()
    page.wait_for_selector("[data-drawn='1']")
    assert page.locator("select[name=code]").input_value() == "BEAT_NUM"
    assert page.locator("select[name=district]").input_value() == "DIST"
    page.get_by_role("button", name="Save 1 beat").click()
    page.wait_for_url("**/admin/agencies/beat/")
    assert Beat.objects.get(agency=agency, code="77").district.code == "S"


def feature_collection(properties: dict[str, str], geometry: dict[str, Any]) -> str:
    feature = {"type": "Feature", "properties": properties, "geometry": geometry}
    return json.dumps({"type": "FeatureCollection", "features": [feature]})
