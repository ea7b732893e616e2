"""Riverton's geography: where the city ends, its streets, beats, people and places of interest.

Nothing here depends on crime. The same seed gives the same city to the last coordinate.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from scipy.optimize import linear_sum_assignment
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from missions_project.demo import sights
from missions_project.demo.areas import faces_between, group_faces, joined
from missions_project.demo.places import Area, Places, Spot, distance_from_centre_m, places_along
from missions_project.demo.streets import GridPlan, Street, grid_plan, street_network
from missions_project.demo.terrain import (
    CENTRE_X_M,
    CENTRE_Y_M,
    Floats,
    SmoothField,
    Water,
    blob,
    grid_bend,
    smooth_field,
    water,
)

N_BEATS, N_DISTRICTS, N_BLOCK_GROUPS = 22, 5, 180
POPULATION = 248_000


@dataclass(frozen=True)
class City:
    """Everything about Riverton that stands still."""

    seed: int
    boundary: BaseGeometry
    ground: Water
    parks: tuple[Area, ...]
    industry: BaseGeometry
    streets: tuple[Street, ...]
    intersections: tuple[tuple[str, Point], ...]
    transit_lines: tuple[tuple[str, LineString], ...]
    places: Places
    districts: tuple[Area, ...]
    beats: tuple[Area, ...]
    block_groups: tuple[Area, ...]
    block_group_of_place: npt.NDArray[np.int64]
    residents: Floats  # per place
    hardship: (
        Floats  # per place: long-run disinvestment, mean 0, sd 1; a fact about buildings, not about people
    )
    bars: tuple[Spot, ...]
    stops: tuple[Spot, ...]
    schools: tuple[Spot, ...]
    vacant_parcels: tuple[Spot, ...]
    venues: tuple[Spot, ...]
    gunfire_coverage: BaseGeometry


def build_city(seed: int) -> City:
    """Build Riverton's geography from a seed (about two seconds)."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence([seed, 1]).spawn(8)]
    ground = water(streams[0])
    plan = grid_plan(streams[1], grid_bend(streams[1]))
    boundary = _boundary(streams[2], plan, ground)
    parks = _parks(streams[3], plan, ground, boundary)
    industry = _industry(streams[3], ground, boundary)
    closed = shapely.union_all([*(park.shape for park in parks), ground.lake])
    network = street_network(streams[4], plan=plan, boundary=boundary, ground=ground, no_streets=closed)
    places = places_along(network.streets, ground, closed, industry)
    hardship_field = smooth_field(streams[5], 1_900.0)
    residents = _residents(streams[5], places, industry)
    hardship = _hardship(places, hardship_field)

    main_lines = [plan.line(u=i) for i in plan.main_u] + [plan.line(v=j) for j in plan.main_v]
    beats, districts = _beats(main_lines, ground, boundary, places, residents, hardship)
    block_groups, block_group_of_place = _block_groups(plan, ground, boundary, places, residents)
    stops, lines = sights.transit(network.streets, places, boundary)
    return City(
        seed=seed,
        boundary=boundary,
        ground=ground,
        parks=parks,
        industry=industry,
        streets=tuple(network.streets),
        intersections=tuple(network.intersections),
        transit_lines=lines,
        places=places,
        districts=districts,
        beats=beats,
        block_groups=block_groups,
        block_group_of_place=block_group_of_place,
        residents=residents,
        hardship=hardship,
        bars=sights.bars(streams[6], places, residents),
        stops=stops,
        schools=sights.schools(streams[6], places, residents),
        vacant_parcels=sights.vacant_parcels(streams[6], places, residents, hardship),
        venues=sights.venues(places, parks),
        gunfire_coverage=sights.gunfire_coverage(streams[7], boundary, places, residents, hardship),
    )


def _boundary(rng: np.random.Generator, plan: GridPlan, ground: Water) -> BaseGeometry:
    """Return the city limits: stepped by a century of annexations, cut by the lake, with an enclave left out."""
    noise = smooth_field(rng, 1_300.0)
    us, vs = list(range(0, len(plan.u_m), 3)), list(range(0, len(plan.v_m), 2))
    enclave = Point(CENTRE_X_M - 4_700.0, CENTRE_Y_M - 1_900.0).buffer(760.0)
    blocks = []
    for u0, u1 in pairwise(us):
        for v0, v1 in pairwise(vs):
            quad = plan.quad(u0, u1, v0, v1)
            x, y = quad.centroid.x, quad.centroid.y
            reach = ((x - CENTRE_X_M) / 8_350.0) ** 2 + ((y - CENTRE_Y_M) / 6_500.0) ** 2
            if reach < 1.0 + 0.17 * noise([x], [y])[0] and not enclave.contains(quad.centroid):
                blocks.append(quad)
    land = shapely.union_all(blocks).difference(ground.lake)
    largest = max(getattr(land, "geoms", [land]), key=lambda part: part.area)
    holes = [hole for hole in largest.interiors if Polygon(hole).area > 600_000.0]
    return Polygon(largest.exterior, holes)


