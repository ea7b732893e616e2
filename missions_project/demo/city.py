"""Riverton's geography: where the city ends, its streets, beats, people and places of interest.

Nothing here depends on crime. The same seed gives the same city to the last coordinate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from shapely.geometry import LineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from missions_project.demo.areas import faces_between, group_faces, joined
from missions_project.demo.streets import GridPlan, Street, grid_plan, street_network
from missions_project.demo.terrain import (
    CENTRE_X_M,
    CENTRE_Y_M,
    EPSG,
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
PLACE_SPACING_M = 105.0

_TO_LONLAT = Transformer.from_crs(EPSG, 4326, always_xy=True)
_TO_METRES = Transformer.from_crs(4326, EPSG, always_xy=True)


def to_lonlat(x_m: npt.ArrayLike, y_m: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return longitude and latitude (WGS84) of points in the city's metres."""
    lon, lat = _TO_LONLAT.transform(np.asarray(x_m), np.asarray(y_m))
    return np.asarray(lon), np.asarray(lat)


def to_metres(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the city's metres of points in WGS84."""
    x_m, y_m = _TO_METRES.transform(np.asarray(lon), np.asarray(lat))
    return np.asarray(x_m), np.asarray(y_m)


@dataclass(frozen=True)
class Places:
    """The published locations: points about 100 m apart along every street, as portals round addresses to the block.

    x_m, y_m are computed back from the rounded lon, lat, so that a file's coordinates fall on them exactly.
    """

    x_m: Floats
    y_m: Floats
    lon: Floats
    lat: Floats
    on_main: npt.NDArray[np.bool_]
    street: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.x_m)


@dataclass(frozen=True)
class Area:
    """A beat, district or block group: its name, polygon and, for a beat, the district it lies in."""

    name: str
    shape: BaseGeometry
    parent: str = ""


@dataclass(frozen=True)
class Spot:
    """A named point of interest. kind: bar, rail, bus, school, vacant, stadium, arena, fairground."""

    name: str
    kind: str
    x_m: float
    y_m: float


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
    places = _places(network.streets, ground, closed, industry)
    hardship_field = smooth_field(streams[5], 1_900.0)
    residents = _residents(streams[5], places, industry)
    hardship = _hardship(places, hardship_field)

    main_lines = [plan.line(u=i) for i in plan.main_u] + [plan.line(v=j) for j in plan.main_v]
    beats, districts = _beats(main_lines, ground, boundary, places, residents, hardship)
    block_groups, block_group_of_place = _block_groups(plan, ground, boundary, places, residents)
    stops, lines = _transit(network.streets, places, plan, ground, boundary)
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
        bars=_bars(streams[6], places, residents),
        stops=stops,
        schools=_schools(streams[6], places, residents),
        vacant_parcels=_vacant_parcels(streams[6], places, residents, hardship),
        venues=_venues(places, parks),
        gunfire_coverage=_coverage(streams[7], boundary, places, residents, hardship),
    )


def _boundary(rng: np.random.Generator, plan: GridPlan, ground: Water) -> BaseGeometry:
    """Return the city limits: stepped by a century of annexations, cut by the lake, with an enclave left out."""
    noise = smooth_field(rng, 1_300.0)
    us, vs = list(range(0, len(plan.u_m), 3)), list(range(0, len(plan.v_m), 2))
    enclave = Point(CENTRE_X_M - 4_700.0, CENTRE_Y_M - 1_900.0).buffer(760.0)
    blocks = []
    for u0, u1 in zip(us[:-1], us[1:], strict=True):
        for v0, v1 in zip(vs[:-1], vs[1:], strict=True):
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


def _places(streets: list[Street], ground: Water, closed: BaseGeometry, industry: BaseGeometry) -> Places:
    xs, ys, mains, owners = [], [], [], []
    for index, street in enumerate(streets):
        if street.kind == "bridge":
            continue
        n = max(1, round(street.line.length / PLACE_SPACING_M))
        points = shapely.line_interpolate_point(street.line, (np.arange(n) + 0.5) / n, normalized=True)
        xs.append(shapely.get_x(points))
        ys.append(shapely.get_y(points))
        mains.append(np.full(n, street.kind != "local"))
        owners.append(np.full(n, index))
    x, y = np.concatenate(xs), np.concatenate(ys)
    nobody = shapely.union_all([ground.river, closed.buffer(-10.0)])
    shapely.prepare(nobody)
    shapely.prepare(industry)
    keep = ~shapely.contains_xy(nobody, x, y)
    # Yards have few addresses: every third place there is enough.
    keep &= ~shapely.contains_xy(industry, x, y) | (np.arange(len(x)) % 3 == 0)
    lon, lat = to_lonlat(x[keep], y[keep])
    lon, lat = np.round(lon, 5), np.round(lat, 5)
    x_m, y_m = to_metres(lon, lat)
    return Places(x_m, y_m, lon, lat, np.concatenate(mains)[keep], np.concatenate(owners)[keep])


