"""Grids: the same area gives the same grid; a changed one leaves the old to its forecasts."""

from __future__ import annotations

import numpy as np
import pytest
from django.core.exceptions import ValidationError

from agencies.models import Agency, Beat
from forecasting.models import Grid
from forecasting.selectors import active_grid, cell_beats, grid_spec
from forecasting.services import grid_build
from missions_project.lib.errors import MissionsError
from tests.factories import rectangle
from tests.forecasting.scenes import Scene


def test_the_same_boundary_and_size_use_the_grid_again(agency: Agency) -> None:
    assert grid_build(agency=agency) == grid_build(agency=agency)
    assert Grid.objects.count() == 1


def test_another_cell_size_makes_a_new_active_grid_and_going_back_finds_the_old_one(agency: Agency) -> None:
    first = grid_build(agency=agency)
    agency.cell_size_m = 500
    second = grid_build(agency=agency)
    assert active_grid(agency) == second
    assert not Grid.objects.get(pk=first.pk).is_active
    agency.cell_size_m = 250
    assert grid_build(agency=agency) == first
    assert list(Grid.objects.filter(is_active=True)) == [first]


def test_a_grid_with_forecasts_cannot_be_changed(scene: Scene) -> None:
    grid = Grid.objects.get(pk=scene.grid.pk)
    grid.hash = "0" * 64
    with pytest.raises(ValidationError, match="frozen"):
        grid.save()


def test_an_agency_without_any_area_is_told_to_draw_one(agency: Agency) -> None:
    Agency.objects.filter(pk=agency.pk).update(boundary=None)
    agency.beat_set.all().delete()
    agency.district_set.all().delete()
    agency.refresh_from_db()
    with pytest.raises(MissionsError, match="draw the boundary"):
        grid_build(agency=agency)


def test_a_crs_in_degrees_is_refused(agency: Agency) -> None:
    agency.crs_epsg = 4326
    with pytest.raises(MissionsError, match="not projected in metres"):
        grid_build(agency=agency)


def test_a_cell_belongs_to_the_beat_that_holds_its_centre(agency: Agency) -> None:
    grid = grid_build(agency=agency)
    beats = cell_beats(grid)
    code = dict(Beat.objects.values_list("pk", "code"))
    spec = grid_spec(grid)
    x, y = spec.centres()
    west, north = x < np.median(x), y > np.median(y)
    far = (np.abs(x - np.median(x)) > 300) & (np.abs(y - np.median(y)) > 300)
    for position in np.flatnonzero(far):
        expected = f"{2 if north[position] else 1}{1 if west[position] else 2}"
        assert code[int(beats[position])] == expected


def test_cells_at_the_edge_go_to_the_nearest_beat_and_cells_far_away_to_none(agency: Agency) -> None:
    # Beats cover the southern half only; the row of cells beside it is within reach, the rest is not.
    Beat.objects.filter(code__in=["21", "22"]).delete()
    grid = grid_build(agency=agency)
    spec, beats = grid_spec(grid), cell_beats(grid)
    row = spec.rows
    last_inside = row[beats >= 0].max()
    assert (beats[row == row.max()] == -1).all()
    assert (beats[row <= last_inside - 2] >= 0).all()


def test_beats_of_cells_follow_a_redrawn_beat_and_cost_one_query(
    agency: Agency, django_assert_num_queries: object
) -> None:
    grid = grid_build(agency=agency)
    before = cell_beats(grid)
    with django_assert_num_queries(1):  # type: ignore[operator]  # pytest-django's fixture is untyped here
        assert cell_beats(grid) is before
    Beat.objects.filter(code="11").update(geometry=rectangle(0, 0, 500, 500))
    assert (cell_beats(grid) != before).any()
