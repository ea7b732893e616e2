"""People per cell from census areas: none is lost, none is invented, and nothing but their number is read."""

import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from forecasting.engine.census import people_column, people_per_cell
from forecasting.engine.grid import grid_build, utm_epsg
from forecasting.engine.places import NEAREST_M, layer_parts, parts_nearest
from ingestion.services.census import census_population
from missions_project.lib.errors import MissionsError
from tests.forecasting import bench_city as bench

WEST, SOUTH, SIDE = bench.WEST, bench.SOUTH, bench.SIDE
CHICAGO = Path(__file__).resolve().parents[3] / "shared" / "data" / "chicago"


def grid(cell_size_m: float = 200.0):  # type: ignore[no-untyped-def]  # one word for the tests below
    from forecasting.engine.grid import to_metres

    epsg = utm_epsg(WEST, SOUTH)
    square = shapely.box(WEST - 0.01, SOUTH - 0.01, WEST + SIDE + 0.01, SOUTH + SIDE + 0.01)
    return grid_build(to_metres(square, epsg), cell_size_m, epsg)


def halves() -> list[shapely.Geometry]:
    return [
        shapely.box(WEST, SOUTH, WEST + SIDE / 2, SOUTH + SIDE),
        shapely.box(WEST + SIDE / 2, SOUTH, WEST + SIDE, SOUTH + SIDE),
    ]


def file_of(folder: Path, *rows: dict[str, object]) -> Path:
    features = [
        {"type": "Feature", "properties": row, "geometry": json.loads(shapely.to_geojson(area))}
        for row, area in zip(rows, halves(), strict=True)
    ]
    path = folder / "areas.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.mark.parametrize("cell_size_m", [100.0, 250.0, 700.0])
def test_people_are_conserved_whatever_the_cell_size(cell_size_m: float) -> None:
    found = people_per_cell(grid(cell_size_m), halves(), [3_000.0, 500.0])
    assert found.sum() == pytest.approx(3_500.0, rel=1e-6)
    assert (found >= 0).all()


def test_people_live_in_their_own_area_and_evenly() -> None:
    spec = grid(100.0)
    found = people_per_cell(spec, halves(), [3_000.0, 500.0])
    full = np.sort(found[found > 0])
    assert np.median(full[full > full.max() / 2]) == pytest.approx(
        6 * np.median(full[full < full.max() / 2]), rel=0.05
    )
    assert people_column(spec, halves(), [3_000.0, 500.0]) == pytest.approx(np.log1p(found), abs=1e-5)
    assert not people_per_cell(spec, [], []).any()
    assert not people_per_cell(spec, [shapely.Point(WEST, SOUTH)], [9.0]).any()


def test_a_file_with_allowed_columns_gives_its_population_and_nothing_else(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        {"GEOID": "1", "population": 3_000, "housing_units": 900},
        {"GEOID": "2", "population": 500, "housing_units": 200},
    )
    for column in ("", "population"):
        found = census_population(path, column=column)
        assert [one["properties"] for one in found["features"]] == [
            {"population": 3_000.0},
            {"population": 500.0},
        ]


def test_a_file_with_refused_columns_is_refused_by_name_unless_the_population_alone_is_asked_for(
    tmp_path: Path,
) -> None:
    path = file_of(
        tmp_path,
        {"Pop2014": 3_000, "Blk14P": 72.0, "PerCInc14": 9},
        {"Pop2014": 500, "Blk14P": 2.0, "PerCInc14": 8},
    )
    with pytest.raises(MissionsError, match=r"Blk14P \(race_or_ethnicity\), PerCInc14 \(income\)"):
        census_population(path)
    for column in ("population", "Pop2014"):
        assert census_population(path, column=column)["features"][0]["properties"] == {"population": 3_000.0}
    for column, reason in (
        ("Blk14P", "not one of population"),
        ("PerCInc14", "income"),
        ("nothing", "has no column"),
    ):
        with pytest.raises(MissionsError, match=reason):
            census_population(path, column=column)


def test_what_counts_no_people_is_refused(tmp_path: Path) -> None:
    path = file_of(
        tmp_path, {"housing_units": 3, "vacancy_rate": 0.1}, {"housing_units": 4, "vacancy_rate": 0.2}
    )
    with pytest.raises(MissionsError, match="0 columns that count people"):
        census_population(path)
    with pytest.raises(MissionsError, match="not a count of people"):
        census_population(path, column="vacancy_rate")
    path = file_of(tmp_path, {"population": -1}, {"population": None})
    with pytest.raises(MissionsError, match="no area with a count"):
        census_population(path)
    with pytest.raises(MissionsError, match="There is no file"):
        census_population(tmp_path / "nowhere.geojson")
    (tmp_path / "broken.geojson").write_text("{")
    with pytest.raises(MissionsError, match="cannot be read"):
        census_population(tmp_path / "broken.geojson")


@pytest.mark.skipif(not CHICAGO.is_dir(), reason="the public data folder is not here")
def test_the_real_census_file_is_refused_whole_and_gives_two_million_seven_hundred_thousand_people() -> None:
    path = CHICAGO / "community_areas_acs2014.geojson"
    with pytest.raises(MissionsError, match=r"Wht14P.*Hisp14P.*NoHS14.*PerCInc14"):
        census_population(path)
    found = census_population(path, column="population")
    assert len(found["features"]) == 77
    assert sum(one["properties"]["population"] for one in found["features"]) == pytest.approx(2.7e6, rel=0.03)


def test_the_nearest_place_pulls_less_the_farther_away_it_is() -> None:
    spec = grid()
    points = {"type": "MultiPoint", "coordinates": [[WEST + 0.01, SOUTH + 0.01], [WEST + 0.02, SOUTH + 0.02]]}
    collection: dict[str, object] = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": {}, "geometry": points}],
    }
    parts = layer_parts(spec, collection)
    x, y = spec.centres()
    places = shapely.get_coordinates(parts)
    away = np.hypot(x[:, None] - places[:, 0], y[:, None] - places[:, 1]).min(axis=1)
    assert parts_nearest(spec, parts) == pytest.approx(np.exp(-away / NEAREST_M), abs=1e-6)
    assert not parts_nearest(spec, parts[:0]).any()
    inside = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": json.loads(shapely.to_geojson(halves()[0]))}],
    }
    near = parts_nearest(spec, layer_parts(spec, inside))
    assert near.max() == 1.0
    assert near.min() < 0.5