def _parks(
    rng: np.random.Generator, plan: GridPlan, ground: Water, boundary: BaseGeometry
) -> tuple[Area, ...]:
    """Return the island, two large parks and a score of small ones that fill a block or four."""
    inside = boundary.buffer(-40.0)
    big = [
        ("Prospect Park", blob(rng, CENTRE_X_M - 2_300.0, CENTRE_Y_M - 650.0, 480.0, stretch=1.7, angle=0.2)),
        (
            "Bluff Forest",
            blob(rng, CENTRE_X_M + 3_100.0, CENTRE_Y_M - 4_700.0, 620.0, stretch=2.0, angle=0.5),
        ),
        ("Lakeshore Park", ground.lake.buffer(230.0).difference(ground.lake.buffer(15.0))),
    ]
    parks = [Area(name, shape.intersection(inside).difference(ground.river)) for name, shape in big]
    parks.append(Area("Heron Island", ground.island.intersection(boundary)))
    taken = shapely.union_all([park.shape for park in parks] + [ground.river]).buffer(250.0)
    names = "Lincoln Veterans Orchard Carver Sumner Riverview Founders Whitman Addams Eastside Hilltop Mercer".split()
    names += "Cornerstone Tower Creekside Garden Fountain Depot Beacon Northgate".split()
    for name in names:
        for _ in range(40):
            u0, v0 = int(rng.integers(2, len(plan.u_m) - 4)), int(rng.integers(2, len(plan.v_m) - 4))
            quad = plan.quad(u0, u0 + int(rng.integers(1, 3)), v0, v0 + int(rng.integers(1, 3))).buffer(-12.0)
            if inside.contains(quad) and not taken.intersects(quad):
                parks.append(Area(f"{name} Park", quad))
                taken = taken.union(quad.buffer(700.0))
                break
    return tuple(parks)


def _industry(rng: np.random.Generator, ground: Water, boundary: BaseGeometry) -> BaseGeometry:
    """Return the rail yards and mills along the river, where few people live."""
    yards = [blob(rng, CENTRE_X_M + 3_900.0, CENTRE_Y_M - 250.0, 620.0, stretch=2.3, angle=-0.4)]
    yards.append(blob(rng, CENTRE_X_M - 6_300.0, CENTRE_Y_M + 3_300.0, 480.0, stretch=1.9, angle=-0.3))
    return shapely.union_all(yards).intersection(boundary).difference(ground.river.buffer(20.0))


def _residents(rng: np.random.Generator, places: Places, industry: BaseGeometry) -> Floats:
    r_km = distance_from_centre_m(places.x_m, places.y_m) / 1_000.0
    density = np.exp(-r_km / 7.0) * (1.0 - 0.7 * np.exp(-((r_km / 0.9) ** 2)))
    density *= np.exp(
        0.35 * smooth_field(rng, 900.0)(places.x_m, places.y_m) + 0.25 * rng.standard_normal(len(places))
    )
    shapely.prepare(industry)
    density[shapely.contains_xy(industry, places.x_m, places.y_m)] *= 0.05
    return POPULATION * density / density.sum()


def _hardship(places: Places, field: SmoothField) -> Floats:
    r_km = distance_from_centre_m(places.x_m, places.y_m) / 1_000.0
    north_side = 1.1 * np.exp(
        -((places.x_m - CENTRE_X_M - 600.0) ** 2 + (places.y_m - CENTRE_Y_M - 2_900.0) ** 2)
        / (2 * 1_700.0**2)
    )
    raw = field(places.x_m, places.y_m) + 1.6 * north_side - 0.13 * r_km
    return (raw - raw.mean()) / raw.std()


