"""Riverton's bars, schools, vacant parcels, venues, transit and gunfire sensors: what shapes where crime happens."""

from __future__ import annotations

import numpy as np
import shapely
from scipy.spatial import cKDTree
from shapely.geometry import LineString, MultiPolygon
from shapely.geometry.base import BaseGeometry

from missions_project.demo.places import Area, Places, Spot, distance_from_centre_m
from missions_project.demo.streets import Street
from missions_project.demo.terrain import CENTRE_X_M, CENTRE_Y_M, Floats, blob


def _pick(
    rng: np.random.Generator, places: Places, weight: Floats, n: int, jitter_m: float
) -> tuple[Floats, Floats]:
    at = rng.choice(len(places), size=n, replace=False, p=weight / weight.sum())
    return (
        places.x_m[at] + rng.normal(0.0, jitter_m, n),
        places.y_m[at] + rng.normal(0.0, jitter_m, n),
    )


def bars(rng: np.random.Generator, places: Places, residents: Floats) -> tuple[Spot, ...]:
    strips = [(250.0, -150.0, 330.0, 12.0), (-1_500.0, 700.0, 260.0, 6.0), (2_100.0, -1_900.0, 260.0, 5.0)]
    strips += [(900.0, 3_000.0, 250.0, 4.0), (-3_600.0, -2_900.0, 240.0, 3.5), (4_700.0, 1_900.0, 240.0, 3.0)]
    weight = np.where(places.on_main, 0.10, 0.008) * np.exp(
        -distance_from_centre_m(places.x_m, places.y_m) / 5_000.0
    )
    for dx, dy, spread_m, height in strips:
        near = np.hypot(places.x_m - CENTRE_X_M - dx, places.y_m - CENTRE_Y_M - dy)
        weight += np.where(places.on_main, 1.0, 0.25) * height * 0.5 * np.exp(-(near**2) / (2 * spread_m**2))
    x, y = _pick(rng, places, weight, 190, 9.0)
    first = (
        "Blue Red Golden Rusty Lucky Broken Silver Old Quiet Crooked Iron Paper Velvet Copper Twin".split()
    )
    second = "Anchor Lantern Barrel Rooster Spur Heron Wheel Raven Penny Bridge Fiddle Oar Otter".split()
    names = [f"{a} {b}" for b in second for a in first]
    order = rng.permutation(len(names))[:190]
    return tuple(Spot(names[k], "bar", float(a), float(b)) for k, a, b in zip(order, x, y, strict=True))


def schools(rng: np.random.Generator, places: Places, residents: Floats) -> tuple[Spot, ...]:
    chosen: list[int] = []
    weight = residents / residents.sum()
    apart = np.full(len(places), np.inf)
    for _ in range(64):
        p = weight * (apart > 650.0)
        k = int(rng.choice(len(places), p=p / p.sum()))
        chosen.append(k)
        apart = np.minimum(apart, np.hypot(places.x_m - places.x_m[k], places.y_m - places.y_m[k]))
    kinds = [
        "High School" if n % 9 == 0 else "Middle School" if n % 4 == 1 else "Elementary" for n in range(64)
    ]
    return tuple(
        Spot(f"School {n + 1} ({kind})", "school", float(places.x_m[k]), float(places.y_m[k]))
        for n, (k, kind) in enumerate(zip(chosen, kinds, strict=True))
    )


def vacant_parcels(
    rng: np.random.Generator, places: Places, residents: Floats, hardship: Floats
) -> tuple[Spot, ...]:
    weight = (residents + 2.0) * np.exp(1.25 * hardship) * (~places.on_main + 0.4)
    at = rng.choice(len(places), size=1_900, p=weight / weight.sum())
    x, y = places.x_m[at] + rng.normal(0, 28.0, 1_900), places.y_m[at] + rng.normal(0, 28.0, 1_900)
    return tuple(
        Spot(f"Parcel {10_001 + k}", "vacant", float(a), float(b))
        for k, (a, b) in enumerate(zip(x, y, strict=True))
    )


