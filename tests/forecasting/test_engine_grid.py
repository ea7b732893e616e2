"""The grid: one definition of a cell, stable and half-open."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.grid import GridSpec, grid_build, project, unproject, utm_epsg

BLOB = shapely.Point(5_130, 4_870).buffer(2_345)


def test_every_point_inside_a_square_lies_in_exactly_one_cell_and_borders_belong_to_the_next() -> None:
    grid = grid_build(shapely.box(0, 0, 1_000, 1_000), 250, 32616)
    assert len(grid) == 16
    assert grid.locate([0, 249.999, 250, 999.999], [0, 0, 0, 999.999]).tolist() == [0, 0, 1, 15]
    assert grid.locate([1_000, -0.001, np.nan, np.inf], [0, 0, 0, 0]).tolist() == [-1, -1, -1, -1]


@settings(max_examples=25, deadline=None)
@given(st.floats(100, 900), st.floats(-3, 3), st.integers(0, 2**32 - 1))
def test_centres_and_inner_points_are_located_in_their_own_cell(size: float, shift: float, seed: int) -> None:
    grid = grid_build(shapely.affinity.translate(BLOB, shift * 777, -shift * 555), size, 32616)
    assert (grid.locate(*grid.centres()) == np.arange(len(grid))).all()
    rng = np.random.default_rng(seed)
    x, y = grid.centres()
    dx, dy = rng.uniform(-0.499, 0.499, (2, len(grid))) * size
    assert (grid.locate(x + dx, y + dy) == np.arange(len(grid))).all()


def test_cells_are_kept_exactly_when_a_quarter_lies_inside() -> None:
    grid = grid_build(BLOB, 200, 32616)
    squares = shapely.box(*np.meshgrid(np.arange(grid.n_cols), np.arange(grid.n_rows)), 0, 0)
    assert squares.shape == (grid.n_rows, grid.n_cols)
    col, row = np.meshgrid(np.arange(grid.n_cols), np.arange(grid.n_rows))
    x, y = grid.x0_m + col.ravel() * 200.0, grid.y0_m + row.ravel() * 200.0
    inside = shapely.area(shapely.intersection(shapely.box(x, y, x + 200, y + 200), BLOB)) / 200**2
    kept = np.zeros(grid.n_rows * grid.n_cols, bool)
    kept[grid.cells] = True
    clear = abs(inside - 0.25) > 1e-9
    assert (kept == (inside >= 0.25))[clear].all()


def test_a_redrawn_boundary_leaves_the_squares_where_they_were() -> None:
    one, other = grid_build(BLOB, 200, 32616), grid_build(BLOB.buffer(63.7), 200, 32616)
    assert one.x0_m % 200 == other.x0_m % 200 == one.y0_m % 200 == 0
    corners = {(x, y) for x, y in zip(*one.centres(), strict=True)}
    assert corners <= {(x, y) for x, y in zip(*other.centres(), strict=True)}


def test_a_grid_survives_storage_and_its_fingerprint_tells_grids_apart() -> None:
    grid = grid_build(BLOB, 200, 32616)
    again = GridSpec.from_bytes(grid.to_bytes())
    assert again == grid
    assert again.hash == grid.hash
    assert (again.cells == grid.cells).all()
    assert grid_build(BLOB, 201, 32616).hash != grid.hash
    assert GridSpec(32617, grid.x0_m, grid.y0_m, 200, grid.n_rows, grid.n_cols, grid.cells).hash != grid.hash


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a stored grid"),
        (b"GIF89a" + bytes(100), "not a stored grid"),
        (grid_build(BLOB, 400, 32616).to_bytes()[:-5], "damaged|cut short"),
    ],
)
def test_bytes_that_are_no_grid_are_refused_with_a_reason(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GridSpec.from_bytes(data)


@pytest.mark.parametrize(
    ("boundary", "size", "message"),
    [
        (shapely.Polygon(), 250.0, "empty or not a valid polygon"),
        (shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), 250.0, "empty or not a valid polygon"),
        (BLOB, 0.0, "not a positive length"),
        (BLOB, float("nan"), "not a positive length"),
        (BLOB, 0.5, "larger cell size"),
        (shapely.box(0, 0, 10, 10), 250.0, "smaller cell size"),
    ],
)
def test_an_impossible_grid_names_what_is_wrong(
    boundary: shapely.Geometry, size: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        grid_build(boundary, size, 32616)


def test_projection_goes_there_and_back_and_metres_are_true() -> None:
    lon, lat = np.array([-87.9, -87.6, -87.5]), np.array([41.6, 41.9, 42.0])
    epsg = utm_epsg(-87.7, 41.8)
    back = unproject(*project(lon, lat, epsg), epsg)
    assert np.allclose(back, (lon, lat), atol=1e-9)
    x, y = project([-87.6, -87.6], [41.80, 41.81], epsg)
    assert abs(np.hypot(*np.diff([x, y]).ravel()) - 1_110.7) < 2
    with pytest.raises(ValueError, match="swapped"):
        utm_epsg(41.8, -187.6)


def test_ids_that_the_grid_does_not_keep_have_no_position() -> None:
    grid = grid_build(BLOB, 200, 32616)
    assert (grid.index_of(grid.cells) == np.arange(len(grid))).all()
    assert grid.index_of([-1, grid.n_rows * grid.n_cols, 0]).tolist() == [-1, -1, -1]


def test_the_outlines_of_a_few_cells_are_those_of_their_boxes() -> None:
    boundary = shapely.box(440_000, 4_630_000, 443_000, 4_632_000)
    grid = grid_build(boundary, 250, 32616)
    at = np.array([0, 7, len(grid) - 1])
    rings = grid.rings_lonlat(at)
    assert rings.shape == (3, 5, 2)
    for ring, box in zip(rings, grid.boxes()[at], strict=True):
        x_m, y_m = project(ring[:, 0], ring[:, 1], 32616)
        drawn = shapely.Polygon(np.column_stack([x_m, y_m]))
        assert shapely.symmetric_difference(drawn, box).area < 0.001 * box.area
        assert drawn.exterior.is_ccw