def _beats(
    mains: list[LineString],
    ground: Water,
    boundary: BaseGeometry,
    places: Places,
    residents: Floats,
    hardship: Floats,
) -> tuple[tuple[Area, ...], tuple[Area, ...]]:
    """Return beats of like workload bounded by main roads and the river, and the districts made of them."""
    faces = faces_between([*mains, ground.midline], boundary)
    busy = 60.0 * np.exp(-((distance_from_centre_m(places.x_m, places.y_m) / 1_100.0) ** 2))
    demand = residents * np.exp(0.5 * hardship) + 6.0 + busy
    people = _sums(faces, places, demand)
    bank = _bank(faces, ground)
    area = np.array([face.area for face in faces])
    load = 0.62 * people / people.sum() + 0.38 * area / area.sum()
    beats = joined(faces, group_faces(faces, load=load, side=bank, groups=N_BEATS))
    beat_load = _sums(beats, places, demand)
    label = group_faces(beats, load=beat_load, side=_bank(beats, ground), groups=N_DISTRICTS)
    districts = joined(beats, label)
    names = _district_names(districts)
    order = sorted(range(N_DISTRICTS), key=lambda d: ("Central", *_COMPASS).index(names[d]))
    beat_areas, district_areas = [], []
    for number, d in enumerate(order, start=1):
        district_areas.append(Area(names[d], districts[d], str(number)))
        mine = sorted((b for b in range(N_BEATS) if label[b] == d), key=lambda b: -beats[b].centroid.y)
        beat_areas += [
            Area(f"Beat {number}{k}", beats[b], f"{number}{k}", str(number))
            for k, b in enumerate(mine, start=1)
        ]
    return tuple(beat_areas), tuple(district_areas)


def _bank(faces: list[BaseGeometry] | list[Polygon], ground: Water) -> npt.NDArray[np.int64]:
    """Return 1 for areas north of the river, 0 for those south of it."""
    middle = shapely.get_coordinates(ground.midline)
    at = np.array([face.representative_point().coords[0] for face in faces])
    return (at[:, 1] > np.interp(at[:, 0], middle[:, 0], middle[:, 1])).astype(np.int64)


def _sums(faces: list[BaseGeometry] | list[Polygon], places: Places, values: Floats) -> Floats:
    face, point = shapely.STRtree(shapely.points(places.x_m, places.y_m)).query(faces, predicate="covers")
    sums: Floats = np.bincount(face, weights=values[point], minlength=len(faces)).astype(np.float64)
    return sums


_COMPASS = ("North", "Northeast", "East", "Southeast", "South", "Southwest", "West", "Northwest")


def _district_names(districts: list[BaseGeometry]) -> list[str]:
    """Name the districts after the compass, each name once; one that lies around the court house is Central."""
    offset = np.array([[d.centroid.x - CENTRE_X_M, d.centroid.y - CENTRE_Y_M] for d in districts])
    bearing = np.arange(8) * np.pi / 4
    likeness = offset @ np.stack([np.sin(bearing), np.cos(bearing)])
    # Plain names first: a city says "East side" before it says "Northeast side".
    likeness[:, ::2] *= 1.25
    central = np.where(np.hypot(offset[:, 0], offset[:, 1]) < 1_900.0, 1e6, -1e6)
    rows, columns = linear_sum_assignment(np.column_stack([likeness, central]), maximize=True)
    names = [*_COMPASS, "Central"]
    return [names[c] for _, c in sorted(zip(rows, columns, strict=True))]


def _block_groups(
    plan: GridPlan, ground: Water, boundary: BaseGeometry, places: Places, residents: Floats
) -> tuple[tuple[Area, ...], npt.NDArray[np.int64]]:
    lines: list[BaseGeometry] = [ground.midline]
    lines += [plan.line(u=i) for i in sorted({*range(0, len(plan.u_m), 4), *plan.main_u})]
    lines += [plan.line(v=j) for j in sorted({*range(0, len(plan.v_m), 3), *plan.main_v})]
    faces = faces_between(lines, boundary)
    people = _sums(faces, places, residents)
    label = group_faces(faces, load=people, side=_bank(faces, ground), groups=N_BLOCK_GROUPS)
    shapes = joined(faces, label)
    areas = tuple(Area(f"Block group {k + 1}", shape, f"RV{1001 + k}") for k, shape in enumerate(shapes))
    # Nearest, not within: rounding may put a place on a border street a metre outside the city.
    point, area = shapely.STRtree(shapes).query_nearest(
        shapely.points(places.x_m, places.y_m), all_matches=False
    )
    of_place = np.empty(len(places), dtype=np.int64)
    of_place[point] = area
    return areas, of_place
