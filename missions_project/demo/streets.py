"""Riverton's streets: a bent grid of named streets, two diagonal avenues, a river road and bridges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from missions_project.demo.terrain import CENTRE_X_M, CENTRE_Y_M, Floats, GridBend, Water

_WORDS = (
    "Elm Oak Maple Cedar Walnut Chestnut Locust Poplar Willow Sycamore Hickory Birch Magnolia Juniper Laurel "
    "Mulberry Hawthorn Linden Cypress Dogwood Spruce Aspen Alder Hazel Holly Ivy Clover Prairie Meadow Orchard "
    "Mill Ferry Harbor Market Canal Granite Slate Quarry Foundry Mason Cooper Potter Weaver Tanner Miller "
    "Carter Baker Chandler Sawyer Union Liberty Franklin Harrison Benton Lafayette Marion Clay Pike Ripley "
    "Osage Gasconade Meramec Platte Wabash Kaskaskia Cahokia Salem Hanover Dover Bristol Camden Essex Sussex"
).split()
_WEST_WORDS = (
    "Adams Monroe Jackson Tyler Polk Taylor Pierce Grant Hayes Garfield Cleveland Dakota Nebraska Kansas Ohio "
    "Michigan Iowa Tennessee Kentucky Vermont Delaware Carolina Virginia Georgia Alabama Texas Oregon Utah "
    "Nevada Montana Wyoming Colorado Arizona Idaho Olive Vine Pearl Ruby Opal Agate Garnet Amber Coral Jasper "
    "Crystal Flint Cobalt Copper Silver Nickel Zinc Quartz Beryl Topaz Onyx"
).split()


@dataclass(frozen=True)
class Street:
    """One unbroken stretch of a named street. kind: highway, arterial, avenue, local or bridge."""

    name: str
    kind: str
    line: LineString


@dataclass(frozen=True)
class GridPlan:
    """The surveyor's grid: line positions, where their crossings lie and which lines are main roads."""

    u_m: Floats
    v_m: Floats
    x_m: Floats  # [u, v]
    y_m: Floats
    main_u: tuple[int, ...]
    main_v: tuple[int, ...]
    u_names: tuple[str, ...]
    v_names: tuple[str, ...]

    def line(self, *, u: int | None = None, v: int | None = None) -> LineString:
        """Return one whole grid line, from edge to edge of the plan."""
        if u is not None:
            return LineString(np.column_stack([self.x_m[u], self.y_m[u]]))
        return LineString(np.column_stack([self.x_m[:, v], self.y_m[:, v]]))

    def quad(self, u0: int, u1: int, v0: int, v1: int) -> Polygon:
        """Return the blocks between two pairs of lines, with a vertex at every crossing on the way round."""
        ring = (
            [(u, v0) for u in range(u0, u1)]
            + [(u1, v) for v in range(v0, v1)]
            + [(u, v1) for u in range(u1, u0, -1)]
            + [(u0, v) for v in range(v1, v0, -1)]
        )
        at = np.array(ring)
        return Polygon(np.column_stack([self.x_m[at[:, 0], at[:, 1]], self.y_m[at[:, 0], at[:, 1]]]))


def _positions(rng: np.random.Generator, reach_m: float, core_m: float, growth_m: float) -> Floats:
    """Return line positions from -reach to +reach: tight in the centre, wider outwards, never regular."""
    sides = []
    for _ in range(2):
        at, side = 0.0, []
        while at < reach_m:
            at += (core_m + growth_m * (at / reach_m) ** 1.2) * rng.uniform(0.8, 1.25)
            side.append(at)
        sides.append(side)
    return np.array([-x for x in reversed(sides[0])] + [0.0] + sides[1])


