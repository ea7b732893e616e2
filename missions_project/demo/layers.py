"""Riverton's map layers as GeoJSON in WGS84, and its census table by block group."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from missions_project.demo.city import City
from missions_project.demo.places import Area, Spot, to_lonlat

Feature = dict[str, Any]


def _lonlat(shape: BaseGeometry, decimals: int) -> BaseGeometry:
    def move(points: Any) -> Any:
        lon, lat = to_lonlat(points[:, 0], points[:, 1])
        return np.round(np.column_stack([lon, lat]), decimals)

    return shapely.transform(shape, move)


def _feature(shape: BaseGeometry, decimals: int = 6, **properties: Any) -> Feature:
    geometry = shapely.geometry.mapping(_lonlat(shape, decimals))
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _areas(areas: tuple[Area, ...], **names: str) -> list[Feature]:
    # 7 decimals are a centimetre: neighbours share their vertices before and after rounding.
    return [
        _feature(a.shape, 7, **{key: getattr(a, attribute) for key, attribute in names.items()})
        for a in areas
    ]


def _spots(spots: tuple[Spot, ...], **extra: Any) -> list[Feature]:
    lon, lat = to_lonlat([s.x_m for s in spots], [s.y_m for s in spots])
    return [
        {
            "type": "Feature",
            "properties": {"name": s.name, "kind": s.kind, **extra},
            "geometry": {"type": "Point", "coordinates": [round(float(x), 6), round(float(y), 6)]},
        }
        for s, x, y in zip(spots, lon, lat, strict=True)
    ]


def city_layers(city: City, rng: np.random.Generator) -> dict[str, list[Feature]]:
    """Return every layer by file name (without ending): boundary, beats, streets and the rest."""
    near = city.boundary.buffer(1_500.0)
    return {
        "boundary": [_feature(city.boundary, 7, name="Riverton")],
        "districts": _areas(city.districts, code="code", name="name"),
        "beats": _areas(city.beats, code="code", name="name", district="parent"),
        "block_groups": block_groups(city, rng),
        "gunfire_coverage": [_feature(city.gunfire_coverage, 6, name="Acoustic sensor coverage")],
        "streets": [_feature(s.line, name=s.name, kind=s.kind) for s in city.streets],
        "intersections": [_feature(point, name=name) for name, point in city.intersections],
        "river": [
            _feature(city.ground.river.intersection(near), name="Osier River", kind="river"),
            _feature(city.ground.lake.intersection(near), name="Lake Corwin", kind="lake"),
        ],
        "parks": [_feature(p.shape, name=p.name, kind="park") for p in city.parks if not p.shape.is_empty],
        "industry": [_feature(city.industry, name="Yards and mills", kind="industry")],
        "bars": _spots(city.bars),
        "transit": _spots(city.stops),
        "transit_lines": [_feature(line, name=name, kind="line") for name, line in city.transit_lines],
        "vacant_parcels": _spots(city.vacant_parcels),
        "schools": _spots(city.schools),
        "venues": _spots(city.venues),
    }


def block_groups(city: City, rng: np.random.Generator) -> list[Feature]:
    """Return the census by block group: population, households, housing units, vacancy and age, nothing else."""
    n = len(city.block_groups)
    group = city.block_group_of_place
    people = rng.poisson(np.bincount(group, weights=city.residents, minlength=n))
    places = np.maximum(np.bincount(group, minlength=n), 1)
    hardship = np.bincount(group, weights=city.hardship, minlength=n) / places
    households = np.round(people / rng.normal(2.35, 0.15, n)).astype(int)
    vacancy = np.clip(0.07 + 0.05 * hardship + rng.normal(0, 0.015, n), 0.01, 0.35)
    units = np.round(households / (1.0 - vacancy)).astype(int)
    age = np.round(np.clip(37.0 - 2.2 * hardship + rng.normal(0, 2.5, n), 22, 60), 1)
    return [
        _feature(
            area.shape,
            7,
            geoid=area.code,
            population=int(people[k]),
            households=int(households[k]),
            housing_units=int(units[k]),
            vacant_units=int(units[k] - households[k]),
            median_age=float(age[k]),
        )
        for k, area in enumerate(city.block_groups)
    ]
