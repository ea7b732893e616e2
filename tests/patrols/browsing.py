"""What browser tests of the shift map share: opening it, looking at it, dragging by mouse and by finger."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import pytest

from patrols.models import Mission, MissionPlan
from tests.patrols.scenes import ON, Scene

DESK, PHONE = (1440, 900), (390, 844)
SIZES = pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])


def open_board(page: Any, scene: Scene, size: tuple[int, int], query: str = "") -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"/{scene.agency.slug}/shifts/{ON}/{scene.shift.slug}/{query}")
    page.wait_for_selector("path.leaflet-interactive")
    page.wait_for_selector("#notes .hand-over")


def picture(page: Any, name: str, **how: Any) -> None:
    if shots := os.environ.get("SCREENSHOTS"):
        page.wait_for_timeout(350)
        # Hiding the caret would take a style of its own, which the page's policy forbids.
        page.screenshot(path=str(Path(shots) / f"{name}.png"), caret="initial", **how)


def drag(page: Any, mission: Mission, to: str) -> None:
    """Take a mission by its grip and drop it on what the selector names."""
    grip = page.locator(f'[data-mission="{mission.pk}"] .mission__grip')
    grip.scroll_into_view_if_needed()
    start, goal = grip.bounding_box(), page.locator(to).first.bounding_box()
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(start["x"] + 30, start["y"] + 30, steps=3)
    page.mouse.move(goal["x"] + goal["width"] / 2, goal["y"] + goal["height"] / 2, steps=6)
    page.mouse.up()


def spot(page: Any, scene: Scene, cells: list[int]) -> tuple[int, dict[str, float]]:
    """One of these cells that can be clicked where the map lies now, and its place on #map."""
    page.wait_for_timeout(400)
    points = [centre(scene, cell) for cell in cells]
    found = page.evaluate(
        """(points) => {
            const map = window.MissionsBoard.map, box = map.getContainer().getBoundingClientRect();
            return points.map((at, i) => [i, map.latLngToContainerPoint(at)]).filter(([, p]) => {
                const top = document.elementFromPoint(box.left + p.x, box.top + p.y);
                return top && map.getContainer().contains(top) && !top.closest(".leaflet-control");
            }).map(([i, p]) => [i, p.x, p.y]);
        }""",
        points,
    )  # fmt: skip
    assert found, "no such cell is in sight"
    index, x, y = found[len(found) // 2]
    return cells[index], {"x": x, "y": y}


def free_cells(scene: Scene, plan: MissionPlan) -> list[int]:
    taken = set(Mission.objects.filter(plan=plan).values_list("cell_id", flat=True))
    return [int(cell) for cell in scene.spec.cells if int(cell) not in taken]


def centre(scene: Scene, cell_id: int) -> list[float]:
    lon, lat = scene.spec.centres_lonlat()
    at = int(scene.spec.index_of([cell_id])[0])
    return [float(lat[at]), float(lon[at])]


def pages_of(pdf: bytes) -> int:
    """Pages of a PDF that Chromium wrote: it does not pack page objects."""
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", io.BytesIO(pdf).read()))