def grid_plan(rng: np.random.Generator, bend: GridBend) -> GridPlan:
    """Survey the city: draw the grid's lines, pick the main roads among them and name them all."""
    u, v = _positions(rng, 9_600.0, 135.0, 190.0), _positions(rng, 7_700.0, 160.0, 200.0)
    x, y = bend(u[:, None], v[None, :])
    main_u = _mains(rng, u, 1_480.0)
    main_v = _mains(rng, v, 1_380.0)
    zero_u, zero_v = int(np.argmin(np.abs(u))), int(np.argmin(np.abs(v)))
    west = rng.permutation(_WEST_WORDS)
    words = rng.permutation(_WORDS[1:])
    u_names = [
        "Main St"
        if i == zero_u
        else f"{_ordinal(i - zero_u)} Ave"
        if i > zero_u
        else f"{west[zero_u - i - 1]} Ave"
        for i in range(len(u))
    ]
    v_names = ["Elm St" if i == zero_v + 2 else f"{words[i]} St" for i in range(len(v))]
    return GridPlan(u, v, x, y, main_u, main_v, tuple(u_names), tuple(v_names))


def _mains(rng: np.random.Generator, positions: Floats, every_m: float) -> tuple[int, ...]:
    wanted = np.arange(-12, 13) * every_m + rng.uniform(-140.0, 140.0, size=25)
    wanted = wanted[(wanted > positions[0]) & (wanted < positions[-1])]
    return tuple(sorted({int(np.argmin(np.abs(positions - w))) for w in wanted}))


def _ordinal(n: int) -> str:
    suffix = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


@dataclass
class StreetNetwork:
    """The streets as built, with every crossing of two named streets."""

    streets: list[Street] = field(default_factory=list)
    intersections: list[tuple[str, Point]] = field(default_factory=list)


def street_network(
    rng: np.random.Generator,
    *,
    plan: GridPlan,
    boundary: Polygon,
    ground: Water,
    no_streets: BaseGeometry,
) -> StreetNetwork:
    """Build the streets inside the boundary: locals stop at water and parks, main roads pass, some bridge the river."""
    city = boundary.buffer(1.0)
    segments: list[tuple[str, str, LineString]] = []
    for axis, names, mains in (("u", plan.u_names, plan.main_u), ("v", plan.v_names, plan.main_v)):
        for index, name in enumerate(names):
            main = index in mains
            bridges = main and (axis == "v" or mains.index(index) % 2 == 0)
            segments += _built(rng, plan, axis, index, name, main, bridges, city, ground, no_streets)
    for name, line in _diagonals(plan):
        inside = line.intersection(city)
        segments += [(name, "avenue", part) for part in _lines(inside.difference(ground.river))]
        segments += [(name, "bridge", part) for part in _lines(inside.intersection(ground.river))]
    for name, offset_m in (("River Rd", 240.0), ("Levee Rd", -240.0)):
        road = ground.midline.simplify(8.0).parallel_offset(
            abs(offset_m), "left" if offset_m > 0 else "right"
        )
        keep = road.intersection(city).difference(
            shapely.union_all([ground.river.buffer(12.0), ground.island])
        )
        segments += [(name, "avenue", part) for part in _lines(keep) if part.length > 300.0]
    return _joined(segments)


def _built(
    rng: np.random.Generator,
    plan: GridPlan,
    axis: str,
    index: int,
    name: str,
    main: bool,
    bridges: bool,
    city: BaseGeometry,
    ground: Water,
    no_streets: BaseGeometry,
) -> list[tuple[str, str, LineString]]:
    """Return the stretches of one grid line that were built."""
    x, y = (plan.x_m[index], plan.y_m[index]) if axis == "u" else (plan.x_m[:, index], plan.y_m[:, index])
    points = np.column_stack([x, y])
    pieces = shapely.linestrings(np.stack([points[:-1], points[1:]], axis=1))
    middle = (points[:-1] + points[1:]) / 2
    inside = shapely.contains_xy(city, middle[:, 0], middle[:, 1])
    wet = shapely.intersects(pieces, ground.river)
    blocked = shapely.intersects(pieces, no_streets)
    distance_m = np.hypot(middle[:, 0] - CENTRE_X_M, middle[:, 1] - CENTRE_Y_M)
    # Superblocks: a local street comes and goes in runs, more often so far out.
    stay_off, go_off = 0.62, 0.015 + 0.16 * np.clip(distance_m / 8_500.0, 0.0, 1.0) ** 1.5
    off, draws = False, rng.random(len(pieces))
    kinds: list[str] = []
    for i in range(len(pieces)):
        off = bool(draws[i] < (stay_off if off else go_off[i]))
        if not inside[i] or (off and not main) or (blocked[i] and not main) or (wet[i] and not bridges):
            kinds.append("")
        elif wet[i]:
            kinds.append("bridge")
        else:
            kinds.append("arterial" if main else "local")
    runs: list[tuple[str, str, LineString]] = []
    start = 0
    for i in range(1, len(kinds) + 1):
        if i == len(kinds) or kinds[i] != kinds[start]:
            if kinds[start]:
                runs.append((name, kinds[start], LineString(points[start : i + 1])))
            start = i
    return runs


