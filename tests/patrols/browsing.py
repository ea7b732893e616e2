"""What browser tests of the shift map share: opening it, looking at it, dragging by mouse and by finger."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import pytest

from forecasting.engine.grid import GridSpec
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


def until(page: Any, expression: str) -> None:
    """Wait until the expression holds: Playwright's own waiting would evaluate a string, which the page's policy forbids."""
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never came true: {expression}")


Place = tuple[float, float]


def middle(page: Any, selector: str) -> Place:
    """The middle of an element on the screen, scrolled into view."""
    found = page.locator(selector).first
    found.scroll_into_view_if_needed()
    # What is being loaded anew is gone for a moment.
    for _ in range(50):
        if box := found.bounding_box():
            break
        page.wait_for_timeout(50)
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def mouse_drag(page: Any, start: Place, goal: Place, *, shot: str = "") -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 20, start[1] + 20, steps=3)
    page.mouse.move(*goal, steps=6)
    if shot:
        picture(page, shot)
    page.mouse.up()


def finger_drag(page: Any, start: Place, goal: Place) -> None:
    """A finger as the browser itself makes one: it scrolls, and takes the gesture away, where the page lets it."""
    client = page.context.new_cdp_session(page)

    def touch(kind: str, *places: Place) -> None:
        points = [{"x": x, "y": y, "id": 1} for x, y in places]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    client.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    touch("touchStart", start)
    for step in range(1, 9):
        touch("touchMove", tuple(a + (b - a) * step / 8 for a, b in zip(start, goal, strict=True)))  # type: ignore[arg-type]
    touch("touchEnd")
    client.send("Emulation.setTouchEmulationEnabled", {"enabled": False})


def drag(page: Any, mission: Mission, to: str) -> None:
    """Take a mission by its grip and drop it on what the selector names, with the mouse; on a phone with a finger."""
    start = middle(page, f'[data-mission="{mission.pk}"] .mission__grip')
    goal = page.locator(to).first.bounding_box()
    place = goal["x"] + goal["width"] / 2, goal["y"] + goal["height"] / 2
    (finger_drag if page.viewport_size["width"] < 900 else mouse_drag)(page, start, place)


def box_on_screen(page: Any, mission: Mission) -> Place:
    """Where the mission's box lies on the screen; fails where something lies over it."""
    at = page.evaluate(
        """([lat, lon, id]) => {
            const map = window.MissionsBoard.map, box = map.getContainer().getBoundingClientRect();
            const p = map.latLngToContainerPoint([lat, lon]);
            return [box.left + p.x, box.top + p.y, window.MissionsBoard.boxAt(box.left + p.x, box.top + p.y) === id];
        }""",
        [*centre_of(mission), str(mission.pk)],
    )  # fmt: skip
    assert at[2], f"the box of mission {mission.number} is not in sight"
    return at[0], at[1]


def clear_box(page: Any, missions: Any) -> tuple[Mission, Place]:
    """The first of these missions whose box is in sight, and where."""
    for mission in missions:
        try:
            return mission, box_on_screen(page, mission)
        except AssertionError:
            continue
    raise AssertionError("no box is in sight")


def spot(page: Any, scene: Scene, cells: list[int]) -> tuple[int, dict[str, float]]:
    """One of these cells that can be clicked where the map lies now, and its place on #map.

    On a phone the map has to come into sight first; on a machine with much to do that takes longer than a moment.
    """
    points = [centre(scene, cell) for cell in cells]
    for _ in range(20):
        page.wait_for_timeout(400)
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
        if found:
            index, x, y = found[len(found) // 2]
            return cells[index], {"x": x, "y": y}
    raise AssertionError("no such cell is in sight")


def free_cells(scene: Scene, plan: MissionPlan) -> list[int]:
    taken = set(Mission.objects.filter(plan=plan).values_list("cell_id", flat=True))
    return [int(cell) for cell in scene.spec.cells if int(cell) not in taken]


def centre(scene: Scene, cell_id: int) -> list[float]:
    """Latitude and longitude of a cell's middle."""
    return _centre(scene.spec, cell_id)


def centre_of(mission: Mission) -> list[float]:
    assert mission.plan.grid is not None
    return _centre(GridSpec.from_bytes(bytes(mission.plan.grid.spec)), mission.cell_id)


def _centre(spec: GridSpec, cell_id: int) -> list[float]:
    lon, lat = spec.centres_lonlat()
    at = int(spec.index_of([cell_id])[0])
    return [float(lat[at]), float(lon[at])]


def pages_of(pdf: bytes) -> int:
    """Pages of a PDF that Chromium wrote: it does not pack page objects."""
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", io.BytesIO(pdf).read()))
