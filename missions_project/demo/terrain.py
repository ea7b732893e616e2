"""The ground under Riverton: smooth noise, the bend of the street grid, the river and the lake.

All coordinates are metres in UTM zone 15 north (EPSG:32615). The city lies on farmland in northern
Missouri, close to the zone's central meridian, so that its grid looks upright on a web map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from scipy.ndimage import gaussian_filter, map_coordinates
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

Floats = npt.NDArray[np.float64]

EPSG = 32615
CENTRE_X_M = 508_500.0
CENTRE_Y_M = 4_383_300.0
HALF_WIDTH_M = 12_000.0
NOISE_STEP_M = 100.0


@dataclass(frozen=True)
class SmoothField:
    """A wavy surface over the city with mean 0 and standard deviation 1; callable at any points."""

    values: Floats

    def __call__(self, x_m: npt.ArrayLike, y_m: npt.ArrayLike) -> Floats:
        """Return the field at the points, linearly interpolated; beyond the edge the edge's value."""
        columns = (np.asarray(x_m, dtype=np.float64) - CENTRE_X_M + HALF_WIDTH_M) / NOISE_STEP_M
        rows = (np.asarray(y_m, dtype=np.float64) - CENTRE_Y_M + HALF_WIDTH_M) / NOISE_STEP_M
        sampled: Floats = map_coordinates(self.values, [rows, columns], order=1, mode="nearest")
        return sampled


def smooth_field(rng: np.random.Generator, length_m: float) -> SmoothField:
    """Draw a Gaussian random surface whose bumps are about `length_m` wide."""
    size = int(2 * HALF_WIDTH_M / NOISE_STEP_M) + 1
    raw = gaussian_filter(rng.standard_normal((size, size)), length_m / NOISE_STEP_M, mode="wrap")
    return SmoothField((raw - raw.mean()) / raw.std())


@dataclass(frozen=True)
class GridBend:
    """Bends the surveyor's straight (u, v) grid into streets that turn with the river and wander a little.

    The centre is twisted like the oldest part of a river town; two wavy displacements do the rest.
    Their slopes stay below 1, so that no two streets of the same family ever cross.
    """

    dx: SmoothField
    dy: SmoothField
    fine_dx: SmoothField
    fine_dy: SmoothField
    twist_radians: float = -0.27
    twist_radius_m: float = 3_600.0

    def __call__(self, u_m: npt.ArrayLike, v_m: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return the place in UTM metres of grid coordinates measured from the centre."""
        u, v = np.broadcast_arrays(np.asarray(u_m, dtype=np.float64), np.asarray(v_m, dtype=np.float64))
        angle = self.twist_radians * np.exp(-(u**2 + v**2) / self.twist_radius_m**2)
        x = u * np.cos(angle) - v * np.sin(angle) + CENTRE_X_M
        y = u * np.sin(angle) + v * np.cos(angle) + CENTRE_Y_M
        # The wander fades downtown: old cores are surveyed tightly, suburbs follow creeks and ridges.
        outer = 1.0 - 0.75 * np.exp(-(u**2 + v**2) / 2_500.0**2)
        return (
            x + outer * (150.0 * self.dx(x, y) + 22.0 * self.fine_dx(x, y)),
            y + outer * (150.0 * self.dy(x, y) + 22.0 * self.fine_dy(x, y)),
        )


def grid_bend(rng: np.random.Generator) -> GridBend:
    """Draw the bend of the street grid."""
    return GridBend(
        dx=smooth_field(rng, 1_500.0),
        dy=smooth_field(rng, 1_500.0),
        fine_dx=smooth_field(rng, 450.0),
        fine_dy=smooth_field(rng, 450.0),
    )


@dataclass(frozen=True)
class Water:
    """The river with its island, the line that beats use as their border in it, and the lake in the north-east."""

    midline: LineString
    river: BaseGeometry
    island: Polygon
    lake: Polygon


def water(rng: np.random.Generator) -> Water:
    """Draw the river through the city, an island in it and a lake shore at the north-eastern edge."""
    s = np.arange(-12_000.0, 12_000.1, 60.0)
    phase = rng.uniform(-0.4, 0.4, size=3)
    meander = (
        620.0 * (np.sin(2 * np.pi * s / 7_400.0 + phase[0]) - np.sin(phase[0]))
        + 260.0 * (np.sin(2 * np.pi * s / 3_100.0 + 1.0 + phase[1]) - np.sin(1.0 + phase[1]))
        + 70.0 * np.sin(2 * np.pi * s / 1_250.0 + phase[2])
    )
    x = CENTRE_X_M + s
    y = CENTRE_Y_M + 1_050.0 - 0.30 * s + meander
    midline = LineString(np.column_stack([x, y]))
    half_width = 85.0 + 30.0 * np.sin(2 * np.pi * s / 5_300.0 + 0.7) + 0.0035 * (s + 12_000.0)
    river: BaseGeometry = shapely.union_all(shapely.buffer(shapely.points(x, y), half_width, quad_segs=6))
    river = river.buffer(30.0).buffer(-30.0)

    # The island lies north of the midline: a beat border through it would cut a park in two.
    at = int(np.argmin(np.abs(s + 3_300.0)))
    slope = np.arctan2(y[at + 6] - y[at - 6], x[at + 6] - x[at - 6])
    centre = Point(x[at] - 240.0 * np.sin(slope), y[at] + 240.0 * np.cos(slope))
    island = _blob(rng, centre, along_m=520.0, across_m=135.0, angle=slope, roughness=0.10)
    river = river.union(island.buffer(120.0)).buffer(60.0).buffer(-60.0).difference(island)

    lake_centre = Point(CENTRE_X_M + 7_700.0, CENTRE_Y_M + 6_300.0)
    lake = _blob(rng, lake_centre, along_m=5_600.0, across_m=3_000.0, angle=-0.85, roughness=0.10)
    return Water(midline=midline, river=river.simplify(4.0), island=island, lake=lake)


def _blob(
    rng: np.random.Generator,
    centre: Point,
    *,
    along_m: float,
    across_m: float,
    angle: float,
    roughness: float,
) -> Polygon:
    """Return an ellipse with a shore-like outline (roughness: relative size of its bays)."""
    t = np.linspace(0.0, 2 * np.pi, 240, endpoint=False)
    radius = np.ones_like(t)
    for k in range(2, 34):
        radius += roughness * 1.6 / k * np.cos(k * t + rng.uniform(0, 2 * np.pi)) * rng.uniform(0.4, 1.0)
    a, b = along_m * radius * np.cos(t), across_m * radius * np.sin(t)
    points = np.column_stack(
        [
            centre.x + a * np.cos(angle) - b * np.sin(angle),
            centre.y + a * np.sin(angle) + b * np.cos(angle),
        ]
    )
    outline = Polygon(points).buffer(0)
    return outline if isinstance(outline, Polygon) else max(outline.geoms, key=lambda part: part.area)


def blob(rng: np.random.Generator, x_m: float, y_m: float, radius_m: float, **shape: Any) -> Polygon:
    """Return an irregular round area, for parks, coverage areas and the like."""
    return _blob(
        rng,
        Point(x_m, y_m),
        along_m=radius_m * shape.get("stretch", 1.0),
        across_m=radius_m,
        angle=shape.get("angle", 0.0),
        roughness=shape.get("roughness", 0.08),
    )