def distance_from_centre_m(x_m: Floats, y_m: Floats) -> Floats:
    """Return the distance from the old court house."""
    return np.hypot(x_m - CENTRE_X_M, y_m - CENTRE_Y_M)


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
        district_areas.append(Area(names[d], districts[d]))
        mine = sorted((b for b in range(N_BEATS) if label[b] == d), key=lambda b: -beats[b].centroid.y)
        beat_areas += [Area(f"{number}{k}", beats[b], names[d]) for k, b in enumerate(mine, start=1)]
    return tuple(beat_areas), tuple(district_areas)


def _bank(faces: list[BaseGeometry] | list[Polygon], ground: Water) -> npt.NDArray[np.int64]:
    """Return 1 for areas north of the river, 0 for those south of it."""
    middle = shapely.get_coordinates(ground.midline)
    at = np.array([face.representative_point().coords[0] for face in faces])
    return (at[:, 1] > np.interp(at[:, 0], middle[:, 0], middle[:, 1])).astype(np.int64)


def _sums(faces: list[BaseGeometry] | list[Polygon], places: Places, values: Floats) -> Floats:
    face, point = shapely.STRtree(shapely.points(places.x_m, places.y_m)).query(faces, predicate="covers")
    return np.bincount(face, weights=values[point], minlength=len(faces))


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
    areas = tuple(Area(f"RV{1001 + k}", shape) for k, shape in enumerate(shapes))
    # Nearest, not within: rounding may put a place on a border street a metre outside the city.
    point, area = shapely.STRtree(shapes).query_nearest(
        shapely.points(places.x_m, places.y_m), all_matches=False
    )
    of_place = np.empty(len(places), dtype=np.int64)
    of_place[point] = area
    return areas, of_place


def _pick(
    rng: np.random.Generator, places: Places, weight: Floats, n: int, jitter_m: float
) -> tuple[Floats, Floats]:
    at = rng.choice(len(places), size=n, replace=False, p=weight / weight.sum())
    return (
        places.x_m[at] + rng.normal(0.0, jitter_m, n),
        places.y_m[at] + rng.normal(0.0, jitter_m, n),
    )


def _bars(rng: np.random.Generator, places: Places, residents: Floats) -> tuple[Spot, ...]:
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


def _schools(rng: np.random.Generator, places: Places, residents: Floats) -> tuple[Spot, ...]:
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


def _vacant_parcels(
    rng: np.random.Generator, places: Places, residents: Floats, hardship: Floats
) -> tuple[Spot, ...]:
    weight = (residents + 2.0) * np.exp(1.25 * hardship) * (~places.on_main + 0.4)
    at = rng.choice(len(places), size=1_900, p=weight / weight.sum())
    x, y = places.x_m[at] + rng.normal(0, 28.0, 1_900), places.y_m[at] + rng.normal(0, 28.0, 1_900)
    return tuple(
        Spot(f"Parcel {10_001 + k}", "vacant", float(a), float(b))
        for k, (a, b) in enumerate(zip(x, y, strict=True))
    )


def _venues(places: Places, parks: tuple[Area, ...]) -> tuple[Spot, ...]:
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


def _coverage(
    rng: np.random.Generator, boundary: BaseGeometry, places: Places, residents: Floats, hardship: Floats
) -> BaseGeometry:
    """Return the area with acoustic sensors: around the centre of gravity of hardship, as cities bought them."""
    weight = residents * np.exp(1.8 * hardship)
    x, y = float(np.average(places.x_m, weights=weight)), float(np.average(places.y_m, weights=weight))
    area = blob(rng, x, y, 3_300.0, stretch=1.25, angle=0.5, roughness=0.05).intersection(boundary)
    return max(area.geoms, key=lambda part: part.area) if isinstance(area, MultiPolygon) else area


def _transit(
    streets: list[Street], places: Places, plan: GridPlan, ground: Water, boundary: BaseGeometry
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
    for k in on_line:
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
