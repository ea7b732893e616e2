"""Riverton on the map: beats tile the city, streets have names, the same seed gives the same city."""

import json

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

from missions_project.demo.city import N_BEATS, N_DISTRICTS, City, build_city
from missions_project.demo.layers import city_layers


@pytest.fixture(scope="module")
def city() -> City:
    return build_city(2026)


@pytest.fixture(scope="module")
def layers(city: City) -> dict[str, list[dict]]:
    return city_layers(city, np.random.default_rng(1))


def test_the_city_is_about_15_by_12_km_with_a_river_through_it(city: City) -> None:
    west, south, east, north = city.boundary.bounds
    assert 13_000 < east - west < 18_000
    assert 10_500 < north - south < 15_000
    assert 150e6 < city.boundary.area < 190e6
    assert len(city.boundary.difference(city.ground.river).geoms) >= 2


@pytest.mark.parametrize("seed", [3, 11])
def test_beats_tile_the_city_without_gap_or_overlap_whatever_the_seed(seed: int) -> None:
    made = build_city(seed)
    for areas, wanted in ((made.beats, N_BEATS), (made.districts, N_DISTRICTS), (made.block_groups, 180)):
        shapes = [area.shape for area in areas]
        assert len(shapes) == wanted
        whole = shapely.union_all(shapes)
        assert whole.symmetric_difference(made.boundary).area < 2_000.0  # of 160 square kilometres
        assert sum(s.area for s in shapes) - whole.area < 1.0
        assert all(s.is_valid and s.geom_type == "Polygon" for s in shapes)


def test_beats_still_tile_after_rounding_to_geojson(layers: dict[str, list[dict]]) -> None:
    beats = [shape(f["geometry"]) for f in layers["beats"]]
    whole = shapely.union_all(beats)
    assert all(beat.is_valid for beat in beats)
    assert sum(beat.area for beat in beats) - whole.area < 1e-9 * whole.area
    assert whole.symmetric_difference(shape(layers["boundary"][0]["geometry"])).area < 2e-5 * whole.area


def test_each_beat_lies_in_the_one_district_that_it_names(city: City) -> None:
    districts = {d.code: d.shape for d in city.districts}
    for beat in city.beats:
        inside = beat.shape.intersection(districts[beat.parent]).area
        assert inside > 0.9999 * beat.shape.area
        assert beat.code.startswith(beat.parent)
    assert len({b.code for b in city.beats}) == N_BEATS


def test_crossings_are_named_after_two_streets_that_meet_there(layers: dict[str, list[dict]]) -> None:
    streets: dict[str, list] = {}
    for feature in layers["streets"]:
        streets.setdefault(feature["properties"]["name"], []).append(shape(feature["geometry"]))
    crossings = layers["intersections"]
    assert len(crossings) > 2_500
    for feature in crossings[:: len(crossings) // 60]:
        point = shape(feature["geometry"])
        for name in feature["properties"]["name"].split(" & "):
            assert min(line.distance(point) for line in streets[name]) < 2e-6


def test_nobody_lives_and_nothing_is_reported_on_the_river(city: City) -> None:
    dry = city.ground.river.buffer(-3.0)
    shapely.prepare(dry)
    assert not shapely.contains_xy(dry, city.places.x_m, city.places.y_m).any()


def test_the_census_holds_only_what_the_policy_allows(layers: dict[str, list[dict]]) -> None:
    allowed = {"geoid", "population", "households", "housing_units", "vacant_units", "median_age"}
    assert all(set(f["properties"]) == allowed for f in layers["block_groups"])
    assert 235_000 < sum(f["properties"]["population"] for f in layers["block_groups"]) < 260_000


def test_the_same_seed_gives_the_same_map_and_another_seed_another(layers: dict[str, list[dict]]) -> None:
    again = city_layers(build_city(2026), np.random.default_rng(1))
    assert json.dumps(again) == json.dumps(layers)
    assert json.dumps(city_layers(build_city(5), np.random.default_rng(1))["beats"]) != json.dumps(
        layers["beats"]
    )
