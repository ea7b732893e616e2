"""Hours a week by district: a panel each, thirty at most; with more the page and the drawing say how many are shown."""

from __future__ import annotations

import pytest

from tactics.reports.coverage import _district_panels
from tactics.reports.coverage_chart import DISTRICT_PANELS, districts_svg
from tactics.reports.shapes import Cell, Column, Table


def weeks(districts: int) -> Table:
    keys = ("district", "week_from", "recommended_minutes", "delivered_minutes", "passing_minutes", "share_delivered")  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (f"D{number:02d}", monday, 120.0, 60.0, 0.0, 0.5)
        for number in range(districts)
        for monday in ("2026-03-02", "2026-03-09")
    ]
    return Table("district-weeks", "By district and week", tuple(Column(key, key) for key in keys), rows)


@pytest.mark.parametrize("more", [0, 2])
def test_a_chart_that_leaves_districts_out_says_so(more: int) -> None:
    chart = _district_panels(DISTRICT_PANELS + more)
    drawn = (districts_svg(weeks(DISTRICT_PANELS + more)) or b"").decode()
    assert drawn.count("<!-- District D") == DISTRICT_PANELS
    assert ("the first 30 of 32" in chart.title) == bool(more)
    assert ("the first 30 of 32" in chart.alt) == bool(more)
    assert ("<!-- The first 30 of 32 districts by code -->" in drawn) == bool(more)
