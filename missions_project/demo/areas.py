"""Cutting the city into beats, districts and block groups that fit together without gap or overlap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import polygonize

from missions_project.demo.terrain import Floats

SNAP_M = 0.05


def faces_between(lines: Sequence[BaseGeometry], boundary: BaseGeometry) -> list[Polygon]:
    """Return the pieces into which the lines cut the area; together they are the area, to the centimetre."""
    # Snap-rounded noding: without it two crossings a hair apart leave sliver faces and gaps.
    noded = shapely.union_all([*lines, boundary.boundary], grid_size=SNAP_M)
    inside = shapely.prepared.prep(boundary)
    faces = [face for face in polygonize(noded) if inside.contains(face.representative_point())]
    return sorted(faces, key=lambda face: (round(face.centroid.x, 1), round(face.centroid.y, 1)))


def shared_borders(faces: Sequence[BaseGeometry]) -> dict[tuple[int, int], float]:
    """Return the length in metres of the border between each pair of touching faces (i < j)."""
    owner: dict[tuple[float, float, float, float], int] = {}
    shared: dict[tuple[int, int], float] = defaultdict(float)
    for index, face in enumerate(faces):
        for ring in _rings(face):
            points = shapely.get_coordinates(ring).round(3)
            for (x0, y0), (x1, y1) in pairwise(points):
                key = (x0, y0, x1, y1) if (x0, y0) < (x1, y1) else (x1, y1, x0, y0)
                other = owner.setdefault(key, index)
                if other != index:
                    shared[(min(other, index), max(other, index))] += float(np.hypot(x1 - x0, y1 - y0))
    return dict(shared)


def _rings(shape: BaseGeometry) -> list[BaseGeometry]:
    if isinstance(shape, Polygon):
        return [shape.exterior, *shape.interiors]
    return [ring for part in getattr(shape, "geoms", ()) for ring in _rings(part)]


def group_faces(
    faces: Sequence[BaseGeometry],
    *,
    load: Floats,
    side: npt.NDArray[np.int64],
    groups: int,
) -> npt.NDArray[np.int64]:
    """Join neighbouring faces, lightest first, into `groups` compact areas of like load; return each face's group.

    `side` marks the bank of the river: joins across it are made only where nothing else is left.
    Groups are numbered by the first face they hold.
    """
    borders = shared_borders(faces)
    area = {i: float(face.area) for i, face in enumerate(faces)}
    perimeter = {i: float(face.length) for i, face in enumerate(faces)}
    weight = {i: float(load[i]) for i in range(len(faces))}
    bank = {i: int(side[i]) for i in range(len(faces))}
    members = {i: [i] for i in range(len(faces))}
    neighbours: dict[int, dict[int, float]] = defaultdict(dict)
    for (i, j), length in borders.items():
        neighbours[i][j] = neighbours[j][i] = length
    mean = float(load.sum()) / groups

    def cost(i: int, j: int) -> float:
        joined = perimeter[i] + perimeter[j] - 2.0 * neighbours[i][j]
        roundness = joined**2 / (4.0 * np.pi * (area[i] + area[j]))
        across = 6.0 if bank[i] != bank[j] else 0.0
        return max(0.0, (weight[i] + weight[j]) / mean - 0.7) + 0.55 * roundness + across

    while len(members) > groups:
        lightest = min(
            (i for i in members if neighbours[i]), key=lambda i: (weight[i] + 0.02 * area[i] / 1e6 * mean, i)
        )
        partner = min(neighbours[lightest], key=lambda j: (cost(lightest, j), j))
        keep, gone = min(lightest, partner), max(lightest, partner)
        perimeter[keep] += perimeter.pop(gone) - 2.0 * neighbours[keep][gone]
        area[keep] += area.pop(gone)
        bank[keep] = bank[keep] if weight[keep] >= weight[gone] else bank[gone]
        bank.pop(gone)
        weight[keep] += weight.pop(gone)
        members[keep] += members.pop(gone)
        for other, length in neighbours.pop(gone).items():
            del neighbours[other][gone]
            if other != keep:
                neighbours[keep][other] = neighbours[other][keep] = neighbours[keep].get(other, 0.0) + length
    label = np.empty(len(faces), dtype=np.int64)
    for number, first in enumerate(sorted(members)):
        label[members[first]] = number
    return label


def joined(faces: Sequence[BaseGeometry], label: npt.NDArray[np.int64]) -> list[BaseGeometry]:
    """Return one area per label, keeping every shared vertex so that neighbours still fit exactly."""
    return [
        shapely.union_all([face for face, number in zip(faces, label, strict=True) if number == wanted])
        for wanted in range(int(label.max()) + 1)
    ]
