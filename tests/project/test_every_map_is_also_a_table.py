"""Whoever sees no map reads its content in a table of the same page, or types the place that it asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

TEMPLATES = Path(settings.BASE_DIR) / "templates"
MAP, TABLE, ASKS = ("{% leaflet_map", "leaflet/admin/widget.html"), "data-map-table", "_typed_place.html"
ELSEWHERE = {
    "tactics/_card.html": "tactics/officer.html",
    "patrols/policy_preview.html": "patrols/_policy_figures.html",
    "admin/patrols/policy_change_form.html": "patrols/_policy_figures.html",
}
"""Maps whose table lies in another template of the same page."""


def maps() -> list[str]:
    return sorted(
        str(path.relative_to(TEMPLATES))
        for path in TEMPLATES.rglob("*.html")
        if any(sign in path.read_text(encoding="utf-8") for sign in MAP)
    )


def test_all_maps_are_found() -> None:
    found = maps()
    assert len(found) >= 10
    assert {"patrols/board.html", "forecasting/risk.html", "agencies/area_widget.html"} <= set(found)
    assert set(ELSEWHERE) <= set(found)


@pytest.mark.parametrize("name", maps())
def test_a_map_has_its_table(name: str) -> None:
    text = (TEMPLATES / ELSEWHERE.get(name, name)).read_text(encoding="utf-8")
    assert TABLE in text or ASKS in text, f"{name} shows a map: put its content into a table, marked {TABLE}"


@pytest.mark.parametrize("name", ["patrols/_draw_modes.html", "patrols/_drawer.html", "tactics/hunch.html"])
def test_a_map_that_asks_for_a_place_takes_it_in_writing_too(name: str) -> None:
    assert ASKS in (TEMPLATES / name).read_text(encoding="utf-8")