def venues(places: Places, parks: tuple[Area, ...]) -> tuple[Spot, ...]:
    fairground = next(park for park in parks if park.name == "Prospect Park").shape.centroid
    wanted = [
        ("Riverton Ballpark", "stadium", CENTRE_X_M + 1_250.0, CENTRE_Y_M - 700.0),
        ("Court Square Arena", "arena", CENTRE_X_M - 350.0, CENTRE_Y_M - 500.0),
        ("Prospect Fairground", "fairground", fairground.x, fairground.y),
    ]
    _, nearest = cKDTree(np.column_stack([places.x_m, places.y_m])).query([(x, y) for _, _, x, y in wanted])
    return tuple(
        Spot(name, kind, float(places.x_m[k]), float(places.y_m[k]))
        for (name, kind, _, _), k in zip(wanted, nearest, strict=True)
    )


def gunfire_coverage(
    rng: np.random.Generator, boundary: BaseGeometry, places: Places, residents: Floats, hardship: Floats
) -> BaseGeometry:
    """Return the area with acoustic sensors: around the centre of gravity of hardship, as cities bought them."""
    weight = residents * np.exp(1.8 * hardship)
    x, y = float(np.average(places.x_m, weights=weight)), float(np.average(places.y_m, weights=weight))
    area = blob(rng, x, y, 3_300.0, stretch=1.25, angle=0.5, roughness=0.05).intersection(boundary)
    return max(area.geoms, key=lambda part: part.area) if isinstance(area, MultiPolygon) else area


def transit(
    streets: list[Street], places: Places, boundary: BaseGeometry
) -> tuple[tuple[Spot, ...], tuple[tuple[str, LineString], ...]]:
    """Return two rail lines with stations about 900 m apart, and bus stops about 380 m apart along main roads."""
    cx, cy = CENTRE_X_M, CENTRE_Y_M
    red = LineString([(cx - 7_400, cy - 3_100), (cx - 3_300, cy - 1_500), (cx - 300, cy - 350), (cx + 700, cy + 1_300),
                      (cx + 800, cy + 3_200), (cx + 200, cy + 5_600)])  # fmt: skip
    blue = LineString([(cx - 5_600, cy + 4_300), (cx - 2_400, cy + 2_600), (cx - 700, cy + 600), (cx - 300, cy - 350),
                       (cx + 2_200, cy - 1_800), (cx + 4_300, cy - 2_400), (cx + 6_900, cy - 2_900)])  # fmt: skip
    lines, stops = [], []
    for name, course in (("Red Line", red), ("Blue Line", blue)):
        inside = _rounded(course).intersection(boundary)
        rail = max(getattr(inside, "geoms", [inside]), key=lambda part: part.length)
        lines.append((name, rail))
        n = max(2, round(rail.length / 900.0))
        for k in range(n):
            at = rail.interpolate((k + 0.5) / n, normalized=True)
            stops.append(Spot(f"{name} station {k + 1}", "rail", at.x, at.y))
    on_line = np.flatnonzero(places.on_main)
    last: dict[int, tuple[float, float]] = {}
    count = 0
    for k in on_line.tolist():
        street = int(places.street[k])
        if streets[street].kind != "arterial":
            continue
        x, y = float(places.x_m[k]), float(places.y_m[k])
        if street not in last or np.hypot(x - last[street][0], y - last[street][1]) > 380.0:
            last[street] = (x, y)
            count += 1
            stops.append(Spot(f"Bus stop {count}", "bus", x, y))
    return tuple(stops), tuple(lines)


def _rounded(course: LineString) -> LineString:
    """Return the course with its corners cut three times (Chaikin 1974)."""
    points = shapely.get_coordinates(course)
    for _ in range(3):
        quarter = points[:-1] * 0.75 + points[1:] * 0.25
        three = points[:-1] * 0.25 + points[1:] * 0.75
        points = np.vstack([points[:1], np.stack([quarter, three], axis=1).reshape(-1, 2), points[-1:]])
    return LineString(points)