def _diagonals(plan: GridPlan) -> Iterable[tuple[str, LineString]]:
    """Yield the two avenues that cut across the grid, older than the survey."""
    cx, cy = CENTRE_X_M, CENTRE_Y_M
    yield (
        "Grand Ave",
        LineString(
            [
                (cx - 8_800, cy + 5_200),
                (cx - 2_600, cy + 1_500),
                (cx + 350, cy - 120),
                (cx + 8_800, cy - 6_300),
            ]
        ),
    )
    yield (
        "Pioneer Ave",
        LineString(
            [
                (cx - 6_900, cy - 6_600),
                (cx - 2_000, cy - 1_750),
                (cx + 350, cy - 120),
                (cx + 6_400, cy + 4_700),
            ]
        ),
    )


def _lines(shape: BaseGeometry) -> list[LineString]:
    if shape.geom_type == "LineString":
        return [shape] if shape.length > 1.0 else []  # type: ignore[list-item]
    return [line for part in getattr(shape, "geoms", ()) for line in _lines(part)]


def _joined(segments: list[tuple[str, str, LineString]]) -> StreetNetwork:
    """Give every crossing of two streets a shared vertex and a name such as "Elm St & 4th Ave"."""
    lines = np.array([line for _, _, line in segments], dtype=object)
    extra: list[list[tuple[float, float]]] = [[] for _ in segments]
    named: dict[tuple[str, str, int, int], Point] = {}
    first, second = STRtree(lines).query(lines, predicate="intersects")
    for i, j in zip(first, second, strict=True):
        if i >= j or segments[i][0] == segments[j][0]:
            continue
        for point in _points(lines[i].intersection(lines[j])):
            at = (round(point.x, 2), round(point.y, 2))
            extra[i].append(at)
            extra[j].append(at)
            pair = sorted((segments[i][0], segments[j][0]), key=lambda name: (name.endswith("Ave"), name))
            # Two streets may cross twice; crossings less than 50 m apart are one place to an officer.
            named.setdefault((pair[0], pair[1], int(at[0] // 50), int(at[1] // 50)), Point(at))
    streets = [
        Street(name, kind, _with_vertices(line, extra[i])) for i, (name, kind, line) in enumerate(segments)
    ]
    crossings = [(f"{a} & {b}", point) for (a, b, _, _), point in sorted(named.items())]
    return StreetNetwork(streets, crossings)


def _points(shape: BaseGeometry) -> list[Point]:
    if shape.geom_type == "Point":
        return [shape]  # type: ignore[list-item]
    return [point for part in getattr(shape, "geoms", ()) for point in _points(part)]


def _with_vertices(line: LineString, extra: list[tuple[float, float]]) -> LineString:
    coordinates = np.round(shapely.get_coordinates(line), 2)
    if not extra:
        return LineString(coordinates)
    every = np.unique(np.vstack([coordinates, np.array(extra)]), axis=0)
    along = shapely.line_locate_point(line, shapely.points(every))
    ordered, along = every[np.argsort(along, kind="stable")], np.sort(along)
    # Vertices within 5 cm are the same crossing reached by two computations.
    keep = np.concatenate([[True], np.diff(along) > 0.05])
    return LineString(ordered[keep]) if keep.sum() > 1 else LineString(coordinates)
