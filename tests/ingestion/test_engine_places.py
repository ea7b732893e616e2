"""Places become longitude and latitude, or a code that says what is wrong with them."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from ingestion.engine.places import PLACE_CODES, Boundary, parse_places, place_precision_m

CITY = Boundary.from_bbox((-87.95, 41.64, -87.52, 42.03), tolerance_m=500)


@pytest.mark.parametrize(
    ("x", "y", "code"),
    [
        ("-87.6", "41.9", ""),
        ("", "", "missing_coordinates"),
        ("-87.6", "", "missing_coordinates"),
        ("west", "41.9", "bad_coordinates"),
        ("nan", "41.9", "bad_coordinates"),
        ("inf", "41.9", "bad_coordinates"),
        ("41,9", "-87,6", "bad_coordinates"),
        ("0", "0", "zero_coordinates"),
        ("0.0000000", "0.0", "zero_coordinates"),
        ("41.9", "-87.6", "swapped_coordinates"),
        ("-88.9", "41.9", "outside_boundary"),
        ("87.6", "41.9", "outside_boundary"),
        ("1176000", "1900000", "coordinates_out_of_range"),
        ("-87.6", "41.6380", ""),
        ("-87.6", "41.6300", "outside_boundary"),
    ],
)
def test_each_fault_of_a_place_has_its_code(x: str, y: str, code: str) -> None:
    places = parse_places([x], [y], boundary=CITY)
    assert PLACE_CODES[places.status[0]] == code
    assert np.isnan(places.lon[0]) == bool(code)


def test_without_a_boundary_only_impossible_places_are_seen() -> None:
    places = parse_places(["-87.6", "41.9", "-88.9", "500"], ["41.9", "-120.6", "41.9", "600"])
    codes = [PLACE_CODES[code] for code in places.status]
    assert codes == ["", "swapped_coordinates", "", "coordinates_out_of_range"]


def test_projected_coordinates_are_turned_into_degrees_and_swaps_seen() -> None:
    places = parse_places(["1176000", "1900000", "0"], ["1900000", "1176000", "0"], epsg=3435, boundary=CITY)
    assert [PLACE_CODES[code] for code in places.status] == ["", "swapped_coordinates", "zero_coordinates"]
    assert places.lon[0] == pytest.approx(-87.63, abs=0.02)
    assert places.lat[0] == pytest.approx(41.88, abs=0.02)


def test_places_are_rounded_to_a_centimetre_so_that_a_database_gives_them_back() -> None:
    places = parse_places(["-87.123456789"], ["41.987654321"], boundary=CITY)
    assert (places.lon[0], places.lat[0]) == (-87.1234568, 41.9876543) or PLACE_CODES[places.status[0]]


def test_the_boundary_keeps_what_lies_within_the_tolerance_outside_and_on_holes() -> None:
    ring = shapely.Polygon(
        [(-87.9, 41.7), (-87.6, 41.7), (-87.6, 42.0), (-87.9, 42.0)],
        [[(-87.8, 41.8), (-87.7, 41.8), (-87.7, 41.9), (-87.8, 41.9)]],
    )
    boundary = Boundary.from_geojson(shapely.geometry.mapping(ring), tolerance_m=500)
    lon = np.array([-87.75, -87.65, -87.597, -87.59, np.nan])
    lat = np.array([41.85, 41.85, 41.85, 41.85, 41.85])
    assert boundary.contains(lon, lat).tolist() == [False, True, True, False, False]


def test_a_boundary_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="polygon"):
        Boundary.from_geojson({"type": "Point", "coordinates": [0, 0]})


def test_no_places_give_no_places() -> None:
    assert len(parse_places([], [], boundary=CITY).lon) == 0


@given(
    st.lists(
        st.one_of(
            st.floats(-180, 180).map(repr),
            st.decimals(-180, 180, places=5).map(str),
            st.text(st.sampled_from("0123.+-eE \u0661"), max_size=30),
        ),
        min_size=70,
        max_size=80,
    )
)
def test_the_decimals_of_many_texts_are_those_of_each(texts: list[str]) -> None:
    many = place_precision_m(texts, texts)
    each = [int(place_precision_m([text], [text])[0]) for text in texts]
    assert many.tolist() == each
